#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe {
namespace {

constexpr std::size_t k_max_depth = 200;

// Reads bytes and keeps count where it stands: the parser tells no position with its events.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing value - ..." without what
// is said elsewhere.
std::string reason_of(std::string text) {
  if (text.starts_with('[')) text.erase(0, std::min(text.find("] ") + 2, text.size()));
  if (text.starts_with("parse error")) text.erase(0, std::min(text.find(": ") + 2, text.size()));
  return printable(text);
}

// Fills a Value from the parser's events; bounded depth, so that neither parsing nor freeing can exhaust the stack.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(std::int64_t{value}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) return add(static_cast<double>(value));
    return add(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value::Struct{}); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value::List{}); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (stack_.back()->find(name) != nullptr) {
      error_ = fmt::format("duplicate key \"{}\"", printable(name));
      return false;
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& exception) override {
    position_ = position;  // without what was read ahead
    error_ = reason_of(exception.what());
    return false;
  }

  Value take() { return std::move(root_); }
  const std::string& error() const { return error_; }
  std::size_t position() const { return position_; }  // 0: an error of ours

 private:
  Value* place(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (stack_.back()->is_list()) return &stack_.back()->as_list().emplace_back(std::move(value));
    return &(stack_.back()->as_struct()[key_] = std::move(value));
  }
  bool add(Value value) {
    place(std::move(value));
    return true;
  }
  bool open(Value value) {
    if (stack_.size() >= k_max_depth) {
      error_ = fmt::format("nested deeper than {} levels", k_max_depth);
      return false;
    }
    stack_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  Value root_;
  std::vector<Value*> stack_;
  std::string key_;
  std::string error_;
  std::size_t position_ = 0;
};

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

void write_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  }
}

void write_string(std::string& out, const std::string& text) {
  if (!is_valid_utf8(text)) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  out += '"';
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), is_plain);
    out.append(begin, end);
    begin = end;
    if (begin != text.end()) write_escaped(out, *begin++);
  }
  out += '"';
}

struct Layout {
  int indent = -1;  // -1: all on one line
};

void new_line(std::string& out, Layout layout, int depth) {
  if (layout.indent < 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(layout.indent * depth), ' ');
}

void write(std::string& out, const Value& value, Layout layout, int depth) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_integer()) {
    out += fmt::format("{}", value.as_integer());
  } else if (value.is_double()) {
    out += std::isfinite(value.as_double()) ? number_text(value.as_double()) : "null";
  } else if (value.is_string()) {
    write_string(out, value.as_string());
  } else if (value.is_list()) {
    const Value::List& items = value.as_list();
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      new_line(out, layout, depth + 1);
      write(out, items[i], layout, depth + 1);
    }
    if (!items.empty()) new_line(out, layout, depth);
    out += ']';
  } else {
    const Value::Struct& members = value.as_struct();
    out += '{';
    bool first = true;
    for (const auto& [key, member] : members) {
      if (!first) out += ',';
      first = false;
      new_line(out, layout, depth + 1);
      write_string(out, key);
      out += layout.indent < 0 ? ":" : ": ";
      write(out, member, layout, depth + 1);
    }
    if (!members.empty()) new_line(out, layout, depth);
    out += '}';
  }
}

Failure json_failure(std::string_view what, std::string_view text, std::size_t position, std::string_view reason) {
  std::string_view before = text.substr(0, std::min(position, text.size()));
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  std::string_view on_line = before.substr(before.rfind('\n') + 1);
  auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  auto column = std::max<std::ptrdiff_t>(1, std::count_if(on_line.begin(), on_line.end(), is_start));
  return fail(ErrorCode::invalid_input, "{}:{}:{}: {}", what, line, column, reason);
}

}  // namespace

std::string to_json(const Value& value) {
  std::string out;
  write(out, value, Layout{}, 0);
  return out;
}

std::string to_pretty_json(const Value& value) {
  std::string out;
  add_pretty_json(out, value, 0);
  out += '\n';
  return out;
}

void add_pretty_json(std::string& out, const Value& value, int depth) { write(out, value, Layout{.indent = 2}, depth); }

Result<Value> parse_json(std::string_view text, std::string_view what) {
  // The parser takes a NUL byte for the end of the text.
  if (std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return json_failure(what, text, nul + 1, "a NUL byte is not allowed in JSON");
  }
  // What the parser says of it differs from version to version.
  if (trim(text).empty()) return json_failure(what, text, text.size(), "syntax error: it is empty");
  Builder builder;
  std::size_t position = 0;
  CountingIterator begin(text.data(), &position);
  CountingIterator end(text.data() + text.size(), &position);
  if (nlohmann::json::sax_parse(begin, end, &builder)) return builder.take();
  return json_failure(what, text, builder.position() > 0 ? builder.position() : position, builder.error());
}

std::string parameter_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return {};
  return to_json(value);
}

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == 0) return "0";
  if (std::fabs(number) >= 1e21 || std::fabs(number) < 1e-7) return fmt::format("{}", number);
  std::array<char, 64> text{};  // at most 22 digits before the point, or "-0." and 24 after it
  char* end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed).ptr;
  return std::string(text.data(), end);
}

}  // namespace mlpipe
