#!/usr/bin/env python3
"""What mlpipe adds to a container: chains and fan-outs of `true`, against the bare Engine API and the docker CLI.

All variants of a case run interleaved, round by round; ratios of medians are what counts. Prints one JSON object per case
and a table; --check fails when a bar of docs/benchmarks.md is missed.
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


def pipeline(tasks: int, chained: bool, image: str, network: str) -> str:
    lines = ["name: bench", "tasks:"]
    for i in range(tasks):
        lines += [f"  t{i}:", f"    image: {image}", "    command: ['true']"]
        if network != "bridge":
            lines.append(f"    network: {network}")
        if chained and i > 0:
            lines.append(f"    after: [t{i - 1}]")
    return "\n".join(lines) + "\n"


def timed(argv: list[str], **options) -> float:
    begin = time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL, **options)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return seconds


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="mlpipe-bench-"))

    def mlpipe(self, tasks: int, chained: bool, network: str, jobs: int) -> float:
        spec = self.folder / f"{tasks}-{chained}-{network}.yaml"
        spec.write_text(pipeline(tasks, chained, self.options.image, network))
        argv = [self.options.mlpipe, "run", str(spec), "--root", str(self.folder / "root"), "--jobs", str(jobs), "--no-cache"]
        begin = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        if f"({tasks} succeeded)" not in done.stdout + done.stderr:
            sys.exit(f"not all tasks really ran:\n{done.stdout}{done.stderr}")
        return seconds

    def bare(self, tasks: int, network: str, parallel: int) -> float:
        argv = [self.options.bare, "--image", self.options.image, "--count", str(tasks), "--network", network, "--parallel", str(parallel)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return float(done.stdout)

    def cli_chain(self, tasks: int, network: str) -> float:
        loop = f"for i in $(seq {tasks}); do docker run --rm --network {network} {self.options.image} true; done"
        return timed(["sh", "-c", loop])

    def cli_fan_out(self, tasks: int, network: str, parallel: int) -> float:
        fan = f"seq {tasks} | xargs -P {parallel} -I@ docker run --rm --network {network} {self.options.image} true"
        return timed(["sh", "-c", fan])

    def measure(self, variants: dict) -> dict[str, float]:
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(self.options.rounds):
            for name, run in variants.items():
                seconds[name].append(run())
        return {name: statistics.median(values) for name, values in seconds.items()}

    def run(self) -> int:
        chain, fan, jobs = self.options.chain, self.options.fan_out, self.options.jobs
        missed = 0
        rows = []
        cases = [
            ("chain, no network", chain, {
                "mlpipe": lambda: self.mlpipe(chain, True, "none", 1),
                "bare": lambda: self.bare(chain, "none", 1),
                "cli": lambda: self.cli_chain(chain, "none")}),
            ("chain, default network", chain, {
                "mlpipe": lambda: self.mlpipe(chain, True, "bridge", 1),
                "bare": lambda: self.bare(chain, "sandbox", 1),
                "cli": lambda: self.cli_chain(chain, "bridge")}),
            ("fan-out, no network", fan, {
                "mlpipe": lambda: self.mlpipe(fan, False, "none", jobs),
                "bare": lambda: self.bare(fan, "none", jobs),
                "cli": lambda: self.cli_fan_out(fan, "none", jobs)}),
            ("fan-out, default network", fan, {
                "mlpipe": lambda: self.mlpipe(fan, False, "bridge", jobs),
                "bare": lambda: self.bare(fan, "sandbox", jobs),
                "cli": lambda: self.cli_fan_out(fan, "bridge", jobs)}),
        ]
        for name, tasks, variants in cases:
            if self.options.only and self.options.only not in name:
                continue
            median = self.measure(variants)
            over_bare = (median["mlpipe"] - median["bare"]) / tasks * 1000
            row = {"case": name, "tasks": tasks, "rounds": self.options.rounds,
                   **{f"{key}_seconds": round(value, 3) for key, value in median.items()},
                   "over_bare_ms_per_task": round(over_bare, 1),
                   "mlpipe_to_bare": round(median["mlpipe"] / median["bare"], 3),
                   "mlpipe_to_cli": round(median["mlpipe"] / median["cli"], 3)}
            bars = []
            if name == "chain, no network":
                bars.append(("over bare at most 10 ms a task", over_bare <= 10))
            if name == "chain, default network":
                bars.append(("at most 0.55 of the CLI", row["mlpipe_to_cli"] <= 0.55))
            if name == "fan-out, no network":
                bars.append(("at most 1.05 of bare", row["mlpipe_to_bare"] <= 1.05))
            if name.startswith("fan-out"):
                bars.append(("faster than the CLI", row["mlpipe_to_cli"] < 1))
            row["bars"] = {text: ok for text, ok in bars}
            missed += sum(not ok for _, ok in bars)
            print(json.dumps(row), flush=True)
            rows.append(row)
        print(f"{'case':<26} {'mlpipe':>8} {'bare':>8} {'docker':>8}  {'ms/task over bare':>17} {'to bare':>8} {'to docker':>9}")
        for row in rows:
            print(f"{row['case']:<26} {row['mlpipe_seconds']:>7.2f}s {row['bare_seconds']:>7.2f}s {row['cli_seconds']:>7.2f}s  "
                  f"{row['over_bare_ms_per_task']:>17.1f} {row['mlpipe_to_bare']:>7.2f}x {row['mlpipe_to_cli']:>8.2f}x")
        shutil.rmtree(self.folder, ignore_errors=True)
        return 1 if self.options.check and missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlpipe", required=True, help="the mlpipe binary")
    parser.add_argument("--bare", required=True, help="the bare_engine binary")
    parser.add_argument("--image", default="mlpipe/base:bookworm")
    parser.add_argument("--chain", type=int, default=20)
    parser.add_argument("--fan-out", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=4, help="lanes of the fan-out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--check", action="store_true")
    return Bench(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
