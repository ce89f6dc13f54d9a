#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// Why yaml-cpp gave up. Offsets are bytes of the source.
struct YamlProblem {
  std::string_view message;  // yaml-cpp's own
  std::size_t offset;
  std::optional<std::size_t> open;   // where the innermost collection begins that is not closed yet
  std::optional<std::size_t> quote;  // where the last text before it begins, if it is in quotes
};

// Tells of it in words of ours, at the place where the mistake is likelier than where the parser found out.
void explain(const YamlProblem& problem, const YamlTree& tree, Mistakes& mistakes);

}  // namespace mlpipe::spec
