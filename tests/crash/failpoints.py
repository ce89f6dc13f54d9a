#!/usr/bin/env python3
"""Kills mlpipe at its failpoints, resumes, and checks that the run ends as if nothing had happened.

    failpoints.py MLPIPE [plain|reuse|removed|gpus]

MLPIPE_CRASH_CASES: how many kills (15); 0: every place, each time it is passed.
MLPIPE_CRASH_ONLY: only places that begin so. MLPIPE_CRASH_SEED: which ones are chosen (1).
"""
import os
import random
import sys
import time

import support
import variants
from support import expect


def is_by_state(place):
    return "." in place and not place.startswith("attempt.")


def one_case(mlpipe, variant, place, number, digests):
    """Was mlpipe killed? False: it came to its end before that place was passed so often."""
    with variant.root(mlpipe) as root:
        try:
            beside = variant.begin(root)
            code = root.call(*variant.run("one"), MLPIPE_FAILPOINT=f"{place}:kill9@{number}")
            if code != support.KILLED:
                expect(code == 0, f"exit code {code}")
                variant.end(root, beside, digests)
                return False
            if place != "after_finish":
                expect(root.show("one")["state"] == "interrupted", "show does not say interrupted")
                code = root.call("resume", "one")
                expect(code == 0, f"resume: exit code {code}")
            variant.end(root, beside, digests)
            return True
        except support.Broken as error:
            support.tell(root, f"{place}:kill9@{number}", error)
            raise


def chosen(places, count, variant):
    """Every place of an attempt and of the run's end, the rest of them turns; numbers by chance."""
    chance = random.Random(int(os.environ.get("MLPIPE_CRASH_SEED", "1")))
    cases = [(place, chance.randint(1, variant.attempts)) for place in places if place.startswith("attempt.")]
    cases += [(place, 1) for place in places if place.endswith("_finish")]
    every_turn = [(place, number) for place in ("before_record", "after_record", "after_effects") for number in range(1, variant.turns)]
    cases += chance.sample(every_turn, min(len(every_turn), max(0, count - len(cases))))
    return chance.sample(cases, min(count, len(cases)))


def main():
    mlpipe, variant = sys.argv[1], variants.chosen(sys.argv[2:])
    count = int(os.environ.get("MLPIPE_CRASH_CASES", "15"))
    digests, _ = variant.undisturbed(mlpipe)
    places = [place for place in support.failpoints(mlpipe) if not place.endswith(variant.never)]
    only = os.environ.get("MLPIPE_CRASH_ONLY", "")
    places = [place for place in places if place.startswith(only)]
    kills = failures = 0
    # Of the states, the first time will do: the numbers of turns come to all the others.
    cases = chosen(places, count, variant) if count else [(place, None) for place in places]
    for place, number in cases:
        numbers = [number] if number else range(1, 2 if is_by_state(place) or place.endswith("_finish") else 1000)
        for each in numbers:
            begun = time.monotonic()
            try:
                killed = one_case(mlpipe, variant, place, each, digests)
            except support.Broken:
                failures += 1
                killed = True
            kills += killed
            print(f"{place}@{each}: {'killed' if killed else 'came through'}, {time.monotonic() - begun:.1f} s", flush=True)
            if not killed:
                break
    print(f"{kills} kills, {failures} failures")
    return 1 if failures or not kills else 0


if __name__ == "__main__":
    sys.exit(main())
