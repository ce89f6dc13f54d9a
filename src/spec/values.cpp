#include "mlpipe/spec/values.hpp"

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "spec/node_reader.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::uint64_t k_max_bytes = 16U << 20U;

}  // namespace

Result<Value> read_values(const std::filesystem::path& path) {
  Result<std::string> text = sys::read_file(path, k_max_bytes);
  if (!text) return Failure(text.error());
  if (trim(*text).empty()) return Value(Value::Struct{});
  const std::vector<SourceFile> sources{{.name = path.string(), .text = std::move(*text)}};
  Mistakes mistakes;
  std::optional<Value> value;
  if (std::optional<YamlTree> tree = load_yaml(sources.front().text, 0, mistakes)) {
    value = read_value(YamlNode(*tree, 0), mistakes);
  }
  if (value && !mistakes.any_error()) return std::move(*value);
  std::string rendered = render(mistakes.take(), sources);
  return fail(ErrorCode::invalid_input, "{}", trim(rendered));
}

}  // namespace mlpipe::spec
