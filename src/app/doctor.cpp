#include "app/doctor.hpp"

#include <unistd.h>

#include <algorithm>

#include "app/engine_choice.hpp"
#include "app/print.hpp"
#include "app/rebuild.hpp"
#include "app/root.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/env.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/terminal.hpp"

namespace mlpipe::app {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::ok: return "ok";
    case Health::warn: return "warn";
    case Health::fail: return "fail";
  }
  return "fail";
}

bool healthy(const std::vector<Check>& checks) {
  return std::none_of(checks.begin(), checks.end(), [](const Check& check) { return check.health == Health::fail; });
}

std::string checks_text(const std::vector<Check>& checks) {
  std::size_t width = 0;
  for (const Check& check : checks) width = std::max(width, check.name.size());
  std::string text;
  for (const Check& check : checks) {
    text += fmt::format("{:<4}  {:<{}}  {}\n", to_string(check.health), check.name, width, printable(check.message));
    if (!check.hint.empty()) text += fmt::format("      {:<{}}  -> {}\n", "", width, printable(check.hint));
  }
  const auto count = [&](Health health) {
    return std::count_if(checks.begin(), checks.end(), [&](const Check& check) { return check.health == health; });
  };
  if (!healthy(checks)) return text + fmt::format("\n{} of {} checks failed\n", count(Health::fail), checks.size());
  if (count(Health::warn) > 0) return text + fmt::format("\nready, with {} warning(s)\n", count(Health::warn));
  return text + "\nready\n";
}

Value checks_value(const std::vector<Check>& checks) {
  Value::List list;
  for (const Check& check : checks) {
    list.push_back(Value::Struct{
        {"name", check.name}, {"health", to_string(check.health)}, {"message", check.message}, {"hint", check.hint}});
  }
  return Value::Struct{{"healthy", healthy(checks)}, {"checks", std::move(list)}};
}

ExitCode doctor(const DoctorCommand& command) {
  SystemClock clock;
  if (command.rebuild) return doctor_rebuild(command, standard_console(clock));
  Result<std::filesystem::path> root = resolve_root(command.root);
  if (!root) return report_error(root.error());
  const sys::MachineInfo machine = sys::machine_info();
  const DoctorWorld world{
      .connect = [&command] { return connect_engine(command.engine); },
      .gpus = [] { return sys::list_gpus(sys::environment("MLPIPE_NVIDIA_SMI").value_or("nvidia-smi")); },
      .free_space = [](const std::filesystem::path& path) { return sys::free_space(path); },
      .root = *root,
      .image = command.image,
      .uid = machine.uid,
      .gid = machine.gid,
      .clock = clock};
  const bool on_terminal = sys::is_terminal(STDERR_FILENO);
  const std::vector<Check> checks = examine(world, [&](std::string_view line) {
    if (on_terminal) print_error(printable(line) + "\n");
  });
  print(command.json ? to_pretty_json(checks_value(checks)) : checks_text(checks));
  return healthy(checks) ? ExitCode::succeeded : ExitCode::environment;
}

}  // namespace mlpipe::app
