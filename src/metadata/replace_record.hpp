#pragma once

#include <filesystem>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/failpoint.hpp"

// How a new record takes the place of an old one. A complete new one is "<database>.rebuilt": from the moment it has that
// name it is the record, and whoever opens the record for writing next finishes what a killed process began.
namespace mlpipe::metadata {

std::filesystem::path rebuilt_path(const std::filesystem::path& database);

// Puts the rebuilt one in place and keeps the old one as "<database>.<suffix>", with its log. Gives that path; none when there
// was no old one. Caller holds the lock of the folder.
Result<std::filesystem::path> replace_record(const std::filesystem::path& database, std::string_view suffix,
                                             const engine::Failpoint& failpoint);

// The same when there is a rebuilt one that was never put in place.
Result<> finish_replacing(const std::filesystem::path& database);

}  // namespace mlpipe::metadata
