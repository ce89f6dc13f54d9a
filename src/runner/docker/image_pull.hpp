#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/sys/stop_signal.hpp"
#include "runner/docker/http_client.hpp"
#include "runner/docker/registry_auth.hpp"

namespace mlpipe::runner::docker {

// Whether `reference` can name an image at all: invalid_input when not.
Result<> check_reference(std::string_view reference);

// Sums the messages of a pull up in one line: "pulling python:3.11-slim: 34.1/45.0 MiB, 3/7 layers".
class PullProgress final {
 public:
  explicit PullProgress(std::string reference) : reference_(std::move(reference)) {}
  void update(const Value& message);
  std::string line() const;

 private:
  struct Layer {
    std::int64_t current = 0;
    std::int64_t total = 0;
    bool done = false;
  };
  std::string reference_;
  std::map<std::string, Layer> layers_;
};

// What a pull's refusal means, whether it came as a status or inside the stream.
Failure pull_refused(std::string_view reference, int status, std::string_view message);

// POST <create_path>: pulls one image. Progress lines come at most five times a second.
Result<> pull(HttpClient& client, std::string_view create_path, const RegistryAuth& auth, const std::string& reference,
              const ProgressSink& progress, const sys::StopSignal& stop);

}  // namespace mlpipe::runner::docker
