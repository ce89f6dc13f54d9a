"""Judges a model: its errors on the rows it learned from, on rows it has never seen, and the baseline's on the latter."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

import tables


def judge(model: Any, model_path: Path, features: pd.DataFrame, target: pd.Series) -> dict[str, float]:
    try:
        answers = model.predict(features)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise tables.ComponentError(f"{model_path}: cannot predict from this table: {error}") from None
    return {
        "rmse": float(mean_squared_error(target, answers, squared=False)),
        "mae": float(mean_absolute_error(target, answers)),
        "r2": float(r2_score(target, answers)),
        "rows": len(target),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model to judge (joblib)")
    parser.add_argument("--baseline-model", type=Path, required=True, help="model to compare with (joblib)")
    parser.add_argument("--dataset-train", type=Path, required=True, help="CSV file that the model learned from")
    parser.add_argument("--dataset-test", type=Path, required=True, help="CSV file that it has never seen")
    parser.add_argument("--target", required=True, help="column to predict")
    parser.add_argument("--baseline", type=Path, required=True, help="file to write: the baseline on the test rows")
    parser.add_argument("--train", type=Path, required=True, help="file to write: the model on the training rows")
    parser.add_argument("--test", type=Path, required=True, help="file to write: the model on the test rows")
    args = parser.parse_args()

    seen = tables.split_target(tables.read_table(args.dataset_train), args.target, args.dataset_train)
    unseen = tables.split_target(tables.read_table(args.dataset_test), args.target, args.dataset_test)
    if len(unseen[1]) < 2:
        raise tables.ComponentError(f"{args.dataset_test}: has one row; expected two or more to judge by")
    model = tables.read_model(args.model)
    metrics = {
        args.baseline: judge(tables.read_model(args.baseline_model), args.baseline_model, *unseen),
        args.train: judge(model, args.model, *seen),
        args.test: judge(model, args.model, *unseen),
    }
    for (path, numbers), name in zip(metrics.items(), ("baseline", "train", "test")):
        tables.write_numbers(numbers, path)
        tables.say(f"{name:8}  rmse {numbers['rmse']:10.0f}  mae {numbers['mae']:10.0f}  r2 {numbers['r2']:6.3f}")


if __name__ == "__main__":
    tables.run(main)
