#!/usr/bin/env python3
"""Lets one system call of a run fail with EIO, as a dying disk does, then resumes the run without it.

    eio.py MLPIPE

The first call of a kind, then the second, and so on until none is left to fail (strace counts them by thread). An attempt
with a sync that failed has not succeeded, the message says what was tried, the run can be resumed.

MLPIPE_CRASH_CASES: how many (8); 0: all. MLPIPE_CRASH_SEED: which ones (1). MLPIPE_CRASH_ONLY: calls that begin so.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import time

import support
from support import Root, expect

PIPELINE = os.path.join(support.HERE, "power.yaml")
RUN = ["run", PIPELINE, "--engine", "process", "--run-id", "one", "--jobs", "2"]
GO_ON = ["resume", "one", "--from", "report", "--run-id", "two", "--jobs", "2"]
# The call, the run it happens in, and about how often one thread makes it.
KINDS = [("fsync", RUN, 12), ("fdatasync", RUN, 20), ("renameat2", RUN, 1), ("pwrite64", RUN, 100),
         ("read", RUN, 1), ("syncfs", GO_ON, 1), ("linkat", GO_ON, 3), ("fdatasync", GO_ON, 16)]
# Of all that is read only this: what the task writes and mlpipe then reads to make its digest.
READ = "runs/one/source/.mlpipe/attempts/1/work/table/data"
LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)")
ATTEMPT = re.compile(r"/runs/\w+/(\w+)/\.mlpipe/attempts/(\d+)")


class Trace:
    """Which call failed, and of which attempt: that of the thread."""

    def __init__(self, path):
        attempts, begun, self.failed = {}, {}, []
        for line in open(path, errors="replace"):
            found = LINE.match(line)
            if not found:
                continue
            thread, call, rest = found.groups()
            if "unfinished" in rest:
                begun[thread] = rest
            if attempt := ATTEMPT.search(rest):
                attempts[thread] = attempt.groups()
            if "(INJECTED)" in rest:
                if "resumed>" in line:
                    rest = begun.get(thread, "") + rest
                self.failed.append((call, attempts.get(thread), rest))


def one_case(root, call, arguments, number):
    """What failed; none: the run came to its end without."""
    trace = os.path.join(root.folder, "trace")
    strace = ["strace", "-f", "-y", "-s", "0", "-o", trace, "-e", f"trace={call},mkdir", "-e", "signal=none", "-e",
              f"inject={call}:error=EIO:when={number}"]
    if call == "read":
        strace += ["-P", os.path.join(root.path, READ)]
    done = subprocess.run(strace + [root.mlpipe, *arguments, "--root", root.path], cwd=root.folder, env=root.environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    with open(root.output, "a") as out:
        print("$ mlpipe", *arguments, f"with {call} {number} failing: exit code {done.returncode}", file=out)
        print(done.stdout + done.stderr, file=out)
    said = done.stdout + done.stderr
    failed = Trace(trace).failed
    expect(done.returncode in (0, 3) or (done.returncode == 1 and failed), f"exit code {done.returncode}")
    expect(done.returncode == 0 or re.search("Input/output error|disk I/O error|I/O error", said), "it does not say why")
    return done.returncode, failed


def check_case(root, call, arguments, number, digests):
    code, failed = one_case(root, call, arguments, number)
    run = arguments[arguments.index("--run-id") + 1]
    if root.ask("show", run)[0] == 0:
        states = {(task["task"], str(row["attempt"])): row["state"]
                  for task in root.show(run)["tasks"] for row in task["attempts"]}
        for what, attempt, rest in failed:
            if what in ("fsync", "renameat2", "linkat", "syncfs", "read") and attempt:
                expect(states.get(attempt) != "succeeded", f"{attempt} succeeded, with a {what} that failed: {rest}")
    root.bring_to_end(code, run, arguments, digests)
    return failed


def main():
    mlpipe = sys.argv[1]
    if not shutil.which("strace"):
        print("no strace: skipped")
        sys.exit(77)
    count = int(os.environ.get("MLPIPE_CRASH_CASES", "8"))
    seed = int(os.environ.get("MLPIPE_CRASH_SEED", "1"))
    only = os.environ.get("MLPIPE_CRASH_ONLY", "")
    kinds = [kind for kind in KINDS if kind[0].startswith(only)]
    chance = random.Random(seed)
    cases = [(call, arguments, 1) for call, arguments, _ in kinds]
    if count:
        chosen = [kinds[each % len(kinds)] for each in range(count)]
        cases = [(call, arguments, chance.randint(1, most)) for call, arguments, most in chosen]
    failures = broken = 0
    with Root(mlpipe, watched=False) as usual:
        expect(usual.call(*RUN) == 0, "the undisturbed run fails")
        kept = os.path.join(usual.folder, "kept")
        shutil.copytree(usual.path, kept, symlinks=True)
        expect(usual.call(*GO_ON) == 0, "the undisturbed second run fails")
        digests = usual.digests("one")
        for call, arguments, number in cases:
            begun = time.monotonic()
            shutil.rmtree(usual.path)
            if arguments is GO_ON:
                shutil.copytree(kept, usual.path, symlinks=True)
            open(usual.output, "w").close()
            try:
                failed = check_case(usual, call, arguments, number, digests)
                broken += bool(failed)
                if failed and not count:
                    cases.append((call, arguments, number + 1))
                print(f"{arguments[0]}, {call} {number}: {len(failed)} failed, {time.monotonic() - begun:.1f} s", flush=True)
            except support.Broken as error:
                failures += 1
                print(f"FAILED {arguments[0]}, {call} {number}: {error}")
                print("  " + open(usual.output).read().replace("\n", "\n  "), flush=True)
    print(f"{len(cases)} cases, {broken} with a call that failed, {failures} failures")
    return 1 if failures or not broken else 0


if __name__ == "__main__":
    sys.exit(main())
