#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "metadata/schema.hpp"
#include "mlpipe/metadata/rebuild.hpp"

namespace mlpipe::metadata {

// What can be told of a file without SQLite, which would answer "unable to open database file", or wait for the other end
// of a FIFO. Does not open it: closing it would let go the locks that connections of this process have on it.
struct FileLook {
  bool exists = false;
  std::optional<Error> error = {};  // it cannot be opened as a record
};
FileLook look_at_file(const std::filesystem::path& file);

// check_schema(), and whether the file ends where it should. A file that SQLite takes for no database is told apart: one that
// was a record once is damaged (Database::found_damage()), another is not ours.
Result<SchemaState> check_record(Database& database);

// A record opened for reading whatever its schema is; without a database when there is no file.
struct OpenedForReading {
  std::unique_ptr<Database> database;
  Result<SchemaState> state = SchemaState::absent;
  bool damaged = false;  // of an Error in `state`: the file is ours and damaged
};
OpenedForReading open_as_it_is(const std::filesystem::path& file, OpenMode mode = OpenMode::read_only);

}  // namespace mlpipe::metadata
