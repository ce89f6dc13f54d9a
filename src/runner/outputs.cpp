#include "runner/outputs.hpp"

#include <cmath>

#include "mlpipe/artifact/digest.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/placeholders.hpp"

namespace mlpipe::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_max_parameter_bytes = 4U << 20U;
constexpr std::uint64_t k_max_document_bytes = 64U << 20U;
constexpr const char* k_metrics_hint =
    "a Metrics output is one JSON object of numbers, {\"rmse\": 12.5} for example; NaN and Infinity are no JSON. "
    "Declare another type (Artifact, say) for anything else";

// KFP's ExecutorOutput, when the component wrote one; an empty struct when it did not.
Result<Value> read_executor_output(const AttemptFiles& files) {
  Result<std::string> text =
      sys::read_file_beneath(files.work, artifact::TaskTree::executor_output({}), k_max_document_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return Value(Value::Struct{});
  if (!text) return Failure(text.error());
  Result<Value> document = parse_json(*text, "executor_output.json");
  if (document && !document->is_struct())
    return fail(ErrorCode::invalid_input, "executor_output.json is no JSON object");
  return document;
}

// The named member, in KFP's camelCase or in snake_case.
const Value* member(const Value& value, std::string_view camel, std::string_view snake) {
  const Value* found = value.find(camel);
  return found != nullptr ? found : value.find(snake);
}

Result<Value> read_parameter(const spec::ParameterSpec& parameter, const AttemptFiles& files,
                             const Value& executor_output) {
  if (const Value* values = member(executor_output, "parameterValues", "parameter_values")) {
    if (const Value* value = values->find(parameter.name)) return spec::coerce(*value, parameter.type);
  }
  Result<std::string> text =
      sys::read_file_beneath(files.work, artifact::TaskTree::parameter_file({}, parameter.name), k_max_parameter_bytes);
  if (!text) return Failure(text.error());
  return spec::parse_parameter(*text, parameter.type);
}

// Metadata that the component reported through KFP's executor output.
Value reported_metadata(const Value& executor_output, const std::string& name) {
  const Value* artifacts = executor_output.find("artifacts");
  const Value* entry = artifacts == nullptr ? nullptr : artifacts->find(name);
  const Value* list = entry == nullptr ? nullptr : entry->find("artifacts");
  if (list == nullptr || !list->is_list() || list->as_list().empty()) return Value::Struct{};
  const Value* metadata = list->as_list().front().find("metadata");
  return metadata != nullptr && metadata->is_struct() ? *metadata : Value(Value::Struct{});
}

// A Metrics artifact is a JSON object of numbers; it becomes the artifact's metadata.
Result<Value> read_metrics(const fs::path& work, const fs::path& file) {
  Result<std::string> text = sys::read_file_beneath(work, file, k_max_document_bytes);
  if (!text) return Failure(text.error());
  if (trim(*text).empty()) return Value(Value::Struct{});
  Result<Value> document = parse_json(*text, file.filename().string());
  if (!document) return within("its file is no valid JSON", std::move(document).error());
  if (!document->is_struct()) return fail(ErrorCode::invalid_input, "a Metrics file must be a JSON object of numbers");
  for (const auto& [key, value] : document->as_struct()) {
    if (!value.is_number()) {
      return fail(ErrorCode::invalid_input, "a Metrics file must be a JSON object of numbers, but \"{}\" is {}",
                  printable(key), shorten(to_json(value), 40));
    }
  }
  return document;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

// The folder that `output` lies in. An attempt that was taken up may have published it already: then its folder is gone
// from `work`, and what lies at its final place is this attempt's, for nothing else lay there when it began.
fs::path place_of(const spec::ArtifactSpec& output, const AttemptFiles& files) {
  const fs::path& published = files.tree.path();
  const bool is_published = !is_there(files.work / output.name) && is_there(published / output.name / output.file_name);
  return is_published ? published : files.work;
}

// What else a component left in an output's folder, for the message about a missing payload.
std::string found_instead(const fs::path& folder) {
  std::error_code error;
  std::string names;
  int count = 0;
  if (!fs::is_directory(fs::symlink_status(folder, error))) return names;  // a link may lead anywhere
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (++count > 3) return names + ", ...";
    names += (names.empty() ? "" : ", ") + printable(entry.path().filename().string());
  }
  return names;
}

}  // namespace

Result<CollectedOutputs> collect_outputs(const spec::Interface& interface, const AttemptFiles& files,
                                         const artifact::ArtifactStore& store, std::string_view task_path,
                                         sys::FileDigests* digests, const std::function<bool()>& stop) {
  CollectedOutputs collected;
  Result<Value> executor_output = read_executor_output(files);
  if (!executor_output) {
    collected.missing.push_back(executor_output.error().message);
    return collected;
  }
  for (const spec::ParameterSpec& parameter : interface.output_parameters) {
    Result<Value> value = read_parameter(parameter, files, *executor_output);
    if (value) {
      collected.data.parameters.emplace(parameter.name, std::move(*value));
    } else if (value.error().code != ErrorCode::not_found) {
      collected.missing.push_back(
          fmt::format("output \"{}\" is no {}: {}", parameter.name, to_string(parameter.type), value.error().message));
    } else if (!parameter.optional) {
      collected.missing.push_back(fmt::format("output \"{}\" was not written; its value belongs in the file ${}",
                                              parameter.name, environment_name("MLPIPE_OUTPUT_", parameter.name)));
    }
  }
  for (const spec::ArtifactSpec& output : interface.output_artifacts) {
    const fs::path place = place_of(output, files);
    const fs::path folder = place / output.name;
    const fs::path payload = folder / output.file_name;
    Value metadata = reported_metadata(*executor_output, output.name);
    if (!is_there(payload)) {
      if (output.optional) continue;
      std::string message = fmt::format("output \"{}\" was not written: nothing at {}", output.name,
                                        files.visible_output(output).string());
      if (std::string other = found_instead(folder); !other.empty()) message += " (its folder holds " + other + ")";
      collected.missing.push_back(std::move(message));
      continue;
    }
    Result<artifact::PathDigest> digest =
        artifact::digest_beneath(place, fs::path(output.name) / output.file_name, stop, digests);
    if (!digest) {
      if (digest.error().code != ErrorCode::invalid_input)
        return within("output \"" + output.name + "\"", digest.error());
      collected.missing.push_back(fmt::format("output \"{}\" cannot be kept: {}", output.name, digest.error().message));
      continue;
    }
    if (output.type == "system.Metrics" && !digest->is_folder) {
      Result<Value> metrics = read_metrics(place, fs::path(output.name) / output.file_name);
      if (!metrics) {
        collected.missing.push_back(fmt::format("output \"{}\": {}", output.name, metrics.error().message));
        collected.hint = k_metrics_hint;
        continue;
      }
      for (auto& [key, value] : metrics->as_struct()) metadata.as_struct().insert_or_assign(key, value);
    }
    collected.data.artifacts.emplace(output.name,
                                     engine::Artifact{.name = output.name,
                                                      .type = output.type,
                                                      .uri = store.uri_of(task_path, output.name, output.file_name),
                                                      .metadata = std::move(metadata),
                                                      .digest = digest->digest,
                                                      .bytes = digest->bytes,
                                                      .is_folder = digest->is_folder});
  }
  return collected;
}

Result<> commit_outputs(const spec::Interface& interface, const CollectedOutputs& outputs, const AttemptFiles& files,
                        artifact::ArtifactStore& store, const engine::Failpoint& failpoint,
                        const std::function<bool()>& stop) {
  for (const spec::ArtifactSpec& output : interface.output_artifacts) {
    auto found = outputs.data.artifacts.find(output.name);
    if (found == outputs.data.artifacts.end()) continue;
    Result<> committed = store.commit(files.work / output.name / output.file_name, found->second.uri, stop);
    if (!committed) return within("keeping output \"" + output.name + "\"", committed.error());
    if (Result<> passed = failpoint.pass("attempt.half_committed"); !passed) return passed;
  }
  return {};
}

}  // namespace mlpipe::runner
