#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlpipe::spec {

// A place in one of the files a pipeline was read from. Lines and columns (in code points) count from 1; line 0: nowhere.
struct Where {
  std::uint32_t line = 0;
  std::uint16_t column = 0;
  std::uint16_t file = 0;  // index into PipelineSpec::sources
  bool operator==(const Where&) const = default;
};

// A file as it was read: its name as the user knows it and its exact text.
struct SourceFile {
  std::string name;
  std::string text;
  std::string path = {};  // absolute, lexically normal; empty for text that is in no file
};

enum class Severity { warning, error };

// One mistake of the user's: what is wrong, where, and what to do about it.
struct Diagnostic {
  Severity severity = Severity::error;
  Where where;
  std::string message;
  std::string hint;
  bool operator==(const Diagnostic&) const = default;
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

// By file, line and column; those at one place stay in their order.
void sort_by_place(Diagnostics& diagnostics);

// For people: "file:line:column: error: message", the source line with a caret below it, "  hint: ...".
// Sorted by place; ends with a newline; "" for no diagnostics.
std::string render(const Diagnostics& diagnostics, const std::vector<SourceFile>& sources);

}  // namespace mlpipe::spec
