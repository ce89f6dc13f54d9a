#include "mlpipe/spec/model.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

template <class Spec>
const Spec* find_named(const std::vector<Spec>& specs, std::string_view name) {
  auto found = std::find_if(specs.begin(), specs.end(), [&](const Spec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

std::string_view kind_of(const Value& value) {
  if (value.is_null()) return "nothing";
  if (value.is_bool()) return "a Boolean";
  if (value.is_integer()) return "an Integer";
  if (value.is_double()) return "a Float";
  if (value.is_string()) return "a String";
  return value.is_list() ? "a List" : "a Struct";
}

Failure unfit(const Value& value, ParameterType type) {
  std::string shown = value.is_null() ? "nothing" : fmt::format("{}, {}", kind_of(value), shorten(to_json(value), 60));
  return fail(ErrorCode::invalid_input, "expected {}, got {}", to_string(type), shown);
}

Failure unparsed(std::string_view text, ParameterType type, std::string_view form) {
  return fail(ErrorCode::invalid_input, "expected {} ({}), got \"{}\"", to_string(type), form, shorten(trim(text), 60));
}

bool is_exact_integer(double number) { return std::trunc(number) == number && std::abs(number) <= 9007199254740992.0; }

Result<Value> parse_integer(std::string_view text) {
  std::string_view digits = trim(text);
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) {
    return fail(ErrorCode::invalid_input, "{} does not fit into an Integer (64 bits)", shorten(digits, 60));
  }
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return unparsed(text, ParameterType::integer, "a whole number");
  }
  return Value(number);
}

Result<Value> parse_floating(std::string_view text) {
  std::string_view digits = trim(text);
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  double number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) {
    return fail(ErrorCode::invalid_input, "{} does not fit into a Float", shorten(digits, 60));
  }
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return unparsed(text, ParameterType::floating, "a number");
  }
  if (!std::isfinite(number)) return unparsed(text, ParameterType::floating, "a finite number");
  return Value(number);
}

Result<Value> parse_boolean(std::string_view text) {
  std::string word = to_lower(trim(text));
  constexpr std::string_view k_true[] = {"true", "t", "yes", "y", "on", "1"};
  constexpr std::string_view k_false[] = {"false", "f", "no", "n", "off", "0"};
  if (std::find(std::begin(k_true), std::end(k_true), word) != std::end(k_true)) return Value(true);
  if (std::find(std::begin(k_false), std::end(k_false), word) != std::end(k_false)) return Value(false);
  return unparsed(text, ParameterType::boolean, "true or false");
}

Result<Value> parse_document(std::string_view text, ParameterType type) {
  Result<Value> value = parse_json(text, to_string(type));
  if (!value) return within("not valid JSON", std::move(value).error());
  return coerce(*value, type);
}

}  // namespace

std::string_view to_string(ParameterType type) {
  constexpr std::string_view k_names[] = {"String", "Integer", "Float", "Boolean", "List", "Struct"};
  return k_names[static_cast<std::size_t>(type)];
}

const ParameterSpec* Interface::input_parameter(std::string_view name) const {
  return find_named(input_parameters, name);
}
const ArtifactSpec* Interface::input_artifact(std::string_view name) const { return find_named(input_artifacts, name); }
const ParameterSpec* Interface::output_parameter(std::string_view name) const {
  return find_named(output_parameters, name);
}
const ArtifactSpec* Interface::output_artifact(std::string_view name) const {
  return find_named(output_artifacts, name);
}

Result<Value> coerce(const Value& value, ParameterType type) {
  if (value.is_null()) return unfit(value, type);
  switch (type) {
    case ParameterType::string: return value.is_string() ? value : Value(parameter_text(value));
    case ParameterType::integer:
      // JSON has one kind of number: compiled pipelines write 3.0 where they mean 3.
      if (value.is_double() && is_exact_integer(value.as_double())) {
        return Value(static_cast<std::int64_t>(value.as_double()));
      }
      if (value.is_integer()) return value;
      break;
    case ParameterType::floating:
      if (value.is_number()) return Value(value.as_double());
      break;
    case ParameterType::boolean:
      if (value.is_bool()) return value;
      break;
    case ParameterType::list:
      if (value.is_list()) return value;
      break;
    case ParameterType::structure:
      if (value.is_struct()) return value;
      break;
  }
  return unfit(value, type);
}

Result<Value> parse_parameter(std::string_view text, ParameterType type) {
  switch (type) {
    case ParameterType::string: return Value(text);
    case ParameterType::integer: return parse_integer(text);
    case ParameterType::floating: return parse_floating(text);
    case ParameterType::boolean: return parse_boolean(text);
    case ParameterType::list:
    case ParameterType::structure: return parse_document(text, type);
  }
  return fail(ErrorCode::internal, "no such parameter type");
}

std::optional<std::string> artifact_type_of(std::string_view name) {
  constexpr std::string_view k_titles[] = {
      "Artifact", "Dataset", "Model", "Metrics", "ClassificationMetrics", "SlicedClassificationMetrics",
      "HTML",     "Markdown"};
  if (name.starts_with("google.") && name.size() > 7) return std::string(name);
  if (name.starts_with("system.")) name.remove_prefix(7);
  for (std::string_view title : k_titles) {
    if (to_lower(title) == to_lower(name)) return fmt::format("system.{}", title);
  }
  return std::nullopt;
}

std::optional<ParameterType> parameter_type_of(std::string_view name) {
  struct Synonym {
    std::string_view name;
    ParameterType type;
  };
  constexpr Synonym k_synonyms[] = {{"string", ParameterType::string},
                                    {"str", ParameterType::string},
                                    {"text", ParameterType::string},
                                    {"integer", ParameterType::integer},
                                    {"int", ParameterType::integer},
                                    {"number_integer", ParameterType::integer},
                                    {"float", ParameterType::floating},
                                    {"double", ParameterType::floating},
                                    {"number_double", ParameterType::floating},
                                    {"boolean", ParameterType::boolean},
                                    {"bool", ParameterType::boolean},
                                    {"list", ParameterType::list},
                                    {"jsonarray", ParameterType::list},
                                    {"struct", ParameterType::structure},
                                    {"dict", ParameterType::structure},
                                    {"jsonobject", ParameterType::structure}};
  std::string lower = to_lower(name);
  for (const Synonym& synonym : k_synonyms) {
    if (synonym.name == lower) return synonym.type;
  }
  return std::nullopt;
}

bool artifact_fits(std::string_view from, std::string_view to) {
  return from == to || from == "system.Artifact" || to == "system.Artifact";
}

}  // namespace mlpipe::spec
