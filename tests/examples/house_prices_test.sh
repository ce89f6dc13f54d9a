#!/usr/bin/env bash
# The house-prices example for real: it learns, its branches run side by side, its tree is where the design says.
set -euo pipefail
# shellcheck source=tests/lib/checks.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/checks.sh"

check 'the pipeline runs' run_example house-prices houses -p n_trials=4
run="$root/runs/houses"

for file in ingest/dataset/dataset.csv preprocess/features/features.csv split/dataset_train/train.csv \
  split/dataset_test/test.csv train_boosting/model/model.joblib train_forest/model/model.joblib \
  train_boosting/feature_importances/feature_importances.csv evaluate_boosting/baseline/data \
  evaluate_boosting/train/data evaluate_boosting/test/data evaluate_forest/test/data \
  choose/model/model.joblib choose/report/report.md choose/metrics/data run.json pipeline.yaml; do
  check "there is $file" test -s "$run/$file"
done
check 'latest is this run' test "$root/latest" -ef "$run"

# What DESIGN promises of the data.
check 'a fifth of the houses is kept back' in_run houses \
  'len(rows("split", "dataset_test", "test.csv")) == 586 and len(rows("split", "dataset_train", "train.csv")) == 2344'
check 'years became ages and the month its cosine' in_run houses \
  '{"Year_Built_Age", "Year_Remod_Add_Age", "Mo_Sold_Cos"} <= set(rows("preprocess", "features", "features.csv")[0])
   and not {"Year_Built", "Mo_Sold"} & set(rows("preprocess", "features", "features.csv")[0])'

for branch in boosting forest; do
  check "the $branch learns: its test error is under 0.4 of the baseline's" in_run houses \
    "numbers('evaluate_$branch', 'test')['rmse'] < 0.4 * numbers('evaluate_$branch', 'baseline')['rmse']"
  check "the $branch explains most of what prices differ by" in_run houses \
    "numbers('evaluate_$branch', 'test')['r2'] > 0.85"
  check "the $branch is better on what it has seen" in_run houses \
    "numbers('evaluate_$branch', 'train')['rmse'] < numbers('evaluate_$branch', 'test')['rmse']"
done
check 'size or quality of the house matters most' in_run houses \
  'rows("train_boosting", "feature_importances", "feature_importances.csv")[0]["feature"]
   in ("Gr_Liv_Area", "Garage_Cars", "Year_Built_Age", "Total_Bsmt_SF", "First_Flr_SF")'

check 'the better model is chosen, and it is that very file' in_run houses \
  '(path / "choose/model/model.joblib").read_bytes() == (path / min(("train_boosting", "train_forest"),
     key=lambda task: run["tasks"][task]["outputs"]["parameters"]["cv_rmse"]) / "model/model.joblib").read_bytes()'
check 'the metrics are in the manifest' in_run houses \
  'run["tasks"]["choose"]["outputs"]["artifacts"]["metrics"]["metadata"]["rmse"] == numbers("choose", "metrics")["rmse"]'
check 'every task succeeded' in_run houses \
  'run["state"] == "succeeded" and {task["state"] for task in run["tasks"].values()} == {"succeeded"}'

# Each branch asks for one core.
if (($(nproc) >= 2)); then
  check 'the two models were trained at the same time' in_run houses \
    'max(times("train_boosting")[0], times("train_forest")[0]) < min(times("train_boosting")[1], times("train_forest")[1])'
fi

finish
