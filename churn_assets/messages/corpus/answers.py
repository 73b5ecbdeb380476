"""Pairs that customers decided: of two templates sent to one kind of customer, the better one.

The asset `template_answers` (`outcomes.learning.templates`) writes them, in the form of the corpus.
Few pairs say little, and each stands for many answers: below `RewardConfig.answer_pairs` they are
left out, and above it they make up `RewardConfig.answer_share` of what a reward model learns from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from churn_assets.messages.corpus.corpus import read_jsonl

SOURCE = "answers"
PAIRS = "preferences.jsonl"
INPUT = "answer_pairs"  # of the reward stage, where there are enough
HELD_OUT = 5  # of as many pairs of texts one is not learnt from

Item = TypeVar("Item")


def read_answers(folder: Path | None, split: str) -> list[dict[str, Any]]:
    """The split's rows, of an artifact or none; two texts are in one split, whoever read them."""
    rows = read_jsonl(folder / PAIRS) if folder else []
    return [row for row in rows if _is_held_out(row) == (split == "test")]


def _is_held_out(row: dict[str, Any]) -> bool:
    both = "\n".join(sorted((row["chosen"], row["rejected"])))
    return hashlib.blake2b(both.encode(), digest_size=8).digest()[0] % HELD_OUT == 0


def with_share(items: Sequence[Item], answers: Sequence[Item], share: float) -> list[Item]:
    """The items and behind them the answers, over and over until they are `share` of all.

    Args:
        share: in [0, 1).
    """
    if not answers:
        return list(items)
    wanted = round(len(items) * share / (1 - share))
    return [*items, *(answers[i % len(answers)] for i in range(wanted))]
