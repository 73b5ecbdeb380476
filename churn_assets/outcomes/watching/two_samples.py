"""Can a classifier tell two tables apart? 0.5: no better than chance, 1: every row.

A cross-validated classifier two-sample test (Lopez-Paz and Oquab, 2017) on as many rows of either
table, by XGBoost, which also sees how columns go together, and by logistic regression. The AUC is
an effect size: with more rows it is known more closely, but doesn't grow, as a p-value would.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

FOLDS = 5


def telling_apart(real: pd.DataFrame, made: pd.DataFrame, seed: int = 0) -> dict[str, float]:
    """Out-of-fold AUC of each classifier at telling the tables' rows apart.

    Args:
        real: (N, C) with numbers, flags and text; at least `FOLDS` rows.
        made: (M, C), same columns. Of the longer table as many rows are drawn as the other has.
        seed: of the draw and the folds.
    """
    rows = min(len(real), len(made))
    # Another generator than the folds': with theirs, the same permutation would undo this one.
    rng = np.random.default_rng(seed)
    parts = [part.sample(rows, random_state=rng) for part in (real, made)]
    together = pd.concat(parts, ignore_index=True)
    labels = np.repeat([0, 1], rows)
    numbers = together.select_dtypes("number")
    texts = together.drop(columns=list(numbers)).astype(str)
    numbers = numbers.astype("float64")
    matrix = pd.concat([numbers, pd.get_dummies(texts, dtype="float64")], axis=1)
    alike = pd.util.hash_pandas_object(together, index=False).to_numpy()
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    boosted = XGBClassifier(
        n_estimators=200, max_depth=4, learning_rate=0.1, subsample=0.8, n_jobs=1, random_state=seed
    )
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    complete = matrix.fillna(-1)
    return {
        "xgboost": _auc(boosted, matrix, labels, folds, alike),
        "logistic": _auc(linear, complete, labels, folds, alike),
    }


def _auc(
    model: object,
    matrix: pd.DataFrame,
    labels: NDArray[np.int64],
    folds: StratifiedGroupKFold,
    alike: NDArray[np.integer[Any]],
) -> float:
    """Rows alike stay in one fold: of a row that both tables have, a model that had seen the one
    copy would take the other for a row of the same table, and be worse than chance."""
    scores = cross_val_predict(
        model, matrix.to_numpy(), labels, groups=alike, cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(labels, scores[:, 1]))
