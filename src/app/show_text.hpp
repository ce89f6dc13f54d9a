#pragma once

#include <string>
#include <vector>

#include "app/console.hpp"
#include "mlpipe/metadata/queries.hpp"

// What `mlpipe show` says to people.
namespace mlpipe::app {

// `suffix` goes behind the commands that are suggested: " --root /data/root", or nothing.
std::string run_text(const metadata::RunRow& run, const std::vector<metadata::TaskRow>& tasks, const Value& outputs,
                     std::string_view suffix, const Console& console);

std::string task_text(const metadata::RunRow& run, const metadata::TaskRow& task,
                      const std::vector<metadata::EventRow>& events, const Console& console);

// Metrics as a table: one line for each of `metrics` (its title, and a struct of numbers), one column for each number.
// Those with the same names stand below each other.
std::string metrics_text(const std::vector<std::pair<std::string, Value::Struct>>& metrics, const Console& console);

// The parts both have.
std::string section(std::string_view title, std::string_view body, const Console& console);
std::string parameter_line(const Value& value);
// `text` in one line, cut when it is long: then with its length and where the whole is.
std::string shown(std::string_view text);
// A metric for people: six digits that count, whole numbers whole.
std::string metric_text(double number);
std::string short_digest(const std::string& digest);

}  // namespace mlpipe::app
