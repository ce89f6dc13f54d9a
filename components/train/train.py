"""Tunes and trains a regression model, beside a baseline that always answers the mean.

Optuna looks for the settings with the lowest cross-validated error (root mean squared error); the first trial is a
library's own defaults, so tuning never ends worse than those. The same seed gives the same model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Callable

import optuna
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

import tables

Settings = dict[str, Any]


def suggest_gradient_boosting(trial: optuna.Trial) -> Settings:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 400, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 5),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 8),
    }


def suggest_random_forest(trial: optuna.Trial) -> Settings:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 50, 150, step=25),
        "max_depth": trial.suggest_int("max_depth", 6, 24),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 4),
    }


class Kind:
    """One kind of model: how to make it, what to tune, and the settings to start from."""

    def __init__(self, make: type[RegressorMixin], suggest: Callable[[optuna.Trial], Settings], defaults: Settings):
        self.make = make
        self.suggest = suggest
        self.defaults = defaults


KINDS = {
    "gradient_boosting": Kind(GradientBoostingRegressor, suggest_gradient_boosting, {
        "n_estimators": 100, "learning_rate": 0.1, "max_depth": 3, "subsample": 1.0, "max_features": 1.0,
        "min_samples_leaf": 1}),
    "random_forest": Kind(RandomForestRegressor, suggest_random_forest, {
        "n_estimators": 100, "max_depth": 24, "max_features": 1.0, "min_samples_leaf": 1}),
}


def with_encoding(model: RegressorMixin) -> Pipeline:
    """The model behind an encoding: gaps in numbers become the median, texts become numbers, unknown ones -1."""
    encoding = ColumnTransformer([
        ("numbers", SimpleImputer(strategy="median", keep_empty_features=True),
         make_column_selector(dtype_include="number")),
        ("texts", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1),
         make_column_selector(dtype_exclude="number")),
    ], verbose_feature_names_out=False)
    return Pipeline([("encoding", encoding), ("model", model)])


def tune(kind: Kind, features: pd.DataFrame, target: pd.Series, trials: int, folds: int,
         seed: int) -> tuple[Settings, float]:
    """The best settings found, and their cross-validated error."""
    parts = KFold(n_splits=folds, shuffle=True, random_state=seed)

    def error_of(trial: optuna.Trial) -> float:
        pipeline = with_encoding(kind.make(random_state=seed, **kind.suggest(trial)))
        return float(-cross_val_score(pipeline, features, target, cv=parts, error_score="raise",
                                      scoring="neg_root_mean_squared_error").mean())

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        tables.say(f"trial {trial.number + 1}/{trials}: error {trial.value:.0f}, best {study.best_value:.0f}")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(n_startup_trials=5, seed=seed))
    study.enqueue_trial(kind.defaults)
    study.optimize(error_of, n_trials=trials, callbacks=[report])
    return dict(study.best_params), float(study.best_value)


def importances_of(pipeline: Pipeline) -> pd.DataFrame:
    names = pipeline.named_steps["encoding"].get_feature_names_out()
    table = pd.DataFrame({"feature": names, "importance": pipeline.named_steps["model"].feature_importances_})
    return table.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="CSV file to learn from")
    parser.add_argument("--target", required=True, help="column to predict")
    parser.add_argument("--kind", required=True, help=f"one of: {', '.join(KINDS)}")
    parser.add_argument("--n-trials", type=int, required=True, help="settings to try, 1 or more")
    parser.add_argument("--folds", type=int, required=True, help="parts of the cross-validation, 2 or more")
    parser.add_argument("--random-state", type=int, required=True, help="seed, 0 or more")
    parser.add_argument("--model", type=Path, required=True, help="file to write: the model (joblib)")
    parser.add_argument("--baseline-model", type=Path, required=True, help="file to write: the baseline (joblib)")
    parser.add_argument("--feature-importances", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--best-params", type=Path, required=True, help="file to write: the settings found (JSON)")
    parser.add_argument("--cv-rmse", type=Path, required=True, help="file to write: their cross-validated error")
    args = parser.parse_args()

    if args.kind not in KINDS:
        raise tables.ComponentError(f"kind is '{args.kind}'; expected one of: {', '.join(KINDS)}")
    if args.n_trials < 1:
        raise tables.ComponentError(f"n_trials is {args.n_trials}; expected 1 or more")
    if not 0 <= args.random_state < 2**32:
        raise tables.ComponentError(f"random_state is {args.random_state}; expected 0 to {2**32 - 1}")
    features, target = tables.split_target(tables.read_table(args.dataset), args.target, args.dataset)
    if not 2 <= args.folds <= len(features):
        raise tables.ComponentError(f"folds is {args.folds}; expected 2 to the number of rows, {len(features)}")

    kind = KINDS[args.kind]
    tables.say(f"{args.kind}: {len(features)} rows, {features.shape[1]} features, "
               f"{args.n_trials} trials, {args.folds} folds")
    settings, error = tune(kind, features, target, args.n_trials, args.folds, args.random_state)
    model = with_encoding(kind.make(random_state=args.random_state, **settings)).fit(features, target)
    baseline = DummyRegressor(strategy="mean").fit(features, target)

    tables.write_model(model, args.model)
    tables.write_model(baseline, args.baseline_model)
    tables.write_table(importances_of(model), args.feature_importances)
    tables.write_text(json.dumps(settings, sort_keys=True), args.best_params)
    tables.write_text(repr(error), args.cv_rmse)
    tables.say(f"cross-validated error {error:.0f} with {json.dumps(settings, sort_keys=True)}")


if __name__ == "__main__":
    tables.run(main)
