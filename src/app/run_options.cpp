#include "app/run_options.hpp"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

Result<> check_junit(const fs::path& file) {
  std::error_code ignored;
  const std::string doing = "--junit " + printable(file.string());
  if (fs::is_directory(file, ignored)) {
    return fail_with_hint(ErrorCode::invalid_input, doing + ": it is a folder", "name a file, such as report.xml");
  }
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  const int error = errno;
  return fail_with_hint(ErrorCode::invalid_input,
                        fmt::format("{}: no file can be made in {}: {}", doing, printable(folder.string()),
                                    std::generic_category().message(error)),
                        "make the folder, or name another file");
}

// What opens the log makes the folders to it; a mistyped path must not leave any.
Result<> check_debug_log(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return {};
  return fail_with_hint(
      ErrorCode::invalid_input,
      fmt::format("--debug-log {}: there is no folder {}", printable(file.string()), printable(folder.string())),
      "make the folder, or name another file (MLPIPE_DEBUG_LOG names it, too)");
}

Value list_of(const std::vector<std::string>& items) { return Value(Value::List(items.begin(), items.end())); }

void read_list(const Value& options, std::string_view name, std::vector<std::string>& items) {
  const Value* list = options.find(name);
  if (list == nullptr || !list->is_list()) return;
  items.clear();
  for (const Value& item : list->as_list()) {
    if (item.is_string()) items.push_back(item.as_string());
  }
}

}  // namespace

Result<> check_options(const RunCommand& command) {
  for (const std::string& label : command.labels) {
    if (label.find('=') != std::string::npos && !label.starts_with('=')) continue;
    return fail_with_hint(ErrorCode::invalid_input, "--label " + printable(label) + ": no name=value",
                          "write --label name=value, for example --label team=prices");
  }
  if (command.json && !command.dry_run) {
    return fail_with_hint(ErrorCode::invalid_input, "--json goes with --dry-run only",
                          "--progress json prints a JSON object for each event of a run; --dry-run --json what would "
                          "become of each task");
  }
  if (!command.debug_log.empty()) {
    if (Result<> good = check_debug_log(command.debug_log); !good) return good;
  }
  return command.junit.empty() ? Result<>() : check_junit(command.junit);
}

Value options_value(const RunCommand& command) {
  Value::Struct options{{"engine", command.engine == EngineChoice::process ? "process" : "docker"},
                        {"jobs", command.jobs},
                        {"keep_going", command.keep_going},
                        {"cache", command.cache},
                        {"grace_ms", static_cast<std::int64_t>(command.grace.count())}};
  if (!command.from.empty()) options.emplace("from", list_of(command.from));
  if (!command.until.empty()) options.emplace("until", list_of(command.until));
  if (!command.only.empty()) options.emplace("only", list_of(command.only));
  if (!command.replay_of.empty()) options.emplace("replay_of", command.replay_of);
  if (!command.replay_task.empty()) options.emplace("replay_task", command.replay_task);
  if (!command.component_path.empty()) options.emplace("component_path", list_of(command.component_path));
  return options;
}

void apply_options(const Value& options, RunCommand& command) {
  if (!options.is_struct()) return;
  if (options.text_or("engine", "") == "process") command.engine = EngineChoice::process;
  if (command.jobs == 0) command.jobs = static_cast<int>(options.integer_or("jobs", 0));
  command.keep_going = options.bool_or("keep_going", command.keep_going);
  command.cache = options.bool_or("cache", command.cache);
  command.grace = std::chrono::milliseconds(options.integer_or("grace_ms", command.grace.count()));
  command.replay_of = options.text_or("replay_of", "");
  command.replay_task = options.text_or("replay_task", "");
  read_list(options, "from", command.from);
  read_list(options, "until", command.until);
  read_list(options, "only", command.only);
  read_list(options, "component_path", command.component_path);
}

}  // namespace mlpipe::app
