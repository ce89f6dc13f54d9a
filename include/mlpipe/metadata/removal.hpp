#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"

// What `mlpipe gc` asks of the record and takes out of it.
namespace mlpipe::metadata {

// Takes the run with that exact id out of the record, with all that was recorded of it, in one transaction: its results are
// gone from the cache; runs that were cached from it keep their own rows. Caller holds the run's lock. No such run: fine.
Result<> remove_run(const std::filesystem::path& database, const std::string& run_id);

// Forgets what fingerprints that no attempt has any more, and images that no run has, were made of. Reads all attempts.
Result<> remove_unused_texts(const std::filesystem::path& database);

// An output whose payload is to be gone, as the record says.
struct GonePayload {
  std::string run_id;
  std::string task;
  std::string output;
};
Result<std::vector<GonePayload>> gone_payloads(const std::filesystem::path& database);

struct UsedImage {
  std::string run_id;
  std::string image_id;
};
// The images that runs used, in no order.
Result<std::vector<UsedImage>> used_images(const std::filesystem::path& database);

}  // namespace mlpipe::metadata
