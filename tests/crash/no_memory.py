#!/usr/bin/env python3
"""Lets memory run out at one allocation of mlpipe, or from there on, then goes on with enough of it.

    no_memory.py MLPIPE LIBRARY [run|go_on|resume|look]

LIBRARY is failing_malloc.cpp, built. Each allocation of malloc, calloc, realloc and memalign counts, SQLite's and the C
library's own, too. What was not recorded is not there, what was is; mlpipe leaves with an exit code of the manual and says
why; the run then comes to its usual end.

MLPIPE_CRASH_CASES: how many of each command (10). MLPIPE_CRASH_SEED: which ones (by default others each time; it is
printed). MLPIPE_CRASH_AT: only this one, as 1234 (that allocation) or 1234+ (that one and all after it).
"""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time

import support
from support import Root, expect

PIPELINE = os.path.join(support.HERE, "power.yaml")
RUN = ["run", PIPELINE, "--engine", "process", "--run-id", "one", "--jobs", "2"]
# What is run, and the state of the root that it finds.
COMMANDS = {
    "run": ("empty", RUN),
    "go_on": ("ended", ["resume", "one", "--from", "report", "--run-id", "two", "--jobs", "2"]),
    "resume": ("interrupted", ["resume", "one"]),
    "look": ("ended", ["show", "one"]),
}
SAID = re.compile("out of memory|Cannot allocate memory|no thread can be started")


class States:
    """Roots to begin with, kept beside the one that is worked in (its path is in the record)."""

    def __init__(self, root):
        self.root = root
        os.makedirs(root.path)
        self.keep("empty")
        expect(root.call(*RUN) == 0, "the undisturbed run fails")
        self.digests = root.digests("one")
        self.keep("ended")
        self.begin("empty")
        expect(root.call(*RUN, MLPIPE_FAILPOINT="attempt.committed:kill9") == support.KILLED, "it is not killed")
        self.keep("interrupted")

    def folder(self, name):
        return os.path.join(self.root.folder, "kept-" + name)

    def keep(self, name):
        shutil.copytree(self.root.path, self.folder(name), symlinks=True)

    def begin(self, name):
        shutil.rmtree(self.root.path)
        shutil.copytree(self.folder(name), self.root.path, symlinks=True)
        open(self.root.output, "w").close()


def call(root, library, arguments, fails_at):
    """Exit code, what was said, how many allocations there were."""
    counter = os.path.join(root.folder, "counter")
    with open(counter, "wb") as file:
        file.write(bytes(8))
    environment = {**root.environment, "LD_PRELOAD": library, "FAILING_MALLOC_COUNT": counter, "FAILING_MALLOC": fails_at}
    try:
        done = subprocess.run([root.mlpipe, *arguments, "--root", root.path], cwd=root.folder, env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=support.PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise support.Broken("it hangs")
    said = done.stdout + done.stderr
    with open(root.output, "a") as out:
        print("$ mlpipe", *arguments, f"without memory at {fails_at}: exit code {done.returncode}\n{said}", file=out)
    return done.returncode, said, struct.unpack("=Q", open(counter, "rb").read())[0]


def check_case(states, library, name, fails_at):
    begins, arguments = COMMANDS[name]
    root = states.root
    states.begin(begins)
    code, said, _ = call(root, library, arguments, fails_at)
    expect(code in (0, 1, 3), f"exit code {code}")
    expect(code == 0 or SAID.search(said), "it does not say that memory ran out")
    if name == "look":
        expect(code != 1, "exit code 1")
        root.check("one", states.digests)
        return code
    run = "two" if name == "go_on" else "one"
    root.bring_to_end(code, run, arguments, states.digests)
    return code


def moments(chance, total, count):
    """At which allocation, and whether for good; more of them early, where all else hangs on it."""
    for _ in range(count):
        at = int(total ** chance.uniform(0.2, 1)) if chance.random() < 0.25 else chance.randint(1, total)
        yield f"{at}{chance.choice(['', '', '+'])}"


def main():
    mlpipe, library, wanted = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:] or list(COMMANDS)
    count = int(os.environ.get("MLPIPE_CRASH_CASES", "10"))
    seed = os.environ.get("MLPIPE_CRASH_SEED") or str(time.time_ns() % 1_000_000)
    print(f"MLPIPE_CRASH_SEED={seed}", flush=True)
    failures = short = 0
    with Root(mlpipe, watched=False) as root:
        states = States(root)
        for name in wanted:
            begun = time.monotonic()
            states.begin(COMMANDS[name][0])
            code, _, total = call(root, library, COMMANDS[name][1], "0")
            expect(code == 0 and total > 1000, f"{name}: undisturbed, exit code {code} after {total} allocations")
            chance = random.Random(f"{seed} {name}")
            chosen = os.environ.get("MLPIPE_CRASH_AT")
            codes = []
            for fails_at in [chosen] if chosen else moments(chance, total, count):
                try:
                    codes.append(check_case(states, library, name, fails_at))
                except support.Broken as error:
                    failures += 1
                    print(f"FAILED {name}, MLPIPE_CRASH_AT={fails_at}: {error}")
                    print("  " + open(root.output).read().replace("\n", "\n  "), flush=True)
            short += sum(code != 0 for code in codes)
            print(f"{name}: {total} allocations, {len(codes)} cases, exit codes "
                  f"{ {code: codes.count(code) for code in sorted(set(codes))} }, {time.monotonic() - begun:.1f} s", flush=True)
    print(f"{short} left early, {failures} failures")
    return 1 if failures or not short else 0


if __name__ == "__main__":
    sys.exit(main())
