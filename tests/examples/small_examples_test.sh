#!/usr/bin/env bash
# The small examples for real: numbers, hello, flaky.
set -euo pipefail
# shellcheck source=tests/lib/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/checks.sh"

check 'numbers runs' run_example numbers n
check 'generate_data and process_data put their output where it is promised' \
  test -d "$root/runs/n/generate_data/output_data" -a -d "$root/runs/n/process_data/output_data"
check 'the numbers are squared' in_run n \
  '[int(row["square"]) for row in rows("process_data", "output_data", "squares.csv")] == [i * i for i in range(1, 11)]'
check 'the artifacts are the caller'\''s' test -O "$root/runs/n/process_data/output_data/squares.csv"
check 'numbers takes its parameter' run_example numbers n3 -p count=3
check 'as many numbers as asked for' in_run n3 'len(rows("process_data", "output_data", "squares.csv")) == 3'
check 'both runs are kept' test -d "$root/runs/n" -a -d "$root/runs/n3"

check 'hello runs' run_example hello h -p "name=the world's \"\$HOME\" & more"
check 'a value reaches the script as it is' \
  grep -qx "Hello, the world's \"\$HOME\" & more!" "$root/runs/h/greet/greeting/data"
check 'both branches did their part' in_run h \
  '(path / "shout/loud/data").read_text().isupper() and (path / "whisper/quiet/data").read_text().islower()'
check 'the letters were counted' in_run h 'run["outputs"]["letters"] == 2 * len("HellotheworldsHOMEmore")'

check 'flaky succeeds at the third attempt' run_example flaky f
check 'its attempts are counted' in_run f \
  'len(run["tasks"]["flaky"]["attempts"]) == 3 and run["tasks"]["flaky"]["outputs"]["parameters"]["attempts"] == 3'
check 'the task after it ran after it' in_run f 'times("report")[0] >= times("flaky")[1]'

too_often() {
  local code=0
  run_example flaky f9 -p failures=9 || code=$?
  ((code == 1))
}
check 'a task that fails too often fails the run with exit code 1' too_often
check 'what depends on it was not run' in_run f9 \
  'run["tasks"]["flaky"]["state"] == "failed" and run["tasks"]["report"]["state"] == "skipped"'

finish
