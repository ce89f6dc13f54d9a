#pragma once

#include <deque>
#include <filesystem>

#include "mlpipe/spec/reader.hpp"
#include "spec/mistakes.hpp"
#include "spec/source_files.hpp"

namespace mlpipe::spec {

// What one reading of a pipeline works on.
struct Reading {
  const ReadOptions& options;
  std::filesystem::path directory;  // absolute; relative paths of the pipeline file are taken from it
  const SourceFiles& files;
  Mistakes mistakes = {};
  std::deque<SourceFile> sources = {};  // a deque: trees hold views into the texts while files are added
  PipelineSpec spec = {};
  bool are_pools_known = true;  // false: some of what says which pools there are could not be read
  bool are_tasks_known = true;  // the same of tasks
};

// The component of a task whose component could not be read: said already, so what hangs on it is not checked.
constexpr ComponentId k_no_component{UINT32_MAX};

}  // namespace mlpipe::spec
