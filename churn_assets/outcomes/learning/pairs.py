"""Of two templates the one that customers like better, where that is more than chance.

Two are compared where both were sent, and audience by audience, since streamers accept more than
others whatever they read (Mantel, Haenszel 1959). An audience has few answers to a template that
seldom wins, so what all audiences of an offer, tenure band, contract and tone say is added up. Of
many pairs chance decides some: of those found, few are expected to be (Benjamini, Hochberg 1995).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from churn_assets.messages.writing.bandit import Audience, TemplateBandit

Floats = NDArray[np.float64]
CHANCE = 0.05  # share of the pairs found that may be chance
FEWEST = 5.0  # successes and failures of either, expected were both equally good (Cochran 1954)


class Pair(NamedTuple):
    """A template that is better than another.

    Attributes:
        audience: of those in which both were sent, the one with most answers to them.
        p_value: of both being equally good, in [0, 1].
    """

    audience: Audience
    chosen: str
    rejected: str
    p_value: float


def decided(bandit: TemplateBandit, among: Set[str], chance: float = CHANCE) -> list[Pair]:
    """The pairs that answers decide.

    Args:
        among: templates that may make a pair.
        chance: share of the pairs found that may be chance, as expected; in (0, 1).
    """
    # Audiences whose services aren't known hold customers of all kinds: they are by themselves.
    alike: dict[object, dict[Audience, dict[str, Floats]]] = defaultdict(dict)
    for audience, arms in bandit.counts.items():
        own = {text: counts for text, counts in arms.items() if text in among}
        alike[audience[:4], audience.services is None][audience] = own
    pairs = [pair for audiences in alike.values() for pair in _compared(audiences)]
    if not pairs:
        return []
    adjusted = false_discovery_control([pair.p_value for pair in pairs])
    return [pair for pair, p_value in zip(pairs, adjusted, strict=True) if p_value <= chance]


def _compared(audiences: Mapping[Audience, Mapping[str, Floats]]) -> Iterator[Pair]:
    """Every two templates of which enough is known, the better one first.

    What is enough doesn't depend on which is better: the others are no tests. An old answer that
    counts less makes the test a little too careful.
    """
    texts = sorted({text for arms in audiences.values() for text in arms})
    # (K, K), of a template (row) held against another: successes more than expected, their
    # variance, expected successes and failures, and the most answers of any audience to both.
    more, variance, successes, failures, most = np.zeros((5, len(texts), len(texts)))
    where = np.zeros((len(texts), len(texts)), np.int64)
    for place, arms in enumerate(audiences.values()):
        came, failed = np.array([arms.get(text, (0.0, 0.0)) for text in texts]).reshape(-1, 2).T
        sent = came + failed
        product = np.multiply.outer(sent, sent)
        total = np.where(product > 0, np.add.outer(sent, sent), np.inf)
        accepted, refused = np.add.outer(came, came), np.add.outer(failed, failed)
        more += (np.multiply.outer(came, sent) - np.multiply.outer(sent, came)) / total
        variance += product * accepted * refused / total**3
        successes += sent[:, None] * accepted / total
        failures += sent[:, None] * refused / total
        answers = np.where(product > 0, total, 0)
        where[answers > most] = place
        most = np.maximum(most, answers)
    enough = np.minimum(successes, failures) >= FEWEST
    known = list(audiences)
    for i, j in np.argwhere(np.triu(enough & enough.T, 1)).tolist():
        p_value = math.erfc(abs(more[i, j]) / math.sqrt(2 * variance[i, j]))
        better, worse = (i, j) if more[i, j] > 0 else (j, i)
        yield Pair(known[where[i, j]], texts[better], texts[worse], p_value)
