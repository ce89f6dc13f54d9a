#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "spec/reading.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// Finds and reads component files, each once however often it is named.
class ComponentLibrary final {
 public:
  explicit ComponentLibrary(Reading& reading) : reading_(reading) {}

  // The component that `reference` names: a folder with a component.yaml or the file, from the pipeline's folder; a bare
  // name also from the search path. k_no_component when there is none or it is wrong, which is said.
  ComponentId find(YamlNode reference);

 private:
  std::optional<std::filesystem::path> locate(YamlNode reference);
  void no_such_component(YamlNode reference);
  ComponentId load(const std::filesystem::path& file, YamlNode reference);

  Reading& reading_;
  std::unordered_map<std::string, ComponentId> by_text_;
  std::unordered_map<std::string, ComponentId> by_file_;
};

}  // namespace mlpipe::spec
