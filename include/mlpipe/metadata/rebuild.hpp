#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/engine/failpoint.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/record.hpp"

// Finding out whether a record is sound, and making one anew from what the folders of the runs say.
namespace mlpipe::metadata {

struct RecordCondition {
  enum class Kind {
    absent,  // there is no file, or an empty one
    sound,
    damaged,   // it is ours, and cannot be relied on
    unusable,  // it is not ours to judge: another program's, a newer mlpipe's, not readable
  };
  Kind kind = Kind::absent;
  Error error = {};  // of the last two
};

// How much of a file is looked at: its beginning, schema and one row of each table; or every page (the whole file is read).
enum class Depth { quick, whole };

// What is the matter with the record, if anything. Writes nothing to it; works beside a writer.
RecordCondition examine_record(const std::filesystem::path& database, Depth depth);

// Did the last that wrote to the record end before it could close it? Also true while somebody writes.
bool has_open_log(const std::filesystem::path& database);

// All that is recorded of one run.
struct RecordedRun {
  RunRow run;                  // its counts are made from the tasks
  std::vector<TaskRow> tasks;  // in the order of the plan
  std::vector<RunRecord::ResolvedImage> images;
  std::vector<EventRow> events;
  std::map<std::string, std::string> fingerprints;  // what they were made of
};

// A record that is made beside the one there is and takes its place at the end, in one step: whenever the process is
// killed, the old one or the new one is there. While the object lives nobody opens the record for writing: they wait.
class RecordRebuild {
 public:
  virtual ~RecordRebuild() = default;
  // Adds a run, which is newer than those before; all of it or, with an Error, nothing.
  virtual Result<> add(const RecordedRun& run) = 0;
  // Takes the place of the old record, which stays beside it as "<database>.<suffix>" with its log. Gives that path, or none
  // when there was no old one. Nothing can be added afterwards.
  virtual Result<std::filesystem::path> put_in_place(std::string_view suffix) = 0;
};

// The places a test may make it fail at: rebuild.begun, rebuild.written, rebuild.ready, rebuild.kept, rebuild.log_moved,
// rebuild.placed.
std::vector<std::string> rebuild_failpoint_names();

Result<std::unique_ptr<RecordRebuild>> begin_rebuild(const std::filesystem::path& database,
                                                     const engine::Failpoint& failpoint = {});

}  // namespace mlpipe::metadata
