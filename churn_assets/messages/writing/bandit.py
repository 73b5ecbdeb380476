"""Which template goes to whom, learnt from answers: a Thompson-sampling bandit for every cell.

Arms are the templates of a cell that pass the shield, reviewed ones included; all start equal, so
no score decides before customers have. What is drawn, and its probability, are known before it is
sent and belong in the decision log: without them no later evaluation is possible.

    chooser = TemplateChooser(TemplateBandit.load(path))
    choice = chooser.choose(audience_of(brief), template_ids, seed=customer_and_day)
    ...                                   # answers arrive days later
    bandit.learn([Outcome(audience, choice.template, accepted)])

A state holds counts by audience and template, and nothing of any customer.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn_assets.messages.shield.brief import Contract, MessageBrief, TenureBand, Tone
from churn_assets.storage.trees import write_atomically

Audience = tuple[int, TenureBand, Contract | None, Tone]
"""Whom a message is for: offer (as `MessageBrief.known_offer`), tenure band, contract (None: of no
kind), tone. Every cell of the message bank is one."""
PARTS = ("offer", "band", "contract", "tone")
STATE = "templates.json"
CACHED = 4_096  # audiences and the templates that may be sent to them
ID_BYTES = 8

Floats = NDArray[np.float64]
GRID = (np.arange(1_000) + 0.5) / 1_000  # the success rates that posteriors are computed on
TINY = 1e-300
_LOG, _LOG_REST = np.log(GRID), np.log1p(-GRID)


class Outcome(NamedTuple):
    """What came of one message."""

    cell: Audience
    template: str
    success: bool


class Choice(NamedTuple):
    """The template to send, and the probability with which it was drawn, in (0, 1]."""

    template: str
    probability: float


class Preference(NamedTuple):
    """A template that is better than another of its cell, with the posterior's probability."""

    cell: Audience
    chosen: str
    rejected: str
    probability: float


@dataclass(frozen=True)
class BanditSettings:
    """How the bandit learns.

    Attributes:
        base_rate: success rate expected before any answer, in (0, 1).
        strength: answers that the prior counts as; it is the same for every template.
        memory: answers of a cell after which an old one counts 1 / e: appeal changes.
        floor: probability that is shared out among all templates evenly, for later evaluation.
    """

    base_rate: float = 0.1
    strength: float = 10.0
    memory: float = 8_000.0
    floor: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.base_rate < 1:
            raise ValueError(f"base_rate must be between 0 and 1, not {self.base_rate}")
        if not (self.strength > 0 and self.memory > 0 and 0 <= self.floor <= 1):
            raise ValueError("strength and memory must be positive, floor 0 to 1")


class TemplateBandit:
    """Thompson sampling (Thompson 1933) with Beta posteriors that forget (Raj, Kalyani 2017).

    A cell with few answers borrows: the prior of a template is centred on its rate in other cells,
    and where it has none on the rate of everything that was sent.
    """

    def __init__(self, settings: BanditSettings | None = None) -> None:
        self.settings = settings or BanditSettings()
        self._counts: dict[Audience, dict[str, Floats]] = defaultdict(dict)  # [successes, failures]
        self._texts: dict[str, Floats] = {}
        self._total = np.zeros(2)

    @property
    def answers(self) -> float:
        """What the answers learnt from still count as, an old one less."""
        return float(self._total.sum())

    def probabilities(self, cell: Audience, templates: Sequence[str]) -> Floats:
        """(K,) with which each of K > 0 different templates would be drawn now; they add up to 1.

        The probability that a template is the best of them, and an even share of the floor.
        """
        if not templates or len(set(templates)) < len(templates):
            raise ValueError("templates must be different, and at least one")
        best = _probability_of_being_best(*self._posteriors(cell, templates))
        floor = self.settings.floor
        return (1 - floor) * best + floor / len(templates)

    def choose(self, cell: Audience, templates: Sequence[str], *, draw: float) -> Choice:
        """The template for a uniform number in [0, 1); the same number chooses the same."""
        if not 0 <= draw < 1:
            raise ValueError(f"draw must be in [0, 1), not {draw}")
        return Shares.of(self, cell, tuple(templates)).choose(draw)

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Take in answers, in the order in which they came."""
        kept = np.exp(-1 / self.settings.memory)
        for cell, template, success in outcomes:
            for text, counts in self._counts[cell].items():
                self._add(text, (kept - 1) * counts)
                counts *= kept
            own = self._counts[cell].setdefault(template, np.zeros(2))
            came = np.array([success, not success], np.float64)
            own += came
            self._add(template, came)

    def preferences(self, level: float = 0.95) -> Iterator[Preference]:
        """Winners and losers of each cell: pairs to train the next reward model on."""
        for cell, arms in self._counts.items():
            texts = sorted(arms)
            for i, one in enumerate(texts):
                for other in texts[i + 1 :]:
                    better = _probability_of_being_best(*self._posteriors(cell, [one, other]))[0]
                    if better >= level:
                        yield Preference(cell, one, other, float(better))
                    elif 1 - better >= level:
                        yield Preference(cell, other, one, float(1 - better))

    def save(self, path: Path) -> None:
        rows = [
            dict(zip(PARTS, cell, strict=True))
            | {"template": text, "successes": counts[0], "failures": counts[1]}
            for cell, arms in self._counts.items()
            for text, counts in arms.items()
        ]
        state = {"settings": asdict(self.settings), "arms": rows}
        write_atomically(path, (json.dumps(state, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> TemplateBandit:
        """Read a saved state; raises ValueError naming the file when it is not one."""
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            bandit = cls(BanditSettings(**state["settings"]))
            for row in state["arms"]:
                cell = row["offer"], row["band"], row["contract"], row["tone"]
                counts = np.array([row["successes"], row["failures"]], np.float64)
                if not (np.isfinite(counts).all() and (counts >= 0).all()):
                    raise ValueError(f"counts must be 0 or more, not {counts}")
                bandit._counts[cell][str(row["template"])] = counts
                bandit._add(str(row["template"]), counts)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no state of a template bandit: {error!r}") from error
        return bandit

    def _add(self, text: str, counts: Floats) -> None:
        self._texts[text] = self._texts.get(text, np.zeros(2)) + counts
        self._total = self._total + counts

    def _posteriors(self, cell: Audience, templates: Sequence[str]) -> tuple[Floats, Floats]:
        """Both parameters of each template's Beta distribution: (K,), (K,)."""
        strength = self.settings.strength
        overall = (self._total[0] + strength * self.settings.base_rate) / (
            self._total.sum() + strength
        )
        arms = self._counts.get(cell, {})
        own = np.array([arms.get(text, np.zeros(2)) for text in templates])
        elsewhere = np.array([self._texts.get(text, np.zeros(2)) for text in templates]) - own
        # Subtracting decayed sums leaves rounding below 0.
        elsewhere = elsewhere.clip(min=0)
        rate = (elsewhere[:, 0] + strength * overall) / (elsewhere.sum(1) + strength)
        return own[:, 0] + strength * rate, own[:, 1] + strength * (1 - rate)


class Shares(NamedTuple):
    """The probabilities of an audience's templates, each above 0, and their running sums."""

    templates: tuple[str, ...]
    shares: tuple[float, ...]
    sums: tuple[float, ...]

    @classmethod
    def of(cls, bandit: TemplateBandit, cell: Audience, templates: tuple[str, ...]) -> Shares:
        shares = bandit.probabilities(cell, templates)
        return cls(templates, tuple(shares.tolist()), tuple(shares.cumsum().tolist()))

    def choose(self, draw: float) -> Choice:
        """The template for a uniform number in [0, 1)."""
        place = min(bisect_right(self.sums, draw), len(self.shares) - 1)
        return Choice(self.templates[place], self.shares[place])


class TemplateChooser:
    """Chooses templates by one state of the bandit, which must not learn any more.

    Threads may share it: whoever follows newer states takes another chooser for each.
    """

    def __init__(self, bandit: TemplateBandit | None = None) -> None:
        self.bandit = bandit or TemplateBandit()
        self._shares = lru_cache(maxsize=CACHED)(
            lambda cell, templates: Shares.of(self.bandit, cell, templates)
        )

    def choose(self, cell: Audience, templates: tuple[str, ...], *, seed: str) -> Choice:
        """One of the templates; the same seed chooses the same of the same ones."""
        digest = hashlib.blake2b(seed.encode(), digest_size=8, person=b"template").digest()
        return self._shares(cell, templates).choose((int.from_bytes(digest) >> 11) / 2**53)


@lru_cache(maxsize=65_536)
def template_id(template: str) -> str:
    """What a template is called where its text must not stand: 16 hexadecimal digits."""
    return hashlib.blake2b(template.encode(), digest_size=ID_BYTES).hexdigest()


def audience_of(brief: MessageBrief) -> Audience:
    return brief.known_offer, brief.band, brief.contract, brief.tone


def _probability_of_being_best(a: Floats, b: Floats) -> Floats:
    """P(X_i is the largest) for independent X_i ~ Beta(a_i, b_i): (K,), (K,) -> (K,).

    By the midpoint rule on `GRID`: the probability is needed exactly as it is drawn from.
    """
    log_density = (a - 1)[:, None] * _LOG + (b - 1)[:, None] * _LOG_REST
    density = np.exp(log_density - log_density.max(1, keepdims=True))
    density /= density.sum(1, keepdims=True)
    logs = np.log((density.cumsum(1) - density / 2).clip(min=TINY))
    others = np.exp(logs.sum(0) - logs)
    found = (density * others).sum(1)
    return found / found.sum()
