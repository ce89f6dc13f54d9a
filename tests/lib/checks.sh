# shellcheck shell=bash
#
# For tests of the program from outside: a fresh pipeline root, one line per check, 'N passed, N failed' at the end.
# Sourced; the test then calls finish as its last command.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
mlpipe="${MLPIPE:-$repo/build/release/mlpipe}"
good=0
bad=0

if [[ ! -x $mlpipe ]]; then
  echo "error: $mlpipe is not there; build it, or name it with MLPIPE=" >&2
  exit 3
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/mlpipe test.XXXXXX")  # with a space: every path in the program must stand it
trap 'rm -rf "$root"' EXIT

# check WHAT COMMAND...: passes when the command succeeds; its output is shown only when it fails.
check() {
  local what="$1" output
  shift
  if output=$("$@" 2>&1); then
    good=$((good + 1))
    echo "ok      $what"
  else
    bad=$((bad + 1))
    echo "FAILED  $what"
    printf '%s\n' "$output" | tail -n 30 | sed 's/^/    | /'
  fi
}

# run_example NAME RUN-ID [OPTION...]: its own output goes to $root/<run-id>.log.
run_example() {
  local name="$1" id="$2" code=0
  shift 2
  "$mlpipe" run "$repo/examples/$name/pipeline.yaml" --root "$root" --run-id "$id" "$@" \
    >"$root/$id.log" 2>&1 </dev/null || code=$?
  if ((code != 0)); then tail -n 60 "$root/$id.log"; fi
  return "$code"
}

# in_run RUN-ID PYTHON: evaluates an expression that must be true. It may use: run (run.json, its tasks by path), path (the run's folder),
# numbers(TASK, OUTPUT) (a Metrics artifact), rows(TASK, OUTPUT, FILE) (a CSV file as a list of dicts) and
# times(TASK) (when its last attempt's container ran, and when it had finished; seconds).
in_run() {
  python3 - "$root" "$1" "$2" <<'EOT'
import csv, json, pathlib, sqlite3, sys
root, run_id, expression = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
path = root / "runs" / run_id
run = json.loads((path / "run.json").read_text())
run["tasks"] = {task["task"]: task for task in run["tasks"]}

def numbers(task, output):
    return json.loads((path / task / output / "data").read_text())

def rows(task, output, file):
    with open(path / task / output / file, newline="") as text:
        return list(csv.DictReader(text))

def times(task):
    with sqlite3.connect(f"file:{root}/.mlpipe/metadata.db?mode=ro", uri=True) as record:
        found = record.execute(
            "SELECT a.running, a.finished FROM attempts a JOIN tasks t USING (run, task) JOIN runs r USING (run) "
            "WHERE r.id = ? AND t.path = ? ORDER BY a.attempt DESC", (run_id, task)).fetchone()
    return found[0] / 1000, found[1] / 1000

value = eval(f"({expression})")
if not value:
    print(f"not so: {expression}")
    sys.exit(1)
EOT
}

finish() {
  echo "$good passed, $bad failed"
  ((bad == 0))
}
