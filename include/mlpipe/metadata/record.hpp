#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mlpipe/engine/ports.hpp"
#include "mlpipe/metadata/results.hpp"

namespace mlpipe::metadata {

// What is known of a run when it begins.
struct RunStart {
  std::string id;
  std::string root;
  std::string spec_digest;
  std::string spec_file;
  std::string command_line;
  std::string mlpipe_version;
  std::string engine;  // EngineInfo::name
  std::string host;
  std::string git_commit;  // of the pipeline's folder; empty when it is in none
  bool git_dirty = false;
  WallTime created{};
  std::string parent = {};                         // id of the run this one goes on from
  Value options = Value::Struct{};                 // how it was started
  std::map<std::string, std::string> labels = {};  // beside the pipeline's own
  std::string experiment = {};
};

// The SQLite record of one run: an engine::Record that writes to `<root>/.mlpipe/metadata.db` (WAL, synchronous FULL).
class RunRecord : public engine::Record, public ResultSearch {
 public:
  // Run, tasks and arguments in one transaction. A run of that id exists: conflict. Borrows `plan` until the record goes.
  virtual Result<> begin(const RunStart& start, const plan::Plan& plan) = 0;
  // Goes on with the run `run_id`, whose tasks are those of `plan`, from where its last owner left it (engine::Recovered):
  // the states of tasks that did not succeed or fail are forgotten, which the run's events tell. Caller holds the run's lock.
  virtual Result<> resume(const std::string& run_id, const plan::Plan& plan, WallTime at) = 0;
  // The images resolved for the run. `reference` as TaskRow::image has it: the image as written, or the folder it is built from.
  struct ResolvedImage {
    std::string reference;
    std::string id;
    std::string digest;
    std::string made_of = {};  // of one that was built: what it is made of, for people who ask why it changed
  };
  // `named`: images, by their references, of tasks whose component does not say which it is.
  virtual Result<> record_images(const std::vector<ResolvedImage>& images,
                                 const std::map<plan::TaskId, std::string>& named = {}) = 0;
  // What the run rests on (Premises). finish() records it with the end of a run that succeeded, in place of what an earlier
  // one rested on that was `asked` for alike.
  virtual void keep_premises(std::string asked, std::string text) = 0;
};

// Opens or creates the database; migrates an older schema in one transaction. A newer schema, a foreign or a corrupt file:
// an Error that names the file and says what to do; it is not touched. Full disk: no_space.
Result<std::unique_ptr<RunRecord>> open_record(const std::filesystem::path& database);

// Ends a run that nobody runs any more as cancelled, its unfinished tasks and attempts too. Caller holds the run's lock.
Result<> cancel_interrupted(const std::filesystem::path& database, const std::string& run_id, WallTime at);

}  // namespace mlpipe::metadata
