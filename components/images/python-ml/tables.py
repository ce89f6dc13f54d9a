"""What every tabular component needs: read, check and write CSV tables, metrics and models, with clear errors.

Installed in the image mlpipe/python-ml, on PYTHONPATH, so that a component is one short script beside its component.yaml.
"""

from __future__ import annotations

import difflib
import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any, Callable, Iterable

import joblib
import pandas as pd


class ComponentError(Exception):
    """A mistake in the input or the arguments; its text is all that the user needs to see."""


def run(main: Callable[[], None]) -> None:
    """Runs a component: a ComponentError becomes one line on stderr and exit code 1, a bug keeps its traceback."""
    try:
        main()
    except ComponentError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def say(text: str) -> None:
    """One progress line, seen at once also when stdout is a pipe."""
    print(text, flush=True)


def read_table(path: Path, separator: str = ",") -> pd.DataFrame:
    """Reads a CSV file with a header line; numbers survive a round trip exactly."""
    if path.is_dir():
        raise ComponentError(f"{path}: is a folder; expected a CSV file")
    try:
        table = pd.read_csv(path, sep=separator, low_memory=False, float_precision="round_trip")
    except FileNotFoundError:
        raise ComponentError(f"{path}: no such file") from None
    except pd.errors.EmptyDataError:
        raise ComponentError(f"{path}: is empty; expected a CSV file with a header line") from None
    except pd.errors.ParserError as error:
        raise ComponentError(f"{path}: is not a CSV table: {str(error).strip()}") from None
    except UnicodeDecodeError as error:
        raise ComponentError(f"{path}: is not UTF-8 text: byte {error.start}: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise ComponentError(f"{path}: cannot be read: {error}") from None
    if table.empty:
        raise ComponentError(f"{path}: has a header line but no rows")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def require_columns(table: pd.DataFrame, columns: Iterable[str], where: Path) -> None:
    """Fails on the first column that `table`, read from `where`, does not have, and suggests the nearest name."""
    names = [str(name) for name in table.columns]
    for column in columns:
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it has: {', '.join(names[:12])}"
            raise ComponentError(f"{where}: has no column '{column}'{hint}")


def require_numbers(table: pd.DataFrame, column: str, where: Path) -> None:
    """Fails unless every cell of `column` is a finite number; names the first line that is not."""
    numbers = pd.to_numeric(table[column], errors="coerce")
    bad = ~numbers.map(math.isfinite)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = table[column].iloc[row]
        shown = "is missing" if pd.isna(value) else f"is {value!r}"
        raise ComponentError(f"{where}:{row + 2}: column '{column}' {shown}; expected a number")


def split_target(table: pd.DataFrame, target: str, where: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Parts the feature columns from the column to predict."""
    require_columns(table, [target], where)
    require_numbers(table, target, where)
    features = table.drop(columns=target)
    if features.shape[1] == 0:
        raise ComponentError(f"{where}: has no column beside the target '{target}'")
    return features, table[target].astype(float)


def write_numbers(numbers: dict[str, float], path: Path) -> None:
    """Writes a Metrics artifact: one JSON object of finite numbers."""
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ComponentError(f"metric '{name}' is {value}; expected a finite number")
    write_text(json.dumps(numbers, indent=2) + "\n", path)


def read_numbers(path: Path) -> dict[str, float]:
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ComponentError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ComponentError(f"{path}: is not a metrics file: {error}") from None
    if not isinstance(numbers, dict) or not all(type(value) in (int, float) for value in numbers.values()):
        raise ComponentError(f"{path}: is not a metrics file: expected one JSON object of numbers")
    return numbers


def write_text(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_model(model: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, path)


def read_model(path: Path) -> Any:
    """Loads a model written by write_model(). It is a pickle, which runs code: load only what a pipeline of yours made."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a model of another scikit-learn version is refused, not tried
            return joblib.load(path)
    except FileNotFoundError:
        raise ComponentError(f"{path}: no such file") from None
    except Exception as error:  # a broken pickle may raise anything
        raise ComponentError(f"{path}: is not a model that this image can load: {error}") from None
