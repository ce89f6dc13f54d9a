#include "runner/image_problem.hpp"

#include <algorithm>
#include <optional>

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner {
namespace {

constexpr std::size_t k_most_tasks = 3;

std::string_view without_tag(std::string_view reference) {
  reference = reference.substr(0, reference.find('@'));
  const std::size_t slash = reference.rfind('/');
  const std::size_t colon = reference.rfind(':');
  return colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash)
             ? reference
             : reference.substr(0, colon);
}

std::string_view last_part(std::string_view repository) { return repository.substr(repository.rfind('/') + 1); }

// Built from a component's folder, under a name that nobody writes.
bool is_built(std::string_view reference) {
  constexpr std::size_t k_tag_of_build = 12;
  const std::string_view tag = reference.substr(std::min(reference.size(), without_tag(reference).size() + 1));
  return reference.starts_with("mlpipe/") && tag.size() == k_tag_of_build &&
         tag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<std::string> near_image(const std::string& wanted, ContainerEngine& engine) {
  const Result<std::vector<ImageSummary>> there = engine.list_images("");
  if (!there) return std::nullopt;
  // What is alike must be the name itself: registries, owners and tags are alike of many.
  std::vector<std::string> references;
  std::vector<std::string> names;
  for (const ImageSummary& image : *there) {
    if (is_built(image.reference) || image.reference.starts_with("<none>") || image.reference == wanted) continue;
    references.push_back(image.reference);
    names.emplace_back(last_part(without_tag(image.reference)));
  }
  const std::optional<std::string> near = closest(last_part(without_tag(wanted)), names);
  if (!near) return std::nullopt;
  std::erase_if(references, [&](const std::string& reference) { return last_part(without_tag(reference)) != *near; });
  const std::optional<std::string> nearest = closest(wanted, references);
  return nearest ? *nearest : references.front();
}

}  // namespace

Error place_problem(Error error, const ImageUse& use, const spec::PipelineSpec& spec) {
  const std::size_t shown = std::min(use.tasks.size(), k_most_tasks);
  std::string who = join(std::span(use.tasks).first(shown), ", ");
  if (use.tasks.size() > shown) who += fmt::format(" and {} more", use.tasks.size() - shown);
  error.message = fmt::format("{} {}: {}", use.tasks.size() == 1 ? "task" : "tasks", who, error.message);
  if (use.where.line != 0 && use.where.file < spec.sources.size()) {
    error.message = fmt::format("{}:{}:{}: {}", printable(spec.sources[use.where.file].name), use.where.line,
                                use.where.column, error.message);
  }
  return error;
}

Error hint_at_near_image(Error error, const std::string& reference, ContainerEngine& engine) {
  if (error.code == ErrorCode::cancelled || error.code == ErrorCode::no_space) return error;
  if (const std::optional<std::string> near = near_image(reference, engine)) {
    error.hint =
        fmt::format("did you mean {}, which is here?{}{}", *near, error.hint.empty() ? "" : " Else ", error.hint);
  }
  return error;
}

}  // namespace mlpipe::runner
