#!/usr/bin/env python3
"""Sets the clock by an hour, back and forth, while a run goes on (libfaketime; the monotonic clock stays as it is).

    clock.py MLPIPE [CASE...]
"""
import datetime
import glob
import os
import sys
import time

import support
from support import Root, expect

PIPELINE = """name: clock
defaults: {image: none}
tasks:
  first:
    script: |
      echo begun; until [ -e "$GO_FILE" ]; do sleep 0.05; done
    env: {GO_FILE: "GO"}
    timeout: 5m
  next:
    after: [first]
    retry: {limit: 1, backoff: 500ms}
    timeout: 5m
    script: |
      [ "$MLPIPE_ATTEMPT" != 1 ] || exit 7
  slow:
    timeout: 1s
    after: [first]
    script: sleep 60
"""


class Clock:
    def __init__(self, root, library):
        self.file = os.path.join(root.folder, "offset")
        self.set("+0s")
        root.environment.update(LD_PRELOAD=library, FAKETIME_TIMESTAMP_FILE=self.file, FAKETIME_NO_CACHE="1", NO_FAKE_STAT="1",
                                FAKETIME_DONT_FAKE_MONOTONIC="1")

    def set(self, offset):
        """Whoever reads it sees the old one or the new one."""
        with open(self.file + ".new", "w") as file:
            file.write(offset + "\n")
        os.rename(self.file + ".new", self.file)


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def is_set_in_mid_run(root, clock, run, offset):
    go = os.path.join(root.folder, "go-" + run)
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write(PIPELINE.replace('"GO"', go))
    process = root.start("run", path, "--engine", "process", "--run-id", run, "--keep-going", "--jobs", "3", "--grace", "1s")
    log = f"{root.path}/runs/{run}/first/.mlpipe/attempts/1/log"
    root.wait_for("the first task", lambda: process.poll() is not None or (os.path.exists(log) and open(log).read()))
    clock.set(offset)
    begun = time.monotonic()
    open(go, "w").close()
    expect(process.wait(support.PATIENCE) == 1, f"exit code {process.returncode}")
    expect(time.monotonic() - begun < 60, "it waited for the clock")
    shown = root.show(run)
    tasks = {task["task"]: task for task in shown["tasks"]}
    states = {name: task["state"] for name, task in tasks.items()}
    expect(states == {"first": "succeeded", "next": "succeeded", "slow": "failed"}, f"states {states}")
    expect([row["state"] for row in tasks["slow"]["attempts"]] == ["timed_out"], "slow was not timed out")
    expect([row["state"] for row in tasks["next"]["attempts"]] == ["user_exit", "succeeded"], "next was not tried twice")
    root.check(run, state="failed")
    no_negative_times(shown)
    for command in (["show", run], ["runs"], ["show", run, "next"], ["logs", run]):
        code, said = root.ask(*command)
        expect(code == 0, f"{command[0]}: exit code {code}")
        expect(" -" not in said.replace(" --", ""), f"{command[0]} tells of negative times: {said}")


def no_negative_times(value, where=""):
    for name, below in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        if isinstance(below, (int, float)) and str(name).endswith(("_ms", "seconds", "duration")):
            expect(below >= 0, f"{where}.{name} is {below}")
        no_negative_times(below, f"{where}.{name}")


def back(root, clock):
    is_set_in_mid_run(root, clock, "one", "-3600s")


def forward(root, clock):
    is_set_in_mid_run(root, clock, "one", "+3600s")


def runs_are_in_the_order_of_their_starts(root, clock):
    """Also when a later one began at an earlier time."""
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write("name: clock\ndefaults: {image: none}\ntasks:\n  work: {script: echo done}\n")
    for run, offset in (("one", "+0s"), ("two", "-3600s"), ("three", "-1800s")):
        clock.set(offset)
        expect(root.call("run", path, "--engine", "process", "--run-id", run) == 0, f"run {run} fails")
    listed = [row["run"] for row in support.json.loads(root.ask("runs", "--json")[1])["runs"]]
    expect(listed == ["three", "two", "one"], f"runs are listed as {listed}")
    expect(root.show("latest")["run"] == "three", "the latest is not the one that was started last")
    expect(root.ask("gc", "--yes", "--keep", "1")[0] == 0, "gc fails")
    expect(os.listdir(f"{root.path}/runs") == ["three"], f"gc kept {os.listdir(f'{root.path}/runs')}")


CASES = [back, forward, runs_are_in_the_order_of_their_starts]


def main():
    mlpipe, wanted = sys.argv[1], sys.argv[2:]
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        print("no libfaketime: skipped")
        sys.exit(77)
    return support.run_cases(CASES, wanted, lambda case: Root(mlpipe, watched=False),
                             lambda case, root: case(root, Clock(root, libraries[0])))


if __name__ == "__main__":
    sys.exit(main())
