"""How well the judge, and the reward model, agree with messages rated by reading."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.messages.judging.agreement import Floats, correlation
from churn_assets.messages.judging.judge import fit_judge
from churn_assets.messages.judging.ratings import Rated, rated_pairs

FOLDS, DRAWS = 5, 1_000


def held_out_scores(rated: Sequence[Rated]) -> tuple[Floats, NDArray[np.int64]]:
    """(N,), (N,): each text's score by a judge that saw no rating of this text, and its fold.

    A template that was read more than once is in one fold only.
    """
    texts = sorted({one.text for one in rated})
    random.Random(0).shuffle(texts)
    fold_of = {text: i % FOLDS for i, text in enumerate(texts)}
    folds = np.array([fold_of[one.text] for one in rated])
    found = np.zeros(len(rated))
    for fold in range(FOLDS):
        judge = fit_judge([one for one, own in zip(rated, folds, strict=True) if own != fold])
        inside = np.flatnonzero(folds == fold).tolist()
        found[inside] = judge.score(
            [rated[i].text for i in inside], [rated[i].situation for i in inside]
        )
    return found, folds


def pair_accuracy(
    scores: Floats, rated: Sequence[Rated], folds: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """Share of rated pairs ordered as the ratings are, ties half; the interval redraws messages.

    folds: pairs are taken within a fold only, where scores of several judges are mixed.
    """
    pairs = np.array(rated_pairs(rated))
    if folds is not None:
        pairs = pairs[folds[pairs[:, 0]] == folds[pairs[:, 1]]]
    gaps = scores[pairs[:, 0]] - scores[pairs[:, 1]]
    right = (gaps > 0) + 0.5 * (gaps == 0)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(len(rated), size=len(rated)), minlength=len(rated))
        weight = times[pairs[:, 0]] * times[pairs[:, 1]]
        drawn.append(np.average(right, weights=weight))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"accuracy": float(right.mean()), "interval": [float(low), float(high)],
            "pairs": len(pairs)}  # fmt: skip


def agreement(rated: Sequence[Rated]) -> dict[str, Any]:
    """The judge on ratings that it didn't learn from: accuracy, correlation, means by source.

    `style_unseen`: the mean score of reviewed messages by a judge that never read a rating of one.
    """
    scores, folds = held_out_scores(rated)
    ratings = np.array([one.rating for one in rated], np.float64)
    sources = np.array([one.source for one in rated])
    others = fit_judge([one for one in rated if one.source != "reviewed"])
    reviewed = [one for one in rated if one.source == "reviewed"]
    unseen = others.score([one.text for one in reviewed], [one.situation for one in reviewed])
    return {
        **pair_accuracy(scores, rated, folds),
        "correlation": correlation(scores, ratings),
        "by_source": {
            str(source): {
                "rated": float(ratings[sources == source].mean()),
                "judged": float(scores[sources == source].mean()),
                "messages": int((sources == source).sum()),
            }
            for source in sorted(set(sources))
        },
        "style_unseen": float(unseen.mean()),
    }
