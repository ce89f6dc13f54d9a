#!/usr/bin/env python3
"""Takes the power away: what a disk may hold after it, at any moment of two runs, is resumed and checked.

    power_loss.py MLPIPE

Traces a run and one that goes on from it (and reuses its results), plays the first n file operations, drops what was not
synced (see strace_files.py for the kinds), and lets mlpipe go on from there. Before that, all that is on record as
succeeded must be on the disk; what had ended before the power went must still have.

MLPIPE_CRASH_PREFIXES: how many moments (5); 0: all. MLPIPE_CRASH_SEED: which ones (1). MLPIPE_CRASH_ONLY: kinds that
begin so.
"""
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import strace_files
import support
from check_run import Check, check_run
from support import Root, expect

PIPELINE = os.path.join(support.HERE, "power.yaml")
RUN = ["run", PIPELINE, "--engine", "process", "--run-id", "one", "--jobs", "2"]
OF_AN_ATTEMPT = re.compile(r"left over: .*/\.mlpipe/attempts/\d+/\.mlpipe-tmp-")
GO_ON = ["resume", "one", "--from", "report", "--run-id", "two", "--jobs", "2"]


def traced(root, name, arguments):
    trace = os.path.join(root.folder, name)
    done = subprocess.run(strace_files.command(trace) + [root.mlpipe, *arguments, "--root", root.path], cwd=root.folder,
                          env=root.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    expect(done.returncode == 0, f"{arguments[0]} under strace: exit code {done.returncode}")
    return strace_files.read_trace(trace)


def of_record(root, run):
    """The run's row as the record has it, looked at in a copy, for looking writes; None: it has none."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("metadata.db", "metadata.db-wal", "metadata.db-journal"):
            if os.path.exists(f"{root.path}/.mlpipe/{name}"):
                shutil.copy(f"{root.path}/.mlpipe/{name}", folder)
        if not os.path.exists(f"{folder}/metadata.db"):
            return None
        record = sqlite3.connect(f"{folder}/metadata.db")
        record.row_factory = sqlite3.Row
        try:
            if not record.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                return None
            row = record.execute("SELECT * FROM runs WHERE id = ?", [run]).fetchone()
            if row is None:
                return None
            # What the record says to have is there.
            check = Check.__new__(Check)
            check.root, check.run, check.problems, check.record, check.number = root.path, run, [], record, row["run"]
            check.integrity()
            check.artifacts(None)
            expect(not check.problems, "before it is resumed: " + "; ".join(check.problems))
            return row
        finally:
            record.close()


def go_on(root, run, arguments, had_ended):
    row = of_record(root, run)
    expect(row is not None or not had_ended, f"run {run} had ended, and is not on record")
    if row is None:
        expect(root.call(*arguments) == 0, f"run {run} does not begin anew")
    elif row["state"] == "running":
        expect(not had_ended, f"run {run} had ended, and its end is not on record")
        expect(root.call("resume", run) == 0, f"run {run} is not resumed")


def one_case(root, content, ended, digests):
    shutil.rmtree(root.path, ignore_errors=True)
    strace_files.write_state(content, root.path)
    with open(root.output, "w"):
        pass
    go_on(root, "one", RUN, ended >= 1)
    if ended >= 1:
        go_on(root, "two", GO_ON, ended >= 2)
    for run in ["one", "two"][:ended + 1]:
        # Names in an attempt's own folder are not synced: nothing reads them once it has ended.
        problems = [each for each in check_run(root.path, run, digests[run]) if not OF_AN_ATTEMPT.match(each)]
        expect(not problems, "; ".join(problems))


def main():
    mlpipe = sys.argv[1]
    if not shutil.which("strace"):
        print("no strace: skipped")
        sys.exit(77)
    count = int(os.environ.get("MLPIPE_CRASH_PREFIXES", "5"))
    seed = int(os.environ.get("MLPIPE_CRASH_SEED", "1"))
    only = os.environ.get("MLPIPE_CRASH_ONLY", "")
    failures = cases = 0
    with Root(mlpipe, watched=False) as root:
        calls = traced(root, "trace-one", RUN)
        first = len(calls)
        calls += traced(root, "trace-two", GO_ON)
        digests = {run: root.digests(run) for run in ("one", "two")}
        # Only what changes something here is a moment of its own.
        disk = strace_files.Disk(root.path)
        moments = [place + 1 for place, call in enumerate(calls) if disk.play(call)]
        print(f"{len(calls)} calls, {len(moments)} of them change the disk; MLPIPE_CRASH_SEED={seed}", flush=True)
        if count:
            chosen = random.Random(seed).sample(moments, min(count, len(moments)))
            moments = sorted({*chosen, first, len(calls)})
        disk, played, seen = strace_files.Disk(root.path), 0, set()
        for moment in moments:
            for call in calls[played:moment]:
                disk.play(call)
            played = moment
            ended = (moment >= first) + (moment >= len(calls))
            for kind, content in disk.states(random.Random(seed * 1_000_003 + moment)):
                key = (repr(content), ended)
                if not kind.startswith(only) or hash(key) in seen:
                    continue
                seen.add(hash(key))
                cases += 1
                try:
                    one_case(root, content, ended, digests)
                except (support.Broken, sqlite3.Error) as error:
                    failures += 1
                    call = calls[moment - 1]
                    kept = f"{root.folder}-{moment}-{kind.replace(' ', '-')}"
                    strace_files.write_state(content, kept)
                    print(f"FAILED after call {moment} ({call.name} {str(call.words[0])[-80:]}), {kind}: {error}")
                    print(f"  state: {kept}")
                    print("  " + open(root.output).read().replace("\n", "\n  "), flush=True)
        print(f"{len(moments)} moments, {cases} states, {failures} failures")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    begun = time.monotonic()
    code = main()
    print(f"{time.monotonic() - begun:.0f} s")
    sys.exit(code)
