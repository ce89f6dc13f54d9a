"""Chooses the better of two models and hands it on.

The choice goes by the cross-validated error; the test rows only say how good the chosen one is, so that figure stays
an honest guess at new data. On a tie the first one wins.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in ("a", "b"):
        parser.add_argument(f"--name-{side}", required=True, help="what to call it")
        parser.add_argument(f"--model-{side}", type=Path, required=True, help="the model (joblib)")
        parser.add_argument(f"--cv-rmse-{side}", type=float, required=True, help="its cross-validated error")
        parser.add_argument(f"--test-{side}", type=Path, required=True, help="its metrics on the test rows (JSON)")
    parser.add_argument("--model", type=Path, required=True, help="file to write: the better model")
    parser.add_argument("--metrics", type=Path, required=True, help="file to write: its metrics")
    parser.add_argument("--report", type=Path, required=True, help="Markdown file to write: both side by side")
    parser.add_argument("--winner", type=Path, required=True, help="file to write: its name")
    args = parser.parse_args()

    candidates = [
        (args.name_a, args.model_a, args.cv_rmse_a, tables.read_numbers(args.test_a)),
        (args.name_b, args.model_b, args.cv_rmse_b, tables.read_numbers(args.test_b)),
    ]
    for name, _, error, _ in candidates:
        if not (math.isfinite(error) and error >= 0):
            raise tables.ComponentError(f"the cross-validated error of '{name}' is {error}; expected a number from 0 up")
    name, model, error, metrics = min(candidates, key=lambda candidate: candidate[2])

    args.model.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(model, args.model)
    except OSError as error_of_copy:
        raise tables.ComponentError(f"{model}: cannot be copied: {error_of_copy.strerror}") from None
    tables.write_numbers({**metrics, "cv_rmse": error}, args.metrics)
    columns = sorted(set(candidates[0][3]) | set(candidates[1][3]))
    lines = [f"# The better model: {name}", "",
             f"| model | cv_rmse | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for each, _, its_error, its_metrics in candidates:
        cells = [f"{its_metrics[column]:.6g}" if column in its_metrics else "" for column in columns]
        lines.append(f"| {each} | {its_error:.6g} | {' | '.join(cells)} |")
    tables.write_text("\n".join(lines) + "\n", args.report)
    tables.write_text(name, args.winner)
    tables.say(f"{name} wins: " + ", ".join(f"{each} {its_error:.0f}" for each, _, its_error, _ in candidates))


if __name__ == "__main__":
    tables.run(main)
