#include "app/engine_choice.hpp"

#include "mlpipe/runner/docker.hpp"
#include "mlpipe/runner/process.hpp"

namespace mlpipe::app {

Result<std::unique_ptr<runner::ContainerEngine>> connect_engine(EngineChoice choice, DebugLog* debug_log) {
  if (choice == EngineChoice::process) return runner::make_process_engine();
  runner::DockerSearch search = runner::docker_search_of_process();
  search.debug_log = debug_log;
  return runner::connect_docker(search);
}

}  // namespace mlpipe::app
