#include "mlpipe/metadata/queries.hpp"

#include "metadata/read_events.hpp"
#include "metadata/read_history.hpp"
#include "metadata/read_lineage.hpp"
#include "metadata/read_premises.hpp"
#include "metadata/read_results.hpp"
#include "metadata/read_runs.hpp"
#include "metadata/read_tasks.hpp"
#include "metadata/schema.hpp"
#include "metadata/select_runs.hpp"

namespace mlpipe::metadata {
namespace {

// Each answer is of one moment: a read transaction around the readers of the tables.
class SqliteQueries final : public Queries {
 public:
  SqliteQueries(std::unique_ptr<Database> database, IsRunning is_running)
      : database_(std::move(database)), is_running_(std::move(is_running)) {}

  Result<std::vector<RunRow>> runs(std::size_t limit) override {
    return snapshot([&] { return run_reader().newest(limit); });
  }

  Result<std::vector<SelectedRun>> select_runs(const RunSelection& selection) override {
    return snapshot([&] { return metadata::select_runs(*database_, is_running_, selection); });
  }

  Result<RunRow> find_run(const std::string& reference) override {
    return snapshot([&] { return run_reader().find(reference); });
  }

  Result<std::vector<TaskRow>> tasks(const std::string& run_id) override {
    return snapshot([&]() -> Result<std::vector<TaskRow>> {
      const Result<std::int64_t> run = run_reader().number_of(run_id);
      if (!run) return Failure(run.error());
      return read_tasks(*database_, *run);
    });
  }

  Result<std::vector<engine::Artifact>> kept_outputs(const std::string& run_id) override {
    return snapshot([&]() -> Result<std::vector<engine::Artifact>> {
      const Result<std::int64_t> run = run_reader().number_of(run_id);
      if (!run) return Failure(run.error());
      return read_kept_outputs(*database_, *run);
    });
  }

  Result<std::optional<Premises>> premises(const std::string& asked) override {
    return snapshot([&] { return read_premises(*database_, asked); });
  }

  Result<std::vector<EventRow>> events(const std::string& run_id, const std::string& task,
                                       std::int64_t after) override {
    return snapshot([&]() -> Result<std::vector<EventRow>> {
      const Result<std::int64_t> run = run_reader().number_of(run_id);
      if (!run) return Failure(run.error());
      return read_events(*database_, *run, task, after);
    });
  }

  Result<std::vector<Making>> makings(const MakingQuery& query) override {
    return snapshot([&] { return read_makings(*database_, query); });
  }

  Result<std::optional<Making>> making_of(const std::string& run_id, const std::string& task) override {
    return snapshot([&]() -> Result<std::optional<Making>> {
      const Result<std::int64_t> run = run_reader().number_of(run_id);
      if (!run) return Failure(run.error());
      return read_making_of(*database_, *run, task);
    });
  }

  Result<std::vector<std::string>> digests(const std::string& prefix, std::size_t limit) override {
    return snapshot([&] { return read_digests(*database_, prefix, limit); });
  }

  Result<std::vector<OutputPlace>> outputs_at(const std::string& uri) override {
    return snapshot([&] { return read_outputs_at(*database_, uri); });
  }

  Result<std::vector<StoredResult>> results(const std::string& fingerprint, std::size_t limit) override {
    if (!results_) {
      Result<ResultReader> reader = ResultReader::prepare(*database_);
      if (!reader) return Failure(std::move(reader).error());
      results_ = std::move(*reader);
    }
    return snapshot([&] { return results_->find(fingerprint, limit); });
  }

  void look_afresh() override {}  // each answer is

  Result<std::optional<std::string>> fingerprint_text(const std::string& fingerprint) override {
    return snapshot([&] { return read_fingerprint_text(*database_, fingerprint); });
  }

  Result<std::optional<std::string>> made_of(const std::string& run_id, const std::string& reference) override {
    return snapshot([&] { return read_build(*database_, run_id, reference); });
  }

  Result<std::optional<Making>> earlier_making(const std::string& run_id, const std::string& task,
                                               Comparable comparable) override {
    return snapshot([&]() -> Result<std::optional<Making>> {
      const Result<std::int64_t> run = run_reader().number_of(run_id);
      if (!run) return Failure(run.error());
      return read_earlier_making(*database_, *run, task, comparable);
    });
  }

  Result<std::map<std::string, std::chrono::milliseconds>> usual_durations(const std::string& pipeline,
                                                                           std::size_t most) override {
    return snapshot([&] { return read_usual_durations(*database_, pipeline, most); });
  }

  Result<std::map<std::string, NewestResult>> newest_results(const std::string& pipeline) override {
    return snapshot([&] { return read_newest_results(*database_, pipeline); });
  }

 private:
  template <class Body>
  auto snapshot(Body&& body) -> decltype(body()) {
    Result<Transaction> transaction = Transaction::begin(*database_, Transaction::Kind::read);
    if (!transaction) return Failure(std::move(transaction).error());
    return body();
  }
  RunReader run_reader() { return {*database_, is_running_}; }

  std::unique_ptr<Database> database_;
  IsRunning is_running_;
  std::optional<ResultReader> results_;  // made when it is asked
};

}  // namespace

Result<std::unique_ptr<Queries>> open_queries(const std::filesystem::path& file, IsRunning is_running) {
  Result<std::unique_ptr<Database>> database = open_for_reading(file);
  if (!database) return Failure(std::move(database).error());
  return std::make_unique<SqliteQueries>(std::move(*database), std::move(is_running));
}

Result<std::unique_ptr<Queries>> open_queries_without_trace(const std::filesystem::path& file, IsRunning is_running) {
  Result<std::unique_ptr<Database>> database = open_without_trace(file);
  if (!database) return Failure(std::move(database).error());
  return std::make_unique<SqliteQueries>(std::move(*database), std::move(is_running));
}

}  // namespace mlpipe::metadata
