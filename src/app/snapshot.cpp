#include "app/snapshot.hpp"

#include "app/pipeline_file.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/spec/reader.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

constexpr int k_version = 1;

std::filesystem::path file_of(const std::filesystem::path& run_folder) {
  return run_folder / ".mlpipe" / "sources.json";
}

}  // namespace

Result<> keep_sources(const std::filesystem::path& run_folder, const std::vector<spec::SourceFile>& sources) {
  Value::List files;
  for (const spec::SourceFile& source : sources) {
    files.push_back(Value::Struct{{"name", source.name}, {"path", source.path}, {"text", source.text}});
  }
  const Value document = Value::Struct{{"version", k_version}, {"files", std::move(files)}};
  if (Result<> made = sys::make_directories(run_folder / ".mlpipe"); !made) return made;
  Result<> kept = sys::write_file_atomically(file_of(run_folder), to_json(document), sys::Durable::yes);
  if (!kept) return kept;
  return sys::write_file_atomically(run_folder / "pipeline.yaml", sources.front().text, sys::Durable::yes);
}

Result<std::vector<spec::SourceFile>> kept_sources(const std::filesystem::path& run_folder) {
  const std::filesystem::path file = file_of(run_folder);
  Result<std::string> text = sys::read_file(file);
  if (!text) return Failure(std::move(text).error());
  Result<Value> document = parse_json(*text, file.string());
  if (!document) return Failure(std::move(document).error());
  const Value* files = document->find("files");
  if (document->integer_or("version", 0) != k_version || files == nullptr || !files->is_list() ||
      files->as_list().empty()) {
    return fail(ErrorCode::io, "{}: not what this mlpipe writes", file.string());
  }
  std::vector<spec::SourceFile> sources;
  for (const Value& each : files->as_list()) {
    sources.push_back(
        {.name = each.text_or("name", ""), .text = each.text_or("text", ""), .path = each.text_or("path", "")});
  }
  return sources;
}

Result<spec::PipelineSpec> kept_pipeline(const artifact::Root& root, const metadata::RunRow& row,
                                         const std::vector<std::string>& components) {
  Result<std::vector<spec::SourceFile>> sources = kept_sources(root.run(row.id));
  if (!sources) {
    Error error = std::move(sources).error();
    if (error.code == ErrorCode::not_found) error.hint = "the run's folder is not whole any more; start a new run";
    return within("reading the pipeline of run " + row.id, std::move(error));
  }
  const spec::SourceFile& first = sources->front();
  const std::filesystem::path path = first.path.empty() ? row.spec_file : first.path;
  spec::ReadPipeline read =
      spec::read_pipeline_text(first.text, first.name, path.parent_path(),
                               {.component_path = component_path(components), .snapshot = &*sources});
  if (!read.spec) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("the pipeline of run {} cannot be read any more:\n{}", row.id,
                                      spec::render(read.diagnostics, read.sources)),
                          "start a new run; what has not changed comes from the cache");
  }
  read.spec->sources.front().path = path.string();
  return std::move(*read.spec);
}

}  // namespace mlpipe::app
