"""Reads a raw CSV file, checks that it is a table one can learn from, tidies it and writes it as a Dataset.

Tidying: blanks around names and texts go, rows that stand twice are kept once. Nothing else is changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help="CSV file with a header line")
    parser.add_argument("--target", required=True, help="column to predict; every row must have a number in it")
    parser.add_argument("--separator", default=",", help="what stands between two cells")
    parser.add_argument("--dataset", type=Path, required=True, help="CSV file to write")
    args = parser.parse_args()

    if len(args.separator) != 1:
        raise tables.ComponentError(f"separator is {args.separator!r}; expected one character")
    table = tables.read_table(args.raw, args.separator)
    table.columns = [str(name).strip() for name in table.columns]
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise tables.ComponentError(f"{args.raw}: column '{repeated[0]}' stands in the header more than once")
    tables.require_columns(table, [args.target], args.raw)
    tables.require_numbers(table, args.target, args.raw)

    texts = table.select_dtypes(include="object").columns
    for name in texts:
        table[name] = table[name].map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    tidy = table.drop_duplicates(ignore_index=True)
    tables.write_table(tidy, args.dataset)
    tables.say(f"{len(tidy)} rows, {tidy.shape[1]} columns ({len(table) - len(tidy)} repeated rows left out)")


if __name__ == "__main__":
    tables.run(main)
