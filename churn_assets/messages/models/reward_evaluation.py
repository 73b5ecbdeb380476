"""How good a reward model is: on held-out pairs by flaw and source, its calibration, and what it
sees of fit."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor

from churn_assets.domain.statistics import share, sigmoid
from churn_assets.messages.config import RewardSettings
from churn_assets.messages.corpus.comparisons import (
    REASON,
    REVIEWED,
    RIGHT_OVER_WRONG,
    write_comparisons,
)
from churn_assets.messages.corpus.corpus import SOURCE
from churn_assets.messages.corpus.pairs import Pair
from churn_assets.messages.models.encoding import encode_pairs, of_like_length
from churn_assets.messages.models.scoring import RewardHead, scores

COMPARISON_SEED = 1_000_003
MARGIN_EDGES = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, float("inf"))


def score_pairs(
    model: PeftModel, tokenizer: Any, head: RewardHead, pairs: Sequence[Pair], max_length: int
) -> tuple[Tensor, Tensor]:
    """Scores of chosen and rejected, in one pass."""
    both = scores(model, head, encode_pairs(tokenizer, pairs, max_length))
    return both[: len(pairs)], both[len(pairs) :]


@torch.no_grad()
def evaluate(
    model: PeftModel,
    tokenizer: Any,
    head: RewardHead,
    pairs: Sequence[Pair],
    config: RewardSettings,
) -> dict[str, Any]:
    """Accuracy on held-out pairs: overall (the grammar's), by flaw, by source with its interval and
    the share of pairs that were cut at `max_length`; calibration. Its adapter is the active one."""
    margins = _margins(model, tokenizer, head, pairs, config)
    own = [m for m, pair in zip(margins, pairs, strict=True) if pair.source == SOURCE]
    by_flaw: dict[str, list[float]] = defaultdict(list)
    by_source: dict[str, list[float]] = defaultdict(list)
    for margin, pair in zip(margins, pairs, strict=True):
        by_source[pair.source].append(margin)
        if pair.flaw:
            by_flaw[pair.flaw].append(margin)
    return {
        **share(sum(m > 0 for m in own), len(own)).as_dict("accuracy"),
        "accuracy_by_flaw": {flaw: _accuracy(found) for flaw, found in sorted(by_flaw.items())},
        "accuracy_by_source": {name: _accuracy(found) for name, found in sorted(by_source.items())},
        "interval_by_source": {
            name: share(sum(m > 0 for m in found), len(found)).as_dict("accuracy")
            for name, found in sorted(by_source.items())
        },
        "cut_share_by_source": cut_shares(tokenizer, pairs, config.reward.max_length),
        "calibration": calibration(np.array(own)),
        "test_pairs": len(own),
    }


def _margins(
    model: PeftModel,
    tokenizer: Any,
    head: RewardHead,
    pairs: Sequence[Pair],
    config: RewardSettings,
) -> list[float]:
    """Score of chosen less that of rejected, for each pair."""
    found: dict[Pair, float] = {}
    for part in of_like_length(pairs):
        chosen, rejected = score_pairs(model, tokenizer, head, part, config.reward.max_length)
        found |= dict(zip(part, (chosen - rejected).tolist(), strict=True))
    return [found[pair] for pair in pairs]


@torch.no_grad()
def fit_figures(
    model: PeftModel, tokenizer: Any, head: RewardHead, config: RewardSettings
) -> dict[str, Any]:
    """How often the better of two messages scores higher, by what is better about it.

    `right_over_wrong` is of all its kinds together. The comparisons are the same for every seed of
    the model.
    """
    pairs = [
        Pair(found.prompt, found.better, found.worse, SOURCE, found.kind)
        for found in write_comparisons(
            COMPARISON_SEED, config.reward.comparisons, config.corpus.phrasing
        )
    ]
    margins = _margins(model, tokenizer, head, pairs, config)
    better: dict[str, list[bool]] = defaultdict(list)
    for pair, margin in zip(pairs, margins, strict=True):
        better[str(pair.flaw)].append(margin > 0)
    kinds = {kind: share(sum(found), len(found)) for kind, found in better.items()}
    every = [right for kind in RIGHT_OVER_WRONG for right in better[kind]]
    return {
        **share(sum(every), len(every)).as_dict("right_over_wrong"),
        "right_over_wrong_by_kind": {
            kind: kinds[kind].as_dict("share") for kind in RIGHT_OVER_WRONG
        },
        **kinds[REASON].as_dict(REASON),
        **kinds[REVIEWED].as_dict(REVIEWED),
    }


def cut_shares(tokenizer: Any, pairs: Sequence[Pair], max_length: int) -> dict[str, float]:
    """Of each source's pairs, the share that is longer than `max_length` tokens with its prompt."""
    cut: dict[str, list[bool]] = defaultdict(list)
    for i in range(0, len(pairs), 256):
        part = pairs[i : i + 256]
        mask = encode_pairs(tokenizer, part, sys.maxsize).mask
        for pair, length in zip(part, mask.sum(1).view(2, -1).amax(0).tolist(), strict=True):
            cut[pair.source].append(length > max_length)
    return {name: sum(found) / len(found) for name, found in sorted(cut.items())}


def _accuracy(margins: Sequence[float]) -> float:
    return sum(margin > 0 for margin in margins) / len(margins)


def calibration(margins: NDArray[np.float64]) -> list[dict[str, float]]:
    """By bins of |margin|: what the model says (mean sigmoid) and how often it is right."""
    size, right = np.abs(margins), margins > 0
    bins = []
    for low, high in pairwise(MARGIN_EDGES):
        inside = (size >= low) & (size < high)
        if inside.any():
            said = sigmoid(size[inside])
            bins.append(
                {
                    "margin": float(size[inside].mean()),
                    "expected": float(said.mean()),
                    "observed": float(right[inside].mean()),
                    "pairs": int(inside.sum()),
                }
            )
    return bins
