#pragma once

#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/sys/stop_signal.hpp"
#include "runner/docker/http_client.hpp"
#include "runner/docker/registry_auth.hpp"

namespace mlpipe::runner::docker {

// POST <build_path>: streams the context and builds request.tag. Every output line goes to `progress`; a failure
// carries the last lines.
Result<> build(HttpClient& client, std::string_view build_path, const RegistryAuth& auth, const BuildRequest& request,
               const ProgressSink& progress, const sys::StopSignal& stop);

}  // namespace mlpipe::runner::docker
