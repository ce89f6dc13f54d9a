#include "app/engine_choice.hpp"

#include "mlpipe/runner/docker.hpp"
#include "mlpipe/runner/process.hpp"

namespace mlpipe::app {

Result<std::unique_ptr<runner::ContainerEngine>> connect_engine(EngineChoice choice) {
  if (choice == EngineChoice::process) return runner::make_process_engine();
  return runner::connect_docker(runner::docker_search_of_process());
}

}  // namespace mlpipe::app
