#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mlpipe/base/result.hpp"

namespace mlpipe {

// A JSON value: the one form of parameters, metadata and documents inside the program.
// Integers and doubles are told apart; an integral double prints as an integer (KFP's text form).
class Value {
 public:
  using List = std::vector<Value>;
  using Struct = std::map<std::string, Value, std::less<>>;
  using Variant = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Struct>;

  Value() : data_(nullptr) {}
  Value(std::nullptr_t) : data_(nullptr) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(std::int64_t{value}) {}
  Value(unsigned value) : data_(std::int64_t{value}) {}
  Value(std::int64_t value) : data_(value) {}
  Value(std::uint64_t value)
      : data_(value > INT64_MAX ? Variant(static_cast<double>(value)) : Variant(static_cast<std::int64_t>(value))) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(List value) : data_(std::move(value)) {}
  Value(Struct value) : data_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(data_); }
  bool is_double() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_integer() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_list() const { return std::holds_alternative<List>(data_); }
  bool is_struct() const { return std::holds_alternative<Struct>(data_); }

  // The value as the named type; asking for the wrong one is a bug and aborts.
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_double() const;  // of either kind of number
  const std::string& as_string() const;
  const List& as_list() const;
  List& as_list();
  const Struct& as_struct() const;
  Struct& as_struct();

  // The member `key` of a struct; null when this is no struct or has no such member.
  const Value* find(std::string_view key) const;
  // The member's text, number or flag, or `otherwise` when it is absent or of another kind.
  std::string text_or(std::string_view key, std::string_view otherwise) const;
  std::int64_t integer_or(std::string_view key, std::int64_t otherwise) const;
  bool bool_or(std::string_view key, bool otherwise) const;

  const Variant& variant() const { return data_; }
  // Deep equality; 1 and 1.0 are equal.
  bool operator==(const Value& other) const;

 private:
  Variant data_;
};

// Orders two numbers by their exact values, integers and doubles alike; NaN is unordered. Asking it of anything else aborts.
std::partial_ordering compare_numbers(const Value& left, const Value& right);

// Compact JSON, struct keys sorted, invalid UTF-8 replaced, integral doubles without ".0".
std::string to_json(const Value& value);
// The same over several lines, indented by two spaces, with a final newline.
std::string to_pretty_json(const Value& value);
// Adds to `out` what to_pretty_json writes for a value that is `depth` levels deep in another; no newline follows. For
// documents that are too long to be built as one value first.
void add_pretty_json(std::string& out, const Value& value, int depth);

// Parses one JSON document (RFC 8259); depth is limited to 200, duplicate keys are an error.
// `what` names the document in the message: "<what>:<line>:<column>: ...".
Result<Value> parse_json(std::string_view text, std::string_view what);

// The text a container sees for a parameter: strings raw, numbers shortest decimal without ".0",
// true/false, lists and structs compact JSON, null empty. Source: KFP.md 2.2.
std::string parameter_text(const Value& value);

// A number in shortest decimal form without exponent where it fits: "1", "0.5".
std::string number_text(double number);

}  // namespace mlpipe
