"""What a booster has to beat: logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.scoring.linear import Linear, Term

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


def one_hot(matrix: Matrix, features: Sequence[Feature]) -> Floats:
    """Categories of an encoded matrix (N, F) as indicator columns; the rest unchanged."""
    columns: list[Matrix] = []
    for column, feature in zip(matrix.T, features, strict=True):
        codes = range(feature.levels)
        columns += [(column == code) for code in codes] if codes else [column]
    return np.column_stack(columns).astype(np.float64)


def logistic_regression(
    learn: Matrix, labels: Floats, test: Matrix, features: Sequence[Feature]
) -> Floats:
    """P(label) of the test rows by L2-regularised logistic regression on one-hot features.

    Missing numbers are filled with the median and flagged; all columns are standardised.
    """
    model = _pipeline()
    model.fit(one_hot(learn, features), labels)
    return model.predict_proba(one_hot(test, features))[:, 1]


def _pipeline() -> Pipeline:
    """Imputation, standardisation, regression.

    Newton's method in 64 bits, to its end: where a quasi-Newton method stops depends on the order
    in which a machine adds up, and with it a customer's worth by some cents.
    """
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(solver="newton-cholesky", tol=1e-8),
    )


def fit_linear(learn: Matrix, labels: Floats, features: Sequence[Feature]) -> Linear:
    """The same regression as a sum of one term for each feature, which needs numpy only.

    A column without any value adds nothing.
    """
    columns = one_hot(learn, features)
    columns[:, np.isnan(columns).all(axis=0)] = 0
    model = _pipeline()
    model.fit(columns, labels)
    imputer, scaler, regression = (step for _, step in model.steps)
    slopes = regression.coef_[0] / scaler.scale_
    intercept = float(regression.intercept_[0] - slopes @ scaler.mean_)
    flagged = dict(zip(imputer.indicator_.features_, slopes[columns.shape[1] :], strict=True))
    terms, at = [], 0
    for column, feature in zip(learn.T, features, strict=True):
        if feature.levels:
            levels = tuple(map(float, slopes[at : at + feature.levels]))
            term = Term(0.0, levels, 0.0, 0.0)
        else:
            slope = float(slopes[at])
            missing = slope * float(imputer.statistics_[at]) + float(flagged.get(at, 0.0))
            term = Term(slope, (), missing, 0.0)
        at += max(feature.levels, 1)
        terms.append(replace(term, average=float(term(column).mean())))
    return Linear(intercept, tuple(terms))
