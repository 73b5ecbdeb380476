"""What a reward model must see of fit, on situations and template families that it never saw.

Each comparison is of two messages of the same situation; those of `RIGHT_OVER_WRONG` differ in one
part, drawn from the same lists, so that neither length nor words give the wrong one away. The
reviewed templates of the last kind name nothing of the customer, and no training pair has them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import grammar, write_message
from churn_assets.messages.corpus.prompts import random_situation
from churn_assets.messages.corpus.reviewed import reviewed_for
from churn_assets.messages.corpus.swaps import write_swapped

RIGHT_OVER_WRONG = {
    "fact": "wrong_fact",
    "band": "wrong_band",
    "closing": "wrong_closing",
    "greeting": "wrong_greeting",
}
"""Kind of comparison -> the swap that makes the worse message."""
REASON, REVIEWED = "reason_over_none", "reviewed_over_bare"


@dataclass(frozen=True)
class Comparison:
    """Two messages for one prompt."""

    kind: str
    prompt: str
    better: str
    worse: str


def write_comparisons(seed: int, each: int, phrasing: Phrasing = "fixed") -> Iterator[Comparison]:
    """`each` comparisons of every kind, in the words of the held-out families."""
    rng, families = random.Random(f"{seed}-comparisons"), grammar(phrasing).families_of("test")
    for kind in (*RIGHT_OVER_WRONG, REASON, REVIEWED):
        for _ in range(each):
            situation, family = random_situation(rng), rng.choice(families)
            if kind == REVIEWED:
                reviewed = reviewed_for(situation.offer, situation.band, situation.tone)
                better = rng.choice(reviewed)
                worse = write_message(rng, situation, family, {"bare": 1}, phrasing)
            else:
                swap = RIGHT_OVER_WRONG.get(kind, "missing_reason")
                right, wrong = write_swapped(rng, situation, family, swap, phrasing)
                better, worse = right.text, wrong.text
            yield Comparison(kind, situation.prompt, better, worse)
