#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/spec/model.hpp"

namespace mlpipe::spec {

struct ReadOptions {
  std::vector<std::filesystem::path> component_path;  // where bare component names are looked for
  // Files as they were once read, by SourceFile::path: these texts count, whatever the disk says now (mlpipe resume).
  // Borrowed; null: the disk.
  const std::vector<SourceFile>* snapshot = nullptr;
};

// What reading gave: every mistake found, and the spec when none of them is an error.
struct ReadPipeline {
  std::optional<PipelineSpec> spec;
  Diagnostics diagnostics;
  std::vector<SourceFile> sources;  // for render(); spec->sources is the same list
};

// Reads the pipeline at `path` with all the components it names, checks types and wiring, and reports all mistakes at once.
// An Error only when the file itself cannot be read (absent, a folder, not permitted, too large).
Result<ReadPipeline> read_pipeline(const std::filesystem::path& path, const ReadOptions& options);

// The same for text already in memory; relative paths are taken from `directory`.
ReadPipeline read_pipeline_text(std::string text, std::string name, const std::filesystem::path& directory,
                                const ReadOptions& options);

// The file of the component `name`, found as a task's `component: NAME` of a pipeline in the working folder is. Errors say where
// it was looked for.
Result<std::filesystem::path> find_component(const std::string& name, const ReadOptions& options);

// A component.yaml by itself, for `component show`; the same kinds of diagnostics.
struct ReadComponent {
  std::optional<ComponentSpec> component;
  Diagnostics diagnostics;
  std::vector<SourceFile> sources;
};
Result<ReadComponent> read_component(const std::filesystem::path& path);

// Why `name` cannot name a container image ("python:3.11-slim", "registry:5000/team/x@sha256:..."); nothing when it can.
std::optional<std::string> image_name_problem(std::string_view name);

// The inputs that `name` can mean: as it is named ("learning_rate"), or as components write it ("Learning rate"). More than
// one: inputs that are alike, and none is named exactly so.
std::vector<std::string> inputs_called(const Interface& interface, std::string_view name);

}  // namespace mlpipe::spec
