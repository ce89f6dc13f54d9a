"""The Python of components/, run as a pipeline runs it: one process per component, good input and bad.

Runs inside the image mlpipe/python-ml (see components_test.sh) with the components' folder as its only argument.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import pandas as pd

COMPONENTS = Path(sys.argv.pop())


class Folder(unittest.TestCase):
    """A fresh folder per test, and a way to call a component in it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def call(self, component: str, **arguments: object) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(COMPONENTS / component / f"{component}.py")]
        for name, value in arguments.items():
            words.append(f"--{name.replace('_', '-')}={value}")
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)

    def succeeds(self, component: str, **arguments: object) -> str:
        done = self.call(component, **arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, expected: str, component: str, **arguments: object) -> None:
        done = self.call(component, **arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(expected, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def write(self, name: str, text: str | bytes) -> str:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def read(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / name)


class Ingest(Folder):
    def call_on(self, text: str | bytes) -> dict[str, object]:
        return {"raw": self.write("raw.csv", text), "target": "price", "dataset": "out/dataset.csv"}

    def test_TrimsTextsAndKeepsRepeatedRowsOnce(self) -> None:
        self.succeeds("ingest", **self.call_on(" kind ,price\nWD ,1\nWD ,1\n New,2\n"))
        self.assertEqual(self.read("out/dataset.csv").to_dict("list"), {"kind": ["WD", "New"], "price": [1, 2]})

    def test_KeepsTruthValuesWithGaps(self) -> None:
        self.succeeds("ingest", **self.call_on("pool,price\nTrue,1\n,2\nFalse,3\n"))
        self.assertEqual(self.read("out/dataset.csv")["pool"].astype(str).tolist(), ["True", "nan", "False"])

    def test_NamesTheLineThatHasNoTarget(self) -> None:
        self.fails("raw.csv:3: column 'price' is missing", "ingest", **self.call_on("a,price\n1,1\n2,\n"))

    def test_NamesTheLineWhoseTargetIsText(self) -> None:
        self.fails("raw.csv:3: column 'price' is 'dear'", "ingest", **self.call_on("a,price\n1,1\n2,dear\n"))

    def test_NamesTheLineWhoseTargetIsInfinite(self) -> None:
        self.fails("raw.csv:2: column 'price' is inf", "ingest", **self.call_on("a,price\n1,inf\n"))

    def test_SuggestsTheNearestColumn(self) -> None:
        self.fails("has no column 'price'; did you mean 'prices'?", "ingest", **self.call_on("a,prices\n1,1\n"))

    def test_RefusesWhatIsNoTable(self) -> None:
        self.fails("is empty", "ingest", **self.call_on(""))
        self.fails("has a header line but no rows", "ingest", **self.call_on("a,price\n"))
        self.fails("is not a CSV table", "ingest", **self.call_on("a,price\n1,2\n1,2,3,4\n"))
        self.fails("is not UTF-8", "ingest", **self.call_on(b"a,price\n\xff\xfe,2\n"))
        self.fails("more than once", "ingest", **self.call_on("a , a,price\n1,2,3\n"))
        self.fails("no such file", "ingest", raw="nowhere.csv", target="price", dataset="out.csv")
        self.fails("is a folder", "ingest", raw=".", target="price", dataset="out.csv")

    def test_ReadsOtherSeparators(self) -> None:
        self.succeeds("ingest", separator=";", **self.call_on("a;price\n1;2\n"))
        self.fails("expected one character", "ingest", separator=";;", **self.call_on("a;price\n1;2\n"))


class Preprocess(Folder):
    HOUSES = "Id,Built,Sold,Month,Price\n7,1990,2010,12,100\n8,2000,2009,6,200\n"

    def arguments(self, text: str, **more: object) -> dict[str, object]:
        return {"dataset": self.write("in.csv", text), "id_columns": '["Id", "PID"]', "sold_year": "Sold",
                "year_columns": '["Built"]', "month_column": "Month", "features": "out.csv", **more}

    def test_DropsIdentifiersTurnsYearsToAgesAndMonthToCosine(self) -> None:
        self.succeeds("preprocess", **self.arguments(self.HOUSES))
        table = self.read("out.csv")
        self.assertEqual(list(table.columns), ["Built_Age", "Sold", "Month_Cos", "Price"])
        self.assertEqual(table["Built_Age"].tolist(), [20, 9])
        self.assertEqual(table["Month_Cos"].tolist(), [1.0, -1.0])

    def test_AMonthColumnIsNotNeeded(self) -> None:
        self.succeeds("preprocess", **self.arguments(self.HOUSES, month_column=""))
        self.assertIn("Month", self.read("out.csv").columns)

    def test_NamesTheLineWithAMonthThatIsNone(self) -> None:
        self.fails("in.csv:3: column 'Month' is 13", "preprocess", **self.arguments(self.HOUSES.replace(",6,", ",13,")))

    def test_SaysWhichColumnIsNotThere(self) -> None:
        self.fails("has no column 'Biult'; did you mean 'Built'?", "preprocess",
                   **self.arguments(self.HOUSES, year_columns='["Biult"]'))

    def test_RefusesAListThatIsNone(self) -> None:
        self.fails("expected a JSON list of column names", "preprocess",
                   **self.arguments(self.HOUSES, year_columns="Built"))


class TrainTestSplit(Folder):
    def arguments(self, rows: int, **more: object) -> dict[str, object]:
        text = "a,b\n" + "".join(f"{i},{i / 7!r}\n" for i in range(rows))
        return {"dataset": self.write("in.csv", text), "test_size": 0.2, "random_state": 42,
                "dataset_train": "train.csv", "dataset_test": "test.csv", **more}

    def test_EveryRowIsOnOneSideAndNumbersAreExact(self) -> None:
        self.succeeds("train_test_split", **self.arguments(50))
        train, test = self.read("train.csv"), self.read("test.csv")
        self.assertEqual((len(train), len(test)), (40, 10))
        self.assertEqual(sorted([*train["a"], *test["a"]]), list(range(50)))
        lines = (self.folder / "train.csv").read_text().splitlines()[1:]
        self.assertEqual([line.split(",")[1] for line in lines], [repr(int(line.split(",")[0]) / 7) for line in lines])

    def test_TheSameSeedGivesTheSameSplit(self) -> None:
        self.succeeds("train_test_split", **self.arguments(50))
        first = (self.folder / "test.csv").read_bytes()
        self.succeeds("train_test_split", **self.arguments(50))
        self.assertEqual(first, (self.folder / "test.csv").read_bytes())
        self.succeeds("train_test_split", **self.arguments(50, random_state=1))
        self.assertNotEqual(first, (self.folder / "test.csv").read_bytes())

    def test_RefusesSharesAndTablesThatCannotBeSplit(self) -> None:
        for share in (0, 1, -0.5, 20, "nan"):
            self.fails("expected a share between 0 and 1", "train_test_split", **self.arguments(50, test_size=share))
        self.fails("one side would be empty", "train_test_split", **self.arguments(1))
        self.fails("random_state is -1", "train_test_split", **self.arguments(50, random_state=-1))


class TrainAndEvaluate(Folder):
    """A small table with all that is awkward: texts, gaps, truth values, a column with nothing in it."""

    def table(self, rows: int) -> str:
        lines = ["size,kind,pool,gap,empty,price"]
        for i in range(rows):
            gap = "" if i % 5 == 0 else str(i % 4)
            lines.append(f"{i % 30},{'abc'[i % 3]},{i % 2 == 0},{gap},,{1000 * (i % 30) + 50 * (i % 3)}")
        return "\n".join(lines) + "\n"

    def arguments(self, **more: object) -> dict[str, object]:
        return {"dataset": self.write("train.csv", self.table(120)), "target": "price", "kind": "gradient_boosting",
                "n_trials": 1, "folds": 2, "random_state": 42, "model": "m/model", "baseline_model": "m/baseline",
                "feature_importances": "m/fi.csv", "best_params": "m/best", "cv_rmse": "m/cv", **more}

    def evaluation(self, test: str, **more: object) -> dict[str, object]:
        return {"model": "m/model", "baseline_model": "m/baseline", "dataset_train": "train.csv",
                "dataset_test": self.write("test.csv", test), "target": "price", "baseline": "e/baseline",
                "train": "e/train", "test": "e/test", **more}

    def test_BothKindsLearnAndSayWhatMatters(self) -> None:
        for kind in ("gradient_boosting", "random_forest"):
            with self.subTest(kind):
                self.succeeds("train", **self.arguments(kind=kind))
                self.succeeds("evaluate", **self.evaluation(self.table(40).replace(",a,", ",never seen,")))
                metrics = {name: json.loads((self.folder / "e" / name).read_text())
                           for name in ("baseline", "train", "test")}
                self.assertLess(metrics["test"]["rmse"], 0.2 * metrics["baseline"]["rmse"])
                self.assertEqual(metrics["test"]["rows"], 40)
                self.assertEqual(self.read("m/fi.csv")["feature"][0], "size")
                self.assertTrue(math.isfinite(float((self.folder / "m/cv").read_text())))
                self.assertIn("n_estimators", json.loads((self.folder / "m/best").read_text()))

    def test_TheSameSeedGivesTheSameModel(self) -> None:
        files = ("m/model", "m/fi.csv", "m/best", "m/cv")
        self.succeeds("train", **self.arguments(n_trials=3))
        first = [(self.folder / name).read_bytes() for name in files]
        self.succeeds("train", **self.arguments(n_trials=3))
        self.assertEqual(first, [(self.folder / name).read_bytes() for name in files])

    def test_TuningNeverEndsWorseThanTheFirstTrial(self) -> None:
        self.succeeds("train", **self.arguments(n_trials=1))
        first = float((self.folder / "m/cv").read_text())
        self.succeeds("train", **self.arguments(n_trials=4))
        self.assertLessEqual(float((self.folder / "m/cv").read_text()), first)

    def test_RefusesArgumentsThatMakeNoSense(self) -> None:
        self.fails("kind is 'oracle'; expected one of: gradient_boosting, random_forest", "train",
                   **self.arguments(kind="oracle"))
        self.fails("n_trials is 0", "train", **self.arguments(n_trials=0))
        self.fails("folds is 1; expected 2 to the number of rows, 120", "train", **self.arguments(folds=1))
        self.fails("invalid int value: 'many'", "train", **self.arguments(n_trials="many"))
        self.fails("has no column 'cost'", "train", **self.arguments(target="cost"))
        self.fails("has no column beside the target", "train",
                   **self.arguments(dataset=self.write("one.csv", "price\n1\n2\n3\n")))

    def test_EvaluateRefusesModelsAndTablesThatDoNotFit(self) -> None:
        self.succeeds("train", **self.arguments())
        self.fails("m/model: cannot predict from this table", "evaluate", **self.evaluation("other,price\n1,2\n3,4\n"))
        self.fails("is not a model that this image can load", "evaluate",
                   **self.evaluation(self.table(9), model=self.write("broken", b"\x80\x04junk")))
        self.fails("has one row", "evaluate", **self.evaluation(self.table(1)))
        self.fails("no such file", "evaluate", **self.evaluation(self.table(9), model="nowhere"))


class ChooseModel(Folder):
    def arguments(self, a: object, b: object, **more: object) -> dict[str, object]:
        return {"name_a": "first", "model_a": self.write("a", "model a"), "cv_rmse_a": a,
                "test_a": self.write("test_a", '{"rmse": 5, "rows": 3}'),
                "name_b": "second", "model_b": self.write("b", "model b"), "cv_rmse_b": b,
                "test_b": self.write("test_b", '{"rmse": 4}'),
                "model": "o/model", "metrics": "o/metrics", "report": "o/report.md", "winner": "o/winner", **more}

    def test_TheLowerErrorWinsAndTheFirstOnATie(self) -> None:
        for a, b, winner in ((10, 20, "first"), (20, 10, "second"), (10, 10, "first")):
            with self.subTest((a, b)):
                self.succeeds("choose_model", **self.arguments(a, b))
                self.assertEqual((self.folder / "o/winner").read_text(), winner)
                self.assertEqual((self.folder / "o/model").read_text(), "model a" if winner == "first" else "model b")
                self.assertEqual(json.loads((self.folder / "o/metrics").read_text())["cv_rmse"], 10)
        self.assertIn("| second | 10 | 4 |  |", (self.folder / "o/report.md").read_text())

    def test_RefusesWhatIsNoErrorOrNoMetrics(self) -> None:
        self.fails("is nan; expected a number", "choose_model", **self.arguments("nan", 1))
        arguments = self.arguments(1, 2)
        self.fails("is not a metrics file", "choose_model", **{**arguments, "test_a": self.write("bad", "[1]")})
        self.fails("is not a metrics file", "choose_model", **{**arguments, "test_a": self.write("bad", "{")})
        self.fails("model: cannot be copied", "choose_model", **{**arguments, "model_a": "no-model"})


if __name__ == "__main__":
    program = unittest.main(exit=False, testRunner=unittest.TextTestRunner(stream=sys.stdout))
    bad = len(program.result.failures) + len(program.result.errors)
    print(f"{program.result.testsRun - bad} passed, {bad} failed", flush=True)
    sys.exit(bad != 0)
