#pragma once

#include <filesystem>
#include <string>

namespace mlpipe::app {

// Where two payloads, both still on the disk, differ first: "prices.csv is new", "prices.csv: 12 B before, 14 B now",
// "prices.csv differs from byte 100 on"; names in the order of their bytes. A file has no name, for there is but one. Empty:
// they do not differ, or one of them cannot be read.
std::string first_difference(const std::filesystem::path& before, const std::filesystem::path& after);

}  // namespace mlpipe::app
