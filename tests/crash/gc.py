#!/usr/bin/env python3
"""Kills gc half-way, and lets it clean up beside runs: what is kept stays whole, and the next gc ends the work.

    gc.py MLPIPE [CASE...]

MLPIPE_CRASH_KILLS: how many kills of each kind of call (4); 0: at every one.
"""
import os
import random
import shutil
import subprocess
import sys

import support
from check_run import check_run
from support import Root, expect

PIPELINE = os.path.join(support.HERE, "power.yaml")
# What a gc changes the disk with.
CALLS = ("unlinkat", "unlink", "renameat2", "fdatasync", "fsync", "rename")


def run(root, name, *more):
    expect(root.call("run", PIPELINE, "--engine", "process", "--run-id", name, "--jobs", "2", *more) == 0, f"run {name} fails")


def copied_from(kept, root):
    subprocess.run(["chmod", "-R", "u+rwX", root.path], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(root.path, ignore_errors=True)
    subprocess.run(["cp", "-a", kept, root.path], check=True)  # hard links stay links


def runs_on_record(root):
    return {row["run"] for row in support.json.loads(root.ask("runs", "--json")[1])["runs"]}


def killed_at(root, call, number):
    """gc that is killed before its number-th call of that kind. False: it came to its end."""
    strace = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
    done = subprocess.run(strace + [root.mlpipe, "gc", "--yes", "--keep", "1", "--root", root.path], cwd=root.folder,
                          env=root.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=support.PATIENCE,
                          check=False)
    return done.returncode != 0


def killed_half_way(root):
    run(root, "a")
    run(root, "b")
    expect(root.call("resume", "b", "--from", "report", "--run-id", "c") == 0, "the run that shares results fails")
    digests = root.digests("c")
    kept = os.path.join(root.folder, "kept")
    subprocess.run(["cp", "-a", root.path, kept], check=True)
    most = int(os.environ.get("MLPIPE_CRASH_KILLS", "4"))
    kills = 0
    for call in CALLS:
        # All places there are, or some of the first.
        numbers = range(1, 1000) if most == 0 else sorted(random.Random(call).sample(range(1, 3 * most + 1), most))
        for number in numbers:
            copied_from(kept, root)
            if not killed_at(root, call, number):
                break
            kills += 1
            where = f"killed at {call} {number}: "
            open(root.output, "w").close()
            left = runs_on_record(root)
            expect("c" in left, where + "the run that is kept is gone")
            # All on record is whole; what gc was just writing goes with the run it was removing.
            for name in sorted(left):
                problems = check_run(root.path, name, digests if name == "c" else None)
                problems = [each for each in problems if not each.startswith("left over")]
                expect(not problems, where + "; ".join(problems))
            code, said = root.ask("gc", "--yes", "--keep", "1")
            expect(code == 0, f"{where}the next gc: exit code {code}: {said}")
            expect(runs_on_record(root) == {"c"}, f"{where}on record: {runs_on_record(root)}")
            expect(os.listdir(f"{root.path}/runs") == ["c"], f"{where}folders: {os.listdir(f'{root.path}/runs')}")
            root.check("c", digests)
            root.no_leftovers()
    expect(kills > len(CALLS) / 2, f"only {kills} kills")
    print(f"{kills} kills")


def beside_runs(root):
    """The one that runs reuses results of runs that gc is just removing, or finds them gone and makes its own."""
    def pipeline(name, salt):
        return ["run", os.path.join(support.HERE, "reuse.yaml"), "-p", f"salt={salt}", "--run-id", name, "--jobs", "3"]

    expect(root.call(*pipeline("usual", 1)) == 0, "the first run fails")
    digests = root.digests("usual")
    for turn in range(3):
        process = root.start(*pipeline(f"run-{turn}", 1))
        cleanings = 0
        while process.poll() is None:
            code, said = root.ask("gc", "--yes", "--keep", "0" if turn % 2 else "1")
            expect(code == 0, f"gc: exit code {code}: {said}")
            cleanings += 1
        expect(process.returncode == 0, f"run-{turn} fails: exit code {process.returncode}")
        expect(cleanings > 1, "gc took longer than the run")
        if f"run-{turn}" in runs_on_record(root):
            root.check(f"run-{turn}", digests)
    code, said = root.ask("gc", "--yes", "--keep", "1")
    expect(code == 0, f"gc: exit code {code}: {said}")
    root.no_leftovers()


CASES = [killed_half_way, beside_runs]


def main():
    mlpipe, wanted = sys.argv[1], sys.argv[2:]
    if not shutil.which("strace"):
        print("no strace: skipped")
        sys.exit(77)
    support.skip_without_engine()
    return support.run_cases(CASES, wanted, lambda case: Root(mlpipe, watched=case is beside_runs),
                             lambda case, root: case(root))


if __name__ == "__main__":
    sys.exit(main())
