#include "mlpipe/metadata/known_names.hpp"

#include <set>

#include "metadata/reading.hpp"
#include "metadata/schema.hpp"

namespace mlpipe::metadata {
namespace {

Result<std::vector<std::string>> names_in(Database& database, std::string_view table) {
  std::vector<std::string> names;
  Result<> read =
      each_row(database, fmt::format("SELECT DISTINCT name FROM {}", table), [&](const Statement& row) -> Result<> {
        names.emplace_back(row.text(0));
        return {};
      });
  if (!read) return Failure(std::move(read).error());
  return names;
}

Result<std::vector<std::string>> metrics_in(Database& database) {
  std::set<std::string> names;
  Result<> read = each_row(database, "SELECT DISTINCT path, artifact, name FROM metrics JOIN tasks USING (run, task)",
                           [&](const Statement& row) -> Result<> {
                             const std::string task(row.text(0));
                             const std::string output(row.text(1));
                             const std::string name(row.text(2));
                             names.insert({name, fmt::format("{}.{}", output, name), fmt::format("{}.{}", task, name),
                                           fmt::format("{}.{}.{}", task, output, name)});
                             return {};
                           });
  if (!read) return Failure(std::move(read).error());
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Result<KnownNames> known_names(const std::filesystem::path& file) {
  Result<std::unique_ptr<Database>> database = open_for_reading(file);
  if (!database) return Failure(std::move(database).error());
  Result<std::vector<std::string>> parameters = names_in(**database, "arguments");
  if (!parameters) return Failure(std::move(parameters).error());
  Result<std::vector<std::string>> labels = names_in(**database, "labels");
  if (!labels) return Failure(std::move(labels).error());
  Result<std::vector<std::string>> metrics = metrics_in(**database);
  if (!metrics) return Failure(std::move(metrics).error());
  return KnownNames{std::move(*parameters), std::move(*labels), std::move(*metrics)};
}

}  // namespace mlpipe::metadata
