-- The record of one pipeline root, version 4. Times are milliseconds since 1970 (UTC); states are the words of
-- engine/state.hpp and engine/values.hpp; parameter values and metadata are JSON.
--
-- Everything of a run is clustered by the run's number, so that reading one run is one range of each table. `run` grows:
-- the newest run has the greatest, whatever the clock said.

CREATE TABLE runs (
  run            INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  pipeline       TEXT    NOT NULL,
  state          TEXT    NOT NULL,              -- running, succeeded, failed, cancelled
  created        INTEGER NOT NULL,
  finished       INTEGER,
  root           TEXT    NOT NULL,              -- pipeline root
  spec_file      TEXT    NOT NULL,
  spec_digest    TEXT    NOT NULL,
  command_line   TEXT    NOT NULL,
  mlpipe_version TEXT    NOT NULL,
  engine         TEXT    NOT NULL,
  host           TEXT    NOT NULL,
  git_commit     TEXT    NOT NULL,              -- '' when the pipeline is in no repository
  git_dirty      INTEGER NOT NULL,
  tasks          INTEGER NOT NULL,
  -- How many of them are in each state; changed in the transaction that changes tasks.state.
  waiting        INTEGER NOT NULL,
  ready          INTEGER NOT NULL DEFAULT 0,
  starting       INTEGER NOT NULL DEFAULT 0,
  running        INTEGER NOT NULL DEFAULT 0,
  stopping       INTEGER NOT NULL DEFAULT 0,
  retry_wait     INTEGER NOT NULL DEFAULT 0,
  succeeded      INTEGER NOT NULL DEFAULT 0,
  failed         INTEGER NOT NULL DEFAULT 0,
  skipped        INTEGER NOT NULL DEFAULT 0,
  cancelled      INTEGER NOT NULL DEFAULT 0,
  deferred       INTEGER NOT NULL DEFAULT 0,
  cached         INTEGER NOT NULL DEFAULT 0,    -- of those that succeeded: by an earlier run's result
  parent         TEXT    NOT NULL DEFAULT '',   -- id of the run this one goes on from
  options        TEXT    NOT NULL DEFAULT '{}', -- JSON: how it was started, as `mlpipe resume` needs it
  experiment     TEXT    NOT NULL DEFAULT '',
  note           TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX runs_by_pipeline ON runs (pipeline, run);

-- The pipeline's parameters as the run had them, defaults filled in.
CREATE TABLE arguments (
  run   INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  name  TEXT    NOT NULL,
  value TEXT    NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
  run   INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  name  TEXT    NOT NULL,
  value TEXT    NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- What each image reference stood for during the run.
CREATE TABLE images (
  run       INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  reference TEXT    NOT NULL,                   -- as written
  id        TEXT    NOT NULL,
  digest    TEXT    NOT NULL,                   -- '' for an image that was built or loaded
  made_of   TEXT    NOT NULL DEFAULT '',        -- of one that was built: the key of builds; '' when that is not known
  PRIMARY KEY (run, reference)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  run       INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  task      INTEGER NOT NULL,                   -- its number in the plan
  path      TEXT    NOT NULL,
  component TEXT    NOT NULL,
  image     TEXT    NOT NULL,                   -- as written; '' for an importer
  state     TEXT    NOT NULL,
  reason    TEXT    NOT NULL,                   -- why skipped, cancelled or failed
  cached_from TEXT  NOT NULL DEFAULT '',        -- the run whose result stands for its own
  removed   INTEGER NOT NULL DEFAULT 0,         -- 1: its artifacts' payload was taken away (keep: false, gc)
  PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;

-- A task whose result came from the cache has one row, attempt 0, state cached; `finished` is when the result was made.
CREATE TABLE attempts (
  run        INTEGER NOT NULL,
  task       INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  container  TEXT    NOT NULL,                  -- its name; recorded before it is created
  state      TEXT    NOT NULL,                  -- starting, running, stopping, or how it ended
  exit_code  INTEGER,
  oom_killed INTEGER NOT NULL DEFAULT 0,
  message    TEXT    NOT NULL DEFAULT '',
  hint       TEXT    NOT NULL DEFAULT '',
  started    INTEGER NOT NULL,                  -- handed to the runner
  running    INTEGER,                           -- its container ran
  finished   INTEGER,
  fingerprint TEXT   NOT NULL DEFAULT '',
  why        TEXT    NOT NULL DEFAULT '',       -- why it ran although there is a cache
  stop_reason TEXT   NOT NULL DEFAULT '',       -- timed_out, cancelled: since it was asked to end
  memory     INTEGER NOT NULL DEFAULT 0,        -- bytes it may have; 0: no limit
  PRIMARY KEY (run, task, attempt),
  FOREIGN KEY (run, task) REFERENCES tasks ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint) WHERE fingerprint <> '' AND state IN ('succeeded', 'cached');

-- What images that mlpipe built are made of (runner/build_context.hpp).
CREATE TABLE builds (
  made_of TEXT PRIMARY KEY,                     -- SHA-256 of the text
  text    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What the newest run that succeeded of those that were asked for alike rests on, so that `run --if-changed` can tell
-- whether another one would give anything new (app/premises.hpp).
CREATE TABLE premises (
  asked TEXT PRIMARY KEY,                       -- SHA-256 of how it was asked for
  run   INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  text  TEXT NOT NULL                           -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX premises_by_run ON premises (run);

-- What fingerprints were made of (plan/fingerprint.hpp).
CREATE TABLE fingerprints (
  fingerprint TEXT PRIMARY KEY,
  text        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parameters (
  run       INTEGER NOT NULL,
  task      INTEGER NOT NULL,
  attempt   INTEGER NOT NULL,
  direction TEXT    NOT NULL CHECK (direction IN ('input', 'output')),
  name      TEXT    NOT NULL,
  value     TEXT    NOT NULL,
  is_default INTEGER NOT NULL DEFAULT 0,        -- 1: the task did not give this input; it is the component's default
  PRIMARY KEY (run, task, attempt, direction, name),
  FOREIGN KEY (run, task, attempt) REFERENCES attempts ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- An attempt's output and another attempt's input are the same artifact when digest and URI are the same.
CREATE TABLE artifacts (
  run       INTEGER NOT NULL,
  task      INTEGER NOT NULL,
  attempt   INTEGER NOT NULL,
  direction TEXT    NOT NULL CHECK (direction IN ('input', 'output')),
  name      TEXT    NOT NULL,                   -- of the input or output
  artifact  TEXT    NOT NULL,                   -- the artifact's own name
  type      TEXT    NOT NULL,
  uri       TEXT    NOT NULL,
  digest    TEXT    NOT NULL,
  bytes     INTEGER NOT NULL,
  is_folder INTEGER NOT NULL,
  metadata  TEXT    NOT NULL,
  PRIMARY KEY (run, task, attempt, direction, name),
  FOREIGN KEY (run, task, attempt) REFERENCES attempts ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_by_digest ON artifacts (digest);

-- The numbers of Metrics artifacts that were put out.
CREATE TABLE metrics (
  run      INTEGER NOT NULL,
  task     INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  artifact TEXT    NOT NULL,                    -- the output
  name     TEXT    NOT NULL,
  value    REAL    NOT NULL,
  PRIMARY KEY (run, task, attempt, artifact, name),
  FOREIGN KEY (run, task, attempt) REFERENCES attempts ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Every transition of a task, and with no task those of the run itself, in order.
CREATE TABLE events (
  run        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  event      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  task       INTEGER,
  attempt    INTEGER NOT NULL,
  from_state TEXT    NOT NULL,
  to_state   TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  retry_in   INTEGER,                           -- milliseconds, when it waits to be tried again
  PRIMARY KEY (run, event)
) STRICT, WITHOUT ROWID;
