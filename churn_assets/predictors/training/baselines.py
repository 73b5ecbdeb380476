"""What a booster has to beat: logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn_assets.predictors.scoring.features import Feature

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


def one_hot(matrix: Matrix, features: Sequence[Feature]) -> Matrix:
    """Categories of an encoded matrix (N, F) as indicator columns; the rest unchanged."""
    columns: list[Matrix] = []
    for column, feature in zip(matrix.T, features, strict=True):
        codes = range(len(feature.categories))
        columns += [(column == code) for code in codes] if feature.categories else [column]
    return np.column_stack(columns).astype(np.float32)


def logistic_regression(
    learn: Matrix, labels: Floats, test: Matrix, features: Sequence[Feature]
) -> Floats:
    """P(label) of the test rows by L2-regularised logistic regression on one-hot features.

    Missing numbers are filled with the median and flagged; all columns are standardised.
    """
    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    model.fit(one_hot(learn, features), labels)
    return model.predict_proba(one_hot(test, features))[:, 1]
