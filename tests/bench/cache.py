#!/usr/bin/env python3
"""What the cache and the record cost: 10,000 cached tasks, recording, listings of 10,000 runs, house-prices run again.

  cached      another run of 10,000 tasks whose results are all there, on a disk and on tmpfs, in three shapes, beside the
              bare system calls that make its tree (two folders and a link a task); cached_run_bench does both
  whole       the same by `mlpipe run` itself, from start to exit (needs Docker and mlpipe/base:bookworm)
  unchanged   the same by `mlpipe run --if-changed`, from start to exit, when there is nothing to do (needs the same)
  recording   what a task costs on the loop thread: of a chain of tasks that were really scheduled, the median
  listings    `runs` and `show latest` on a record of 10,000 runs
  house       examples/house-prices twice, then with another test_size (needs Docker)

Variants of a case take turns, round by round; medians count. "clock" is time by the clock; "processor" is processor time,
which stays comparable on a busy machine. Prints a JSON object per case and a table; --check fails when a bar of
docs/benchmarks.md is missed.
"""
from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGE = "mlpipe/base:bookworm"
SHAPES = ("wide", "chain", "layered")
BELOW_SPLIT = {"split", "train_boosting", "train_forest", "evaluate_boosting", "evaluate_forest", "choose"}


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def timed(argv: list[str]) -> float:
    begin = time.perf_counter()
    run(argv)
    return time.perf_counter() - begin


def image_id() -> str:
    """Of the image that the tasks name; so that `mlpipe run` finds what cached_run_bench recorded."""
    done = subprocess.run(["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def states_of(mlpipe: str, root: Path, run_id: str) -> dict[str, bool]:
    """Of every task of a run that succeeded: was it cached?"""
    shown = json.loads(run([mlpipe, "show", run_id, "--root", str(root), "--json"]))
    tasks = {task["task"]: task for task in shown["tasks"]}
    odd = [name for name, task in tasks.items() if task["state"] != "succeeded"]
    if odd:
        sys.exit(f"run {run_id}: {', '.join(odd)} did not succeed")
    return {name: bool(task.get("cached_from")) for name, task in tasks.items()}


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.missed = 0
        self.table: list[str] = []
        self.folder = Path(tempfile.mkdtemp(prefix="mlpipe-bench-", dir=options.disk))
        self.tmpfs = Path(tempfile.mkdtemp(prefix="mlpipe-bench-", dir="/dev/shm"))

    def report(self, row: dict, bars: dict[str, bool], line: str) -> None:
        row["bars"] = bars
        self.missed += sum(not met for met in bars.values())
        print(json.dumps(row), flush=True)
        verdict = ", ".join(f"{text}: {'met' if met else 'MISSED'}" for text, met in bars.items())
        self.table.append(f"{line}  {verdict}")

    def bench(self, *words: object) -> dict:
        return json.loads(run([self.options.bench, *map(str, words)]))

    # ---- 10,000 cached tasks ----

    def cached(self) -> None:
        for place, where in (("disk", self.folder), ("tmpfs", self.tmpfs)):
            for shape in self.options.shapes:
                self.cached_case(place, where / shape, shape)

    def cached_case(self, place: str, folder: Path, shape: str) -> None:
        image = image_id()
        made = self.bench("make", folder, shape, self.options.tasks, image or "sha256:none")
        if shape == "chain":
            self.recording(place, made)
        runs, bare, whole = [], [], []
        for number in range(self.options.rounds):
            bare.append(self.bench("bare", folder, f"bare-{number}"))
            runs.append(self.bench("time", folder, f"again-{number}"))
            if image:
                whole.append(timed([self.options.mlpipe, "run", str(folder / "pipeline.yaml"), "--root", str(folder / "root"),
                                    "--run-id", f"whole-{number}", "--quiet"]))
                if number == 0:
                    self.check_all_cached(folder, "whole-0")
        parts = self.bench("parts", folder, "parts")["parts"]

        def median(rows: list[dict], clock: int) -> float:
            return statistics.median(row["all"][clock] for row in rows)

        clock, processor = median(runs, 0), median(runs, 1)
        tree, tree_processor = median(bare, 0), median(bare, 1)
        rest = processor - tree_processor
        row = {"case": f"cached, {shape}, {place}", "tasks": self.options.tasks, "rounds": self.options.rounds,
               "clock_s": round(clock, 3), "processor_s": round(processor, 3), "bare_clock_s": round(tree, 3),
               "bare_processor_s": round(tree_processor, 3), "without_bare_s": round(rest, 3),
               "to_bare": round(processor / tree_processor, 2),
               "parts_processor_s": {name: round(spent[1], 3) for name, spent in parts.items()}}
        if whole:
            row["whole_clock_s"] = round(statistics.median(whole), 3)
        self.report(row, {"all under 0.2 s": clock < 0.2, "without the tree's calls under 0.2 s": rest < 0.2},
                    f"{row['case']:<24} {clock:>6.3f} s ({processor:.3f} s), bare {tree:.3f} s ({tree_processor:.3f} s), "
                    f"rest {rest:.3f} s, mlpipe run {row.get('whole_clock_s', '-')} s;")
        if whole:
            self.unchanged(place, folder, shape)

    def unchanged(self, place: str, folder: Path, shape: str) -> None:
        """Since the last of the whole runs: what cached_run_bench records is no run of a file."""
        argv = [self.options.mlpipe, "run", str(folder / "pipeline.yaml"), "--root", str(folder / "root"), "--if-changed"]
        last = f"nothing to do: nothing has changed since run whole-{self.options.rounds - 1} "
        clocks = []
        for _ in range(self.options.rounds * 5):
            begin = time.perf_counter()
            said = run(argv)
            clocks.append(time.perf_counter() - begin)
            if not said.startswith(last):
                sys.exit(f"--if-changed ran: {said}")
        clock = statistics.median(clocks)
        self.report({"case": f"unchanged, {shape}, {place}", "tasks": self.options.tasks, "clock_s": round(clock, 3),
                     "worst_s": round(max(clocks), 3)}, {"nothing to do under 0.2 s": clock < 0.2},
                    f"{f'unchanged, {shape}, {place}':<24} {clock:>6.3f} s, at worst {max(clocks):.3f} s;")

    def check_all_cached(self, folder: Path, run_id: str) -> None:
        shown = json.loads(run([self.options.mlpipe, "runs", "--root", str(folder / "root"), "--json", "--limit", "1"]))
        counts = json.dumps(shown)
        if f'"cached": {self.options.tasks}' not in counts:
            sys.exit(f"run {run_id} was not all cached: {counts}")

    def recording(self, place: str, made: dict) -> None:
        cost, sync = made["recording_ms_a_task"], made["sync_ms"]
        processor = made["parts"]["record"][1] / made["tasks"] * 1000
        self.report({"case": f"recording, {place}", "tasks": self.options.tasks, "median_ms_a_task": cost,
                     "processor_ms_a_task": round(processor, 3), "bare_sync_ms": sync},
                    {"at most 1 ms a task": cost <= 1},
                    f"{'recording, ' + place:<24} {cost:>6.3f} ms a task ({processor:.3f} ms), a bare sync {sync:.3f} ms;")

    # ---- Listings ----

    def listings(self) -> None:
        folder = self.folder / "history"
        run([self.options.bench, "history", str(folder), str(self.options.runs), "5"])
        root = ["--root", str(folder / "root")]
        for name, words in (("runs", ["runs"]), ("show latest", ["show", "latest"])):
            argv = [self.options.mlpipe, *words, *root]
            milliseconds = statistics.median(timed(argv) for _ in range(21)) * 1000
            self.report({"case": name, "runs": self.options.runs, "ms": round(milliseconds, 1)},
                        {"under 50 ms": milliseconds < 50}, f"{name:<24} {milliseconds:>6.1f} ms;")

    # ---- house-prices ----

    def house(self) -> None:
        if not image_id():
            sys.exit(f"house: there is no engine, or it has no {IMAGE}")
        root = self.folder / "house"
        trials = ["-p", f"n_trials={self.options.trials}"]

        def once(run_id: str, *more: str) -> float:
            return timed([self.options.mlpipe, "run", str(self.options.house), "--root", str(root), "--run-id", run_id,
                          "--quiet", *trials, *more])

        first = once("first")
        again = statistics.median(once(f"again-{number}") for number in range(self.options.rounds))
        ran = {name for name, cached in states_of(self.options.mlpipe, root, "again-0").items() if not cached} - {"raw"}
        times = first / again
        self.report({"case": "house-prices again", "first_s": round(first, 2), "again_s": round(again, 3),
                     "times_faster": round(times, 1), "ran": sorted(ran)},
                    {"all cached": not ran, "over 20x faster": times > 20},
                    f"{'house-prices again':<24} {first:.2f} s, then {again:.3f} s: {times:.0f}x faster;")
        other = once("other", "-p", "test_size=0.25")
        ran = {name for name, cached in states_of(self.options.mlpipe, root, "other").items() if not cached} - {"raw"}
        self.report({"case": "house-prices, test_size", "seconds": round(other, 2), "ran": sorted(ran)},
                    {"exactly what is below runs": ran == BELOW_SPLIT},
                    f"{'house-prices, test_size':<24} {other:.2f} s, ran {', '.join(sorted(ran))};")

    def measure(self) -> int:
        try:
            for case in ("cached", "listings", "house"):
                if case in self.options.only:
                    getattr(self, case)()
        finally:
            for folder in (self.folder, self.tmpfs):
                subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
                shutil.rmtree(folder, ignore_errors=True)
        print("\n".join(["by the clock (processor time)", *self.table]), file=sys.stderr)
        return 1 if self.options.check and self.missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlpipe", required=True, help="the mlpipe binary, a release build")
    parser.add_argument("--bench", required=True, help="the cached_run_bench binary")
    parser.add_argument("--disk", default=None, help="a folder on the disk to measure; else the usual one for temporary files")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=2, help="n_trials of house-prices")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--only", nargs="+", choices=("cached", "listings", "house"), default=["cached", "listings", "house"])
    parser.add_argument("--house", default=Path(__file__).parents[2] / "examples/house-prices/pipeline.yaml")
    parser.add_argument("--check", action="store_true")
    return Bench(parser.parse_args()).measure()


if __name__ == "__main__":
    sys.exit(main())
