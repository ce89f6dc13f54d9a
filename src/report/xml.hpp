#pragma once

#include <string>
#include <string_view>

namespace mlpipe::report {

// `text` between double quotes of an attribute: escaped, and what XML 1.0 cannot say replaced by U+FFFD.
std::string xml_attribute(std::string_view text);
// `text` as a CDATA section (as several where it holds "]]>"), likewise with nothing in it that XML 1.0 cannot say.
std::string xml_cdata(std::string_view text);

}  // namespace mlpipe::report
