"""Turns what a model cannot use well into what it can.

Identifiers are dropped, years become ages at the time of sale, and the month becomes a point on the yearly cycle
(its cosine: December lies beside January).
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import tables


def list_of_names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise argparse.ArgumentTypeError(f'expected a JSON list of column names such as ["Id"], not {text!r}')
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="CSV file to read")
    parser.add_argument("--id-columns", type=list_of_names, default=[], help="columns to drop where the table has them")
    parser.add_argument("--sold-year", required=True, help="column with the year of sale")
    parser.add_argument("--year-columns", type=list_of_names, default=[], help="columns with years, to become ages")
    parser.add_argument("--month-column", default="", help="column with the month 1 to 12; empty: there is none")
    parser.add_argument("--features", type=Path, required=True, help="CSV file to write")
    args = parser.parse_args()

    table = tables.read_table(args.dataset)
    identifiers = [name for name in args.id_columns if name in table.columns]
    table = table.drop(columns=identifiers)
    tables.say(f"identifiers dropped: {', '.join(identifiers) or 'none'}")

    for name in [args.sold_year, *args.year_columns]:
        tables.require_columns(table, [name], args.dataset)
        tables.require_numbers(table, name, args.dataset)
    for name in args.year_columns:
        table[name] = table[args.sold_year] - table[name]
    table = table.rename(columns={name: f"{name}_Age" for name in args.year_columns})
    tables.say(f"years to ages: {', '.join(args.year_columns) or 'none'}")

    if args.month_column:
        tables.require_columns(table, [args.month_column], args.dataset)
        tables.require_numbers(table, args.month_column, args.dataset)
        months = table[args.month_column]
        wrong = ~months.between(1, 12)
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise tables.ComponentError(
                f"{args.dataset}:{row + 2}: column '{args.month_column}' is {months.iloc[row]}; expected 1 to 12")
        table[args.month_column] = months.map(lambda month: round(math.cos(2 * math.pi * month / 12), 12))
        table = table.rename(columns={args.month_column: f"{args.month_column}_Cos"})
        tables.say(f"month to cosine: {args.month_column}")

    tables.write_table(table, args.features)
    tables.say(f"{len(table)} rows, {table.shape[1]} columns")


if __name__ == "__main__":
    tables.run(main)
