#!/usr/bin/env python3
"""Kills mlpipe (SIGKILL) at random moments of a run, and again while it is resumed, and checks how the run ends.

    kills.py MLPIPE [plain|reuse|removed|gpus]

MLPIPE_CRASH_KILLS: how many kills (6). MLPIPE_CRASH_SEED: which moments (by default others each time; it is printed).
"""
import os
import random
import sys
import time

import support
import variants
from support import expect


def expect_good(root, code, command):
    """Who is killed when the record has the run's end already leaves nothing to resume."""
    ended = code == 2 and command == "resume" and root.show("one")["state"] == "succeeded"
    expect(code == 0 or ended, f"{command}: exit code {code}")


def killed_after(root, seconds, *arguments):
    """Was it killed? False: it ended before, well."""
    process = root.start(*arguments)
    try:
        expect_good(root, process.wait(seconds), arguments[0])
        return False
    except support.subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def one_round(mlpipe, variant, chance, digests, usual, most):
    """A run that is killed up to three times. How often it was."""
    kills = 0
    with variant.root(mlpipe) as root:
        moments = []
        try:
            beside = variant.begin(root)
            arguments = variant.run("one")
            for _ in range(min(most, chance.randint(1, 3))):
                # At its very beginning, too, where much is done in little time.
                moments.append(round(chance.uniform(0, usual if chance.random() < 0.75 else 0.1), 3))
                if not killed_after(root, moments[-1], *arguments):
                    break
                kills += 1
                # Killed before the run was on record: there is nothing to resume, and its id is free.
                if root.ask("show", "one")[0] == 0:
                    arguments = ["resume", "one"]
            else:
                expect_good(root, root.call(*arguments), arguments[0])
            variant.end(root, beside, digests)
        except support.Broken as error:
            support.tell(root, f"killed after {moments} s", error)
            raise
    print(f"killed after {moments} s", flush=True)
    return kills


def main():
    mlpipe, variant = sys.argv[1], variants.chosen(sys.argv[2:])
    wanted = int(os.environ.get("MLPIPE_CRASH_KILLS", "6"))
    seed = os.environ.get("MLPIPE_CRASH_SEED") or str(time.time_ns() % 1_000_000)
    print(f"MLPIPE_CRASH_SEED={seed}", flush=True)
    chance = random.Random(int(seed))
    digests, usual = variant.undisturbed(mlpipe)
    kills = failures = 0
    for _ in range(10 * wanted):
        if kills >= wanted:
            break
        try:
            kills += one_round(mlpipe, variant, chance, digests, usual, wanted - kills)
        except support.Broken:
            failures += 1
            kills += 1
    print(f"{kills} kills, {failures} failures")
    return 1 if failures or not kills else 0


if __name__ == "__main__":
    sys.exit(main())
