#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/exit_code.hpp"
#include "app/options.hpp"
#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/sys/machine.hpp"

namespace mlpipe::app {

// `mlpipe doctor`: checks this machine by really running a container, and says how to mend what is wrong.
ExitCode doctor(const DoctorCommand& command);

enum class Health { ok, warn, fail };
std::string_view to_string(Health health);

struct Check {
  std::string name;  // "engine", "image", "mount", ...
  Health health = Health::ok;
  std::string message;  // what was found
  std::string hint;     // how to mend it; empty when nothing needs mending
};

// What doctor looks at; tests give a world of their own.
struct DoctorWorld {
  std::function<Result<std::unique_ptr<runner::ContainerEngine>>()> connect;
  std::function<Result<std::vector<sys::Gpu>>()> gpus;
  std::function<Result<std::uint64_t>(const std::filesystem::path&)> free_space;
  std::filesystem::path root;  // the pipeline root, absolute
  std::string image;           // to try with; empty: a small one
  unsigned uid = 0;
  unsigned gid = 0;
  std::chrono::milliseconds patience{60'000};  // with the container it runs
  const Clock& clock;
};

// All checks that can be made, in order; one that needs what an earlier one did not find is left out. Leaves nothing behind.
// `progress` is told about pulling an image.
std::vector<Check> examine(const DoctorWorld& world, const runner::ProgressSink& progress);

bool healthy(const std::vector<Check>& checks);  // none fails
std::string checks_text(const std::vector<Check>& checks);
Value checks_value(const std::vector<Check>& checks);

}  // namespace mlpipe::app
