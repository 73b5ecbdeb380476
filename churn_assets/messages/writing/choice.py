"""Which method is served: the best by the judge among those that always pass and fit.

Each bank serves the same held-out situations as the API would. What is compared is what customers
would read: the method's kept templates, and reviewed ones where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.statistics import bootstrap_mean, share
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.judging.judge import Judge
from churn_assets.messages.models.evaluation import distinct_n, evaluation_situations, fits, passes
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import REVIEWED, MessageBank
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.writer import MessageWriter

IN_A_TIE = ("ppo", "sft", "grammar", REVIEWED)  # who is served where the judge sees no difference
LEAST_FIT = 0.9
COMPARED, SEED = 512, 2_000_003  # situations that no training and no other evaluation draws
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
TENURES = {"new": 3, "settled": 14, "long": 41}


@dataclass(frozen=True)
class Tried:
    """What one method would send for each situation, and what the judge says of it."""

    texts: list[str]
    passed: list[bool]
    fitting: list[bool]
    naturalness: NDArray[np.float64]

    def figures(self) -> dict[str, Any]:
        """Shares that pass and that fit and the mean naturalness (ratings of 1 to 5), each with its
        95 % interval; distinct-2, in [0, 1]."""
        count = len(self.texts)
        return {
            **share(sum(self.passed), count).as_dict("pass_rate"),
            **share(sum(self.fitting), count).as_dict("fit"),
            **bootstrap_mean(self.naturalness).as_dict("naturalness"),
            "distinct2": distinct_n(self.texts, 2),
        }


def held_out_situations() -> list[Situation]:
    """The situations that methods are compared on: no training and no other evaluation has them."""
    return evaluation_situations(COMPARED, SEED)


def try_bank(
    bank: MessageBank,
    shield: Shield,
    renderer: Renderer,
    judge: Judge,
    situations: Sequence[Situation],
) -> Tried:
    """Serve every situation from the bank. One that only a reviewed template was there for counts
    as not passed, unless the bank is empty: then reviewed templates are the method."""
    writer = MessageWriter(shield, renderer, bank)
    sent = [writer.write(_brief(one), f"C{i}") for i, one in enumerate(situations)]
    texts = [message.template for message in sent]
    own = [message.source == bank.author or not len(bank) for message in sent]
    passed = [
        good and mine
        for good, mine in zip(passes(shield, texts, situations), own, strict=True)
    ]  # fmt: skip
    fitting = fits(shield, texts, situations)
    return Tried(texts, passed, fitting, judge.score(texts, situations))


def best_of(tried: Mapping[str, Tried]) -> str:
    """The most natural of those that pass always and fit often enough; where none fits often
    enough, of those that pass always. Reviewed templates always pass.

    A method whose naturalness differs from the highest by no more than chance (the interval of the
    difference holds 0) ties with it, and a tie goes to the first of `IN_A_TIE`.
    """
    safe = {name: one for name, one in tried.items() if all(one.passed)}
    fit = {
        name: one for name, one in safe.items() if sum(one.fitting) / len(one.texts) >= LEAST_FIT
    }
    found = fit or safe
    top = max(found.values(), key=lambda one: one.naturalness.mean())
    tied = [name for name, one in found.items() if lead(top, one)["lead_lower"] <= 0]
    return min(tied, key=IN_A_TIE.index)


def lead(one: Tried, other: Tried) -> dict[str, Any]:
    """How much more natural one is than the other, situation by situation, in ratings."""
    return bootstrap_mean(one.naturalness - other.naturalness).as_dict("lead")


def sentence(tried: Mapping[str, Tried], served: str) -> str:
    """Who writes what is served, and how PPO-Text stands against it."""
    names = {"ppo": "PPO-Text", "sft": "SFT", "grammar": "the grammar"}

    def told(name: str) -> str:
        figures = tried[name].figures()
        return f"naturalness {figures['naturalness']:.2f} of 5, fit {figures['fit']:.2f}"

    said = f"Served: {names.get(served, 'reviewed templates')} ({told(served)})"
    if served == "ppo":
        return f"{said}."
    behind = lead(tried["ppo"], tried[served])
    interval = f"[{behind['lead_lower']:+.2f}, {behind['lead_upper']:+.2f}]"
    return f"{said}; PPO-Text: {told('ppo')}, {behind['lead']:+.2f} {interval} from the served."


def win_rate(one: Tried, other: Tried) -> dict[str, Any]:
    """How often the judge prefers one to the other for the same situation; ties count half."""
    gaps = one.naturalness - other.naturalness
    return bootstrap_mean((gaps > 0) + 0.5 * (gaps == 0)).as_dict("win_rate")


def _brief(situation: Situation) -> MessageBrief:
    return MessageBrief(
        name="Sam",
        tenure=TENURES[situation.band],
        offer_percentage=situation.offer,
        monthly_charges=74.2,
        contract=situation.contract,
        local_time=NOON,
        services=situation.services,
        tone=situation.tone,
    )
