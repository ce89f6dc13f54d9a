#include "mlpipe/base/value.hpp"

#include <cmath>

#include "mlpipe/base/assert.hpp"

namespace mlpipe {
namespace {

template <class T>
const T& checked(const Value::Variant& data) {
  const T* value = std::get_if<T>(&data);
  MLPIPE_ASSERT(value != nullptr);
  return *value;
}

// Converting the integer would lose digits beyond 2^53: the double's whole part is compared as an integer instead.
std::partial_ordering order(std::int64_t integer, double number) {
  if (std::isnan(number)) return std::partial_ordering::unordered;
  if (number >= 0x1p63) return std::partial_ordering::less;
  if (number < -0x1p63) return std::partial_ordering::greater;
  double whole = std::floor(number);
  if (std::partial_ordering coarse = integer <=> static_cast<std::int64_t>(whole); coarse != 0) return coarse;
  return whole <=> number;
}

}  // namespace

bool Value::as_bool() const { return checked<bool>(data_); }
std::int64_t Value::as_integer() const { return checked<std::int64_t>(data_); }
double Value::as_double() const { return is_integer() ? static_cast<double>(as_integer()) : checked<double>(data_); }
const std::string& Value::as_string() const { return checked<std::string>(data_); }
const Value::List& Value::as_list() const { return checked<List>(data_); }
Value::List& Value::as_list() { return const_cast<List&>(checked<List>(data_)); }
const Value::Struct& Value::as_struct() const { return checked<Struct>(data_); }
Value::Struct& Value::as_struct() { return const_cast<Struct&>(checked<Struct>(data_)); }

const Value* Value::find(std::string_view key) const {
  const Struct* members = std::get_if<Struct>(&data_);
  if (members == nullptr) return nullptr;
  auto found = members->find(key);
  return found == members->end() ? nullptr : &found->second;
}

std::string Value::text_or(std::string_view key, std::string_view otherwise) const {
  const Value* member = find(key);
  return member != nullptr && member->is_string() ? member->as_string() : std::string(otherwise);
}

std::int64_t Value::integer_or(std::string_view key, std::int64_t otherwise) const {
  const Value* member = find(key);
  return member != nullptr && member->is_integer() ? member->as_integer() : otherwise;
}

bool Value::bool_or(std::string_view key, bool otherwise) const {
  const Value* member = find(key);
  return member != nullptr && member->is_bool() ? member->as_bool() : otherwise;
}

bool Value::operator==(const Value& other) const {
  if (is_number() && other.is_number()) return compare_numbers(*this, other) == 0;
  return data_ == other.data_;
}

std::partial_ordering compare_numbers(const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) return left.as_integer() <=> right.as_integer();
  if (left.is_integer()) return order(left.as_integer(), right.as_double());
  if (right.is_integer()) return 0 <=> order(right.as_integer(), left.as_double());
  return left.as_double() <=> right.as_double();
}

}  // namespace mlpipe
