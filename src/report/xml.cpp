#include "report/xml.hpp"

#include "report/utf8.hpp"

namespace mlpipe::report {
namespace {

bool is_xml_character(char32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return code != 0xFFFE && code != 0xFFFF;
}

// `text` with what is no XML 1.0 character replaced.
std::string legal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint next = decode(text);
    if (next.valid && is_xml_character(next.code)) {
      out += text.substr(0, next.length);
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(next.length);
  }
  return out;
}

}  // namespace

std::string xml_attribute(std::string_view text) {
  std::string out;
  for (char c : legal(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\n': out += "&#10;"; break;
      case '\r': out += "&#13;"; break;
      case '\t': out += "&#9;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string xml_cdata(std::string_view text) {
  std::string body = legal(text);
  for (std::size_t at = body.find("]]>"); at != std::string::npos; at = body.find("]]>", at)) {
    constexpr std::string_view k_split = "]]]]><![CDATA[>";
    body.replace(at, 3, k_split);
    at += k_split.size();
  }
  return "<![CDATA[" + body + "]]>";
}

}  // namespace mlpipe::report
