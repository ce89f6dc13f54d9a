#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe {
namespace {

constexpr std::size_t k_max_depth = 200;

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
    position_ = position;
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...": keep the last part.
    std::string text = exception.what();
    std::size_t cut = text.find(": ");
    error_ = cut == std::string::npos ? text : text.substr(cut + 2);
    return false;
  }

  Value take() { return std::move(root_); }
  const std::string& error() const { return error_; }
  std::size_t position() const { return position_; }

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

void write_string(std::string& out, const std::string& text) {
  if (is_valid_utf8(text)) {
    out += '"';
    for (char c : text) {
      switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
          if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
          } else {
            out += c;
          }
      }
    }
    out += '"';
    return;
  }
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
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

}  // namespace

std::string to_json(const Value& value) {
  std::string out;
  write(out, value, Layout{}, 0);
  return out;
}

std::string to_pretty_json(const Value& value) {
  std::string out;
  write(out, value, Layout{.indent = 2}, 0);
  out += '\n';
  return out;
}

Result<Value> parse_json(std::string_view text, std::string_view what) {
  Builder builder;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return builder.take();
  std::size_t end = std::min(builder.position(), text.size());
  std::size_t line = 1;
  std::size_t column = 0;
  for (char c : text.substr(0, end)) {
    ++column;
    if (c == '\n') {
      ++line;
      column = 0;
    }
  }
  if (builder.position() == 0) return fail(ErrorCode::invalid_input, "{}: {}", what, builder.error());
  return fail(ErrorCode::invalid_input, "{}:{}:{}: {}", what, line, std::max<std::size_t>(column, 1), builder.error());
}

std::string parameter_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return {};
  return to_json(value);
}

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == std::floor(number) && std::fabs(number) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(number));
  std::string text = fmt::format("{}", number);
  if (text.find('e') == std::string::npos) return text;
  std::string plain = fmt::format("{:.20f}", number);
  if (std::fabs(number) >= 1e21 || std::fabs(number) < 1e-7) return text;
  if (plain.find('.') != std::string::npos) {
    // Shortest plain decimal that reads back as the same number.
    for (int digits = 1; digits <= 24; ++digits) {
      plain = fmt::format("{:.{}f}", number, digits);
      if (std::strtod(plain.c_str(), nullptr) == number) break;
    }
    while (plain.back() == '0') plain.pop_back();
    if (plain.back() == '.') plain.pop_back();
  }
  return plain;
}

}  // namespace mlpipe
