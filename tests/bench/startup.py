#!/usr/bin/env python3
"""Start-up and staging: `mlpipe --version`, `validate` of 50 tasks, and a large artifact through three tasks.

The large artifact is made by one task and read by two more; what mlpipe itself reads and writes is taken from the kernel
(rchar, wchar of the process): one pass to hash the payload, no copy. Prints a JSON object per measurement; --check
fails when a bar of docs/benchmarks.md is missed.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """name: large
tasks:
  make:
    image: none
    outputs: {payload: Dataset}
    command: [sh, -c, 'fallocate -l BYTES "$MLPIPE_OUTPUT_PAYLOAD"']
  second:
    image: none
    inputs: {payload: Dataset}
    arguments: {payload: "${{ tasks.make.outputs.payload }}"}
    command: [sh, -c, 'test -s "$MLPIPE_INPUT_PAYLOAD"']
  third:
    image: none
    inputs: {payload: Dataset}
    arguments: {payload: "${{ tasks.make.outputs.payload }}"}
    after: [second]
    command: [sh, -c, 'test -s "$MLPIPE_INPUT_PAYLOAD"']
"""


def median_ms(argv: list[str], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def fifty_tasks() -> str:
    lines = ["name: fifty", "parameters: {rate: 0.5}", "tasks:"]
    for i in range(50):
        lines += [f"  t{i}:", "    image: any", "    inputs: {rate: Float}", "    outputs: {made: Dataset}",
                  "    arguments: {rate: \"${{ parameters.rate }}\"}",
                  "    command: [sh, -c, 'echo ${{ inputs.rate }} >${{ outputs.made.path }}']"]
        if i > 0:
            lines.append(f"    after: [t{i - 1}]")
    return "\n".join(lines) + "\n"


def io_of_run(argv: list[str]) -> dict[str, int]:
    """Bytes that the process itself, not its children, read and wrote, sampled until it ends."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen: dict[str, int] = {}
    while process.poll() is None:
        try:
            text = Path(f"/proc/{process.pid}/io").read_text()
            # What children read counts as well once they are reaped: the tasks read nothing of the payload themselves.
            seen = {key: int(value) for key, value in (line.split(": ") for line in text.splitlines())}
        except (OSError, ValueError):
            pass
        time.sleep(0.002)
    if process.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit {process.returncode}")
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlpipe", required=True)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlpipe-bench-") as name:
        folder = Path(name)
        (folder / "fifty.yaml").write_text(fifty_tasks())
        size = options.megabytes << 20
        (folder / "large.yaml").write_text(SPEC.replace("BYTES", str(size)))
        version = median_ms([options.mlpipe, "--version"], options.rounds)
        validate = median_ms([options.mlpipe, "validate", str(folder / "fifty.yaml")], options.rounds)
        floor = median_ms(["/bin/true"], options.rounds)
        io = io_of_run([options.mlpipe, "run", str(folder / "large.yaml"), "--engine", "process", "--root",
                        str(folder / "root"), "--run-id", "one", "--quiet"])
        payload = folder / "root/runs/one/make/payload/data"
        blocks = sum(path.stat().st_blocks * 512 for path in (folder / "root").rglob("*") if path.is_file() and not path.is_symlink())
        rows = [
            {"case": "--version", "ms": round(version, 2), "over_true": round(version / floor, 2), "bars": {"under 10 ms": version < 10}},
            {"case": "validate, 50 tasks", "ms": round(validate, 2), "over_true": round(validate / floor, 2),
             "bars": {"under 10 ms": validate < 10}},
            {"case": f"{options.megabytes} MiB through three tasks", "payload_bytes": payload.stat().st_size,
             "read_over_payload": round(io["rchar"] / size, 3), "stored_over_payload": round(blocks / size, 3),
             "bars": {"hashed once": io["rchar"] < 1.1 * size, "stored once": blocks < 1.1 * size}},
        ]
        for row in rows:
            print(json.dumps(row))
        os.system(f"chmod -R u+w {folder}/root")
    return 1 if options.check and not all(all(row["bars"].values()) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
