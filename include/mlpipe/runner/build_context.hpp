#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"

namespace mlpipe::runner {

// What building a folder would send.
struct BuildContext {
  // SHA-256 (lower-case hex) of names, kinds, link targets and contents of the files that .dockerignore leaves, the
  // Dockerfile among them, and whether their owner may execute them. Times, owners and other permissions do not count: they
  // are not sent.
  std::string digest;
  // "<SHA-256 of all that counts of it> <path>\n" for each of them, by path; a path is printable, a line break in one is not.
  std::string files;
};

// Reads every file once.
Result<BuildContext> read_build_context(const std::filesystem::path& context);

// How two images differ in what they are made of, BuildContext::files and "from <base image> <id>\n" lines: "changed: train.py;
// new: util.py; gone: old.py". Names a few of each. "" when nothing differs.
std::string build_changes(std::string_view before, std::string_view after);

}  // namespace mlpipe::runner
