"""Pairs to learn from and to be judged on, whatever their source: the corpus, public data, answers.

Two models read them, the reward model and the judge, each its half of those to learn from.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn_assets.messages.config import RewardSettings
from churn_assets.messages.corpus.answers import INPUT as ANSWERS
from churn_assets.messages.corpus.answers import read_answers
from churn_assets.messages.corpus.corpus import read_jsonl


@dataclass(frozen=True)
class Pair:
    """One comparison; `source` is the corpus's `SOURCE` or a public data set's name.

    `flaw` names what is wrong with the rejected text, None for public pairs.
    """

    prompt: str
    chosen: str
    rejected: str
    source: str
    flaw: str | None

    @property
    def length(self) -> int:
        """About its number of tokens: capitals are tokens of their own."""
        return max(len(t) + 3 * sum(map(str.isupper, t)) for t in (self.chosen, self.rejected))


def read_pairs(inputs: Mapping[str, Path], config: RewardSettings, split: str) -> list[Pair]:
    """The grammar's pairs and, to train on, some of the public ones, mixed evenly.

    Public test pairs are judged up to `public_test_pairs`, and those by answers beside them.
    """
    public = read_jsonl(inputs["preference_pairs"] / f"{split}.jsonl")
    limit = {"train": config.corpus.public_pairs, "test": config.corpus.public_test_pairs}[split]
    if split == "train" or limit < len(public):
        public = spread(public, limit, config.reward.seed)
    own = read_jsonl(inputs["retention_preferences"] / f"{split}.jsonl")
    answers = read_answers(inputs.get(ANSWERS), split) if split == "test" else []
    pairs = as_pairs([*own, *public, *answers])
    random.Random(config.reward.seed).shuffle(pairs)
    return pairs


def as_pairs(rows: Sequence[dict[str, Any]]) -> list[Pair]:
    """Rows of the corpus as pairs."""
    return [
        Pair(row["prompt"], row["chosen"], row["rejected"], row["source"], row.get("flaw"))
        for row in rows
    ]


def spread(rows: Sequence[dict[str, Any]], limit: int, seed: int) -> list[dict[str, Any]]:
    """At most `limit` rows, drawn from every source in equal numbers while it lasts."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    turns: Counter[str] = Counter()
    ranked = []
    for row in order:
        ranked.append((turns[row["source"]], row["source"], row))
        turns[row["source"]] += 1
    return [row for _, _, row in sorted(ranked, key=lambda found: found[:2])[:limit]]
