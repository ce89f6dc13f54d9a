#include <algorithm>
#include <array>
#include <fstream>

#include "metadata/open_database.hpp"
#include "metadata/reading.hpp"
#include "mlpipe/base/text.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_magic{"SQLite format 3\0", 16};

// SQLite takes what is missing of the last page for zeros. While there is a log the rest may be there.
Result<bool> ends_amid_a_page(Database& database) {
  if (has_open_log(database.file())) return false;
  const Result<std::int64_t> page = database.number("PRAGMA page_size");
  if (!page) return Failure(page.error());
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(database.file(), error);
  return !error && *page > 0 && bytes % static_cast<std::uintmax_t>(*page) != 0;
}

// The Error of a file that SQLite takes for no database, or for a damaged one: `error`, unless its beginning says more. Whatever
// has the name of the record, in a folder of ours, and is no database any more, is the record damaged. Mending never removes it.
Failure judge(const Database& database, Error error) {
  std::ifstream stream(database.file(), std::ios::binary);
  std::array<char, k_magic.size()> bytes{};
  stream.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<std::size_t>(stream.gcount()));
  if (head.empty() || head == k_magic) return Failure(std::move(error));
  return fail_with_hint(ErrorCode::io,
                        fmt::format("record {}: damaged: its beginning is lost, it is no SQLite database any more",
                                    database.file().string()),
                        k_mend_hint);
}

RecordCondition damaged_because(const fs::path& file, std::string_view why) {
  return {.kind = RecordCondition::Kind::damaged,
          .error = {ErrorCode::io, fmt::format("record {}: damaged: {}", file.string(), why), k_mend_hint}};
}

// The first row of each table, so that a table whose beginning is lost is found.
Result<> touch_tables(Database& database) {
  for (const std::string_view table :
       {"runs", "arguments", "labels", "images", "tasks", "attempts", "parameters", "artifacts", "metrics", "events"}) {
    if (Result<std::int64_t> row = database.number(fmt::format("SELECT run FROM {} LIMIT 1", table)); !row) {
      return Failure(std::move(row).error());
    }
  }
  return {};
}

// "" when SQLite finds nothing wrong with any page. It tells of several lines, the first of which only names the database.
Result<std::string> check_pages(Database& database) {
  std::string found;
  Result<> read = each_row(database, "PRAGMA quick_check(1)", [&](const Statement& row) -> Result<> {
    const std::string text(row.text(0));
    for (const std::string_view line : split(text, '\n')) {
      if (line != "ok" && !line.starts_with("*** in database") && found.empty()) found = line;
    }
    return {};
  });
  if (!read) return Failure(std::move(read).error());
  return found;
}

}  // namespace

FileLook look_at_file(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) return {};
  FileLook look{.exists = true};
  if (error) {
    look.error = fail_errno(fmt::format("record {}", file.string()), error.value()).value();
    return look;
  }
  if (!fs::is_regular_file(status)) {
    look.error = Error{ErrorCode::io,
                       fmt::format("record {}: it is {}, not a file", file.string(),
                                   fs::is_directory(status) ? "a folder" : "something special"),
                       "move it away, or choose another root with --root"};
    return look;
  }
  return look;
}

Result<SchemaState> check_record(Database& database) {
  const Result<SchemaState> state = check_schema(database);
  if (!state && database.found_damage()) return judge(database, state.error());
  if (!state) return state;
  const Result<bool> cut = ends_amid_a_page(database);
  if (!cut) return Failure(cut.error());
  return *cut ? Result<SchemaState>(damaged(database, "its end is lost")) : state;
}

bool has_open_log(const fs::path& database) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(database.string() + "-wal", error);
  return !error && bytes > 0;
}

RecordCondition examine_record(const fs::path& file, Depth depth) {
  using Kind = RecordCondition::Kind;
  const OpenedForReading opened = open_as_it_is(file);
  if (!opened.state) {
    if (opened.damaged) return {.kind = Kind::damaged, .error = opened.state.error()};
    return {.kind = Kind::unusable, .error = opened.state.error()};
  }
  if (*opened.state == SchemaState::absent) return {};
  Database& database = *opened.database;
  Result<> touched = touch_tables(database);
  if (touched && depth == Depth::whole) {
    const Result<std::string> pages = check_pages(database);
    if (!pages) {
      touched = Failure(pages.error());
    } else if (!pages->empty()) {
      return damaged_because(file, printable(*pages));
    }
  }
  if (touched) return {.kind = Kind::sound};
  return {.kind = database.found_damage() ? Kind::damaged : Kind::unusable, .error = touched.error()};
}

}  // namespace mlpipe::metadata
