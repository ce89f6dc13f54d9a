"""Splits a table at random into one to learn from and one to judge by; the same seed gives the same split."""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.model_selection import train_test_split

import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="CSV file to read")
    parser.add_argument("--test-size", type=float, required=True, help="share of the rows to judge by, between 0 and 1")
    parser.add_argument("--random-state", type=int, required=True, help="seed, 0 or more")
    parser.add_argument("--dataset-train", type=Path, required=True, help="CSV file to write: rows to learn from")
    parser.add_argument("--dataset-test", type=Path, required=True, help="CSV file to write: rows to judge by")
    args = parser.parse_args()

    if not 0 < args.test_size < 1:
        raise tables.ComponentError(f"test_size is {args.test_size}; expected a share between 0 and 1, such as 0.2")
    if not 0 <= args.random_state < 2**32:
        raise tables.ComponentError(f"random_state is {args.random_state}; expected 0 to {2**32 - 1}")
    table = tables.read_table(args.dataset)
    try:
        train, test = train_test_split(table, test_size=args.test_size, random_state=args.random_state)
    except ValueError:
        raise tables.ComponentError(
            f"{args.dataset}: {len(table)} rows cannot be split with test_size {args.test_size}: "
            "one side would be empty") from None
    tables.write_table(train, args.dataset_train)
    tables.write_table(test, args.dataset_test)
    tables.say(f"{len(train)} rows to learn from, {len(test)} to judge by")


if __name__ == "__main__":
    tables.run(main)
