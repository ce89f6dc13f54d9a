#include "spec/component_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "mlpipe/base/text.hpp"
#include "spec/component_reader.hpp"
#include "spec/node_reader.hpp"

namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_files = 60'000;  // Where counts files in 16 bits

std::vector<std::string> folders_with_components(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < 1000; it.increment(error)) {
    std::error_code ignored;
    if (fs::is_regular_file(it->path() / "component.yaml", ignored)) names.push_back(it->path().filename().string());
  }
  return names;
}

// A bare name is looked for in the component path, too.
bool is_bare(std::string_view reference) {
  return reference.find('/') == std::string_view::npos && reference != "." && reference != "..";
}

// The folders in which `reference` is looked for, in order.
std::vector<fs::path> folders_to_search(std::string_view reference, const fs::path& directory,
                                        const ReadOptions& options) {
  std::vector<fs::path> folders{directory};
  if (is_bare(reference)) {
    folders.insert(folders.end(), options.component_path.begin(), options.component_path.end());
  }
  return folders;
}

// The components beside those places where `reference` was looked for, as it would name them.
std::vector<std::string> components_near(std::string_view reference, const std::vector<fs::path>& folders) {
  const fs::path written(reference);
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    for (const std::string& name : folders_with_components(source_path(folder / written).parent_path())) {
      names.push_back((written.parent_path() / name).string());
    }
  }
  return names;
}

// Why nothing was found at `path`.
std::string why_none(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? "the folder has no component.yaml" : "there is no such file or folder";
}

// The name of a source as the user knows it: from the working folder when it is below.
std::string shown(const fs::path& file) {
  std::error_code error;
  fs::path near = fs::proximate(file, error);
  return error || near.string().size() > file.string().size() ? file.string() : near.string();
}

}  // namespace

ComponentId ComponentLibrary::find(YamlNode reference) {
  std::optional<std::string> text = read_filled_text(reference, "`component`", reading_.mistakes);
  if (!text) return k_no_component;
  if (auto known = by_text_.find(*text); known != by_text_.end()) return known->second;
  ComponentId id = k_no_component;
  if (std::optional<fs::path> file = locate(reference)) {
    auto [slot, is_new] = by_file_.emplace(file->string(), k_no_component);
    if (is_new) slot->second = load(*file, reference);
    id = slot->second;
  }
  by_text_.emplace(*std::move(text), id);
  return id;
}

std::optional<fs::path> ComponentLibrary::locate(YamlNode reference) {
  std::string text(reference.text());
  if (text.find("${{") != std::string::npos) {
    reading_.mistakes.error(reference.where(), "`component` cannot be computed: it is read before the run starts");
    return std::nullopt;
  }
  const std::vector<fs::path> folders = folders_to_search(text, reading_.directory, reading_.options);
  // What was read then stays what is read, wherever the disk has a component of that name by now.
  for (Origin origin : {Origin::snapshot, Origin::disk}) {
    std::vector<fs::path> passed_over;
    for (const fs::path& folder : folders) {
      fs::path path = source_path(folder / text);
      if (auto file = component_file(reading_.files, path, origin)) {
        std::ranges::move(passed_over, std::back_inserter(reading_.spec.passed_over));
        return file;
      }
      passed_over.push_back(std::move(path));
    }
  }
  no_such_component(reference);
  return std::nullopt;
}

void ComponentLibrary::no_such_component(YamlNode reference) {
  std::string text(reference.text());
  const fs::path path = source_path(reading_.directory / text);
  bool in_component_path = is_bare(text) && !reading_.options.component_path.empty();
  const std::vector<std::string> candidates =
      components_near(text, folders_to_search(text, reading_.directory, reading_.options));
  std::string hint = in_component_path
                         ? fmt::format("looked in {} and in the component path", ticked(reading_.directory.string()))
                         : fmt::format("looked for {}", ticked(path.string()));
  reading_.mistakes.error(reference.where(), fmt::format("no component {}: {}", ticked(text), why_none(path)),
                          reading_.mistakes.did_you_mean(text, candidates, hint));
}

ComponentId ComponentLibrary::load(const fs::path& file, YamlNode reference) {
  if (reading_.sources.size() >= k_most_files) {
    reading_.mistakes.error(reference.where(), fmt::format("more than {} component files", k_most_files));
    return k_no_component;
  }
  Result<std::string> text = reading_.files.read(file);
  if (!text) {
    reading_.mistakes.error(reference.where(), text.error().message, text.error().hint);
    return k_no_component;
  }
  auto index = static_cast<std::uint16_t>(reading_.sources.size());
  reading_.sources.push_back({shown(file), *std::move(text), file.string()});
  std::optional<YamlTree> tree = load_yaml(reading_.sources.back().text, index, reading_.mistakes);
  if (!tree) return k_no_component;
  std::optional<ComponentSpec> component =
      read_component_tree(YamlNode(*tree, 0), file.parent_path(), reading_.files.origin_of(file), reading_.mistakes);
  if (!component) return k_no_component;
  reading_.spec.components.push_back(*std::move(component));
  return static_cast<ComponentId>(reading_.spec.components.size() - 1);
}

Result<fs::path> find_component(const std::string& name, const ReadOptions& options) {
  const std::vector<fs::path> folders = folders_to_search(name, ".", options);
  const SourceFiles files(nullptr);
  std::vector<std::string> places;
  for (const fs::path& folder : folders) {
    const fs::path path = source_path(folder / name);
    if (std::optional<fs::path> file = component_file(files, path, Origin::disk)) return fs::path(shown(*file));
    places.push_back(ticked(path.string()));
  }
  std::string hint = is_bare(name)
                         ? "name a folder with a component.yaml, or the file; bare names are also looked up in the "
                           "folders of --component-path and MLPIPE_COMPONENT_PATH"
                         : "name a folder with a component.yaml, or the file";
  if (std::optional<std::string> near = closest(name, components_near(name, folders)))
    hint = "did you mean " + printable(*near) + "?";
  return fail_with_hint(
      ErrorCode::not_found,
      fmt::format("no component {}: {}; looked for {}", ticked(name), why_none(source_path(name)), join(places, ", ")),
      hint);
}

}  // namespace mlpipe::spec
