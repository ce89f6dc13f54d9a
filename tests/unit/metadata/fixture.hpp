#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metadata/database.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/metadata/record.hpp"
#include "support/record_builder.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::metadata {

inline std::unique_ptr<RunRecord> must_open(const std::filesystem::path& file) {
  Result<std::unique_ptr<RunRecord>> record = open_record(file);
  if (!record) {
    ADD_FAILURE() << record.error().message;
    return nullptr;
  }
  return std::move(*record);
}

inline std::unique_ptr<Queries> must_read(const std::filesystem::path& file, IsRunning is_running = {}) {
  Result<std::unique_ptr<Queries>> queries = open_queries(file, std::move(is_running));
  if (!queries) {
    ADD_FAILURE() << queries.error().message;
    return nullptr;
  }
  return std::move(*queries);
}

// "ok", or what SQLite finds wrong.
inline std::string integrity(const std::filesystem::path& file) {
  auto database = Database::open(file, OpenMode::read_only);
  if (!database) return database.error().message;
  auto check = (*database)->prepare("PRAGMA integrity_check");
  if (!check) return check.error().message;
  const Result<bool> row = check->step();
  return row && *row ? std::string(check->text(0)) : "no answer";
}

inline std::int64_t ask(const std::filesystem::path& file, std::string_view sql) {
  auto database = Database::open(file, OpenMode::read_only);
  if (!database) return -1;
  return (*database)->number(sql).value_or(-1);
}

// Runs `body` in a child process, which ends with its answer as exit code; 0 is good.
template <class Body>
pid_t in_child(Body&& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  return pid;
}

inline int exit_code_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace mlpipe::metadata
