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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn_assets.customers.languages import Language
from churn_assets.messages.shield.brief import (
    Contract,
    MessageBrief,
    Service,
    TenureBand,
    Tone,
)
from churn_assets.messages.shield.slots import OF_OWN_CONTRACTS
from churn_assets.storage.trees import write_atomically

OWN_SLOTS = ("name", "tenure", OF_OWN_CONTRACTS)  # some customers have nothing to fill them with
STATE = "templates.json"
CACHED = 4_096  # audiences and the templates that may be sent to them
ID_BYTES = 8

Floats = NDArray[np.float64]
GRID = 7 * (np.arange(1_000) - 499.5) / 500  # asinh of the log-odds that posteriors are computed on
TINY = 1e-300
_LOG, _LOG_REST = -np.logaddexp(0, -np.sinh(GRID)), -np.logaddexp(0, np.sinh(GRID))  # of a rate
_LOG_WIDTH = np.log(np.cosh(GRID))  # of the log-odds that a point stands for


class Audience(NamedTuple):
    """Whom a message is for: everybody to whom the same templates may be sent.

    Were customers compared who may not, templates for streamers would win where streamers accept
    more anyway.

    Attributes:
        offer: as `MessageBrief.known_offer`.
        contract: None: of no kind.
        services: that a message may speak of.
        slots: those of `OWN_SLOTS` that can be filled.

    The last three are None in what was logged before they were: answers of customers of all kinds,
    for whom no message is drawn any more, so that they only inform the other audiences' priors.
    """

    offer: int
    band: TenureBand
    contract: Contract | None
    tone: Tone
    services: tuple[Service, ...] | None = None
    slots: tuple[str, ...] | None = None
    language: Language | None = None

    @classmethod
    def read(cls, parts: Iterable[Any]) -> Audience:
        """From its parts as JSON has them, without tuples; raises TypeError where one lacks."""
        known: list[Any] = [tuple(part) if isinstance(part, list) else part for part in parts]
        return cls(*known)


class Outcome(NamedTuple):
    """What came of one message."""

    cell: Audience
    template: str
    success: bool


class Choice(NamedTuple):
    """The template to send, and the probability with which it was drawn, in (0, 1]."""

    template: str
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

    A cell with few answers borrows: the prior of a template is centred on the cell's own rate times
    what the template did elsewhere, as successes for each that its readers there give on average
    (indirect standardisation). A cell's rate is drawn to that of everything that was sent.
    """

    def __init__(self, settings: BanditSettings | None = None) -> None:
        self.settings = settings or BanditSettings()
        self._counts: dict[Audience, dict[str, Floats]] = defaultdict(dict)  # [successes, failures]
        self._known: Known | None = None

    @property
    def answers(self) -> float:
        """What the answers learnt from still count as, an old one less."""
        return float(
            sum(counts.sum() for arms in self._counts.values() for counts in arms.values())
        )

    @property
    def counts(self) -> Mapping[Audience, Mapping[str, Floats]]:
        """Of each cell's templates: [successes, failures]."""
        return self._counts

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
        kept, self._known = np.exp(-1 / self.settings.memory), None
        for cell, template, success in outcomes:
            arms = self._counts[cell]
            for counts in arms.values():
                counts *= kept
            arms.setdefault(template, np.zeros(2))[0 if success else 1] += 1

    def save(self, path: Path) -> None:
        """Write settings and counts as JSON: the old file or the new, never half of one."""
        rows = [
            cell._asdict() | {"template": text, "successes": counts[0], "failures": counts[1]}
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
                known = Audience._field_defaults | row
                cell = Audience.read(known[part] for part in Audience._fields)
                counts = np.array([row["successes"], row["failures"]], np.float64)
                if not (np.isfinite(counts).all() and (counts >= 0).all()):
                    raise ValueError(f"counts must be 0 or more, not {counts}")
                bandit._counts[cell][str(row["template"])] = counts
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no state of a template bandit: {error!r}") from error
        bandit._known_now()  # so that no customer's message waits for it
        return bandit

    def _known_now(self) -> Known:
        if self._known is None:
            self._known = Known.of(self._counts, self.settings)
        return self._known

    def _posteriors(self, cell: Audience, templates: Sequence[str]) -> tuple[Floats, Floats]:
        """Both parameters of each template's Beta distribution: (K,), (K,)."""
        overall, rates, texts = self._known_now()
        strength, rate = self.settings.strength, rates.get(cell, overall)
        arms = self._counts.get(cell, {})
        own = np.array([arms.get(text, np.zeros(2)) for text in templates])
        here = np.stack([own[:, 0], own.sum(1) * rate], 1)
        elsewhere = np.array([texts.get(text, np.zeros(2)) for text in templates]) - here
        # Subtracting sums leaves rounding below 0.
        came, expected = elsewhere.clip(min=0).T + strength * overall
        odds = came / expected * rate / (1 - rate)
        prior = strength * odds / (1 + odds)
        return own[:, 0] + prior, own[:, 1] + strength - prior


class Known(NamedTuple):
    """What all answers together say, before those of a cell and a template.

    Attributes:
        overall: rate of everything that was sent, in (0, 1).
        rates: of each cell, in (0, 1).
        texts: template -> its successes, and those expected at the rates of its readers' cells.
    """

    overall: float
    rates: Mapping[Audience, float]
    texts: Mapping[str, Floats]

    @classmethod
    def of(cls, counts: Mapping[Audience, Mapping[str, Floats]], settings: BanditSettings) -> Known:
        """From each cell's successes and failures by template (empirical Bayes).

        A cell's rate is drawn towards that of everything, and that one towards `base_rate`, each by
        `strength` answers.
        """

        def rate(of: Floats, prior: float) -> float:
            return float((of[0] + settings.strength * prior) / (of.sum() + settings.strength))

        cells = {cell: np.sum([*arms.values()], 0) for cell, arms in counts.items() if arms}
        overall = rate(np.sum([np.zeros(2), *cells.values()], 0), settings.base_rate)
        rates = {cell: rate(of, overall) for cell, of in cells.items()}
        texts: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
        for cell, arms in counts.items():
            for text, own in arms.items():
                texts[text] += own[0], own.sum() * rates[cell]
        return cls(overall, rates, dict(texts))


class Shares(NamedTuple):
    """The probabilities of an audience's templates, each above 0, and their running sums."""

    templates: tuple[str, ...]
    shares: tuple[float, ...]
    sums: tuple[float, ...]

    @classmethod
    def of(cls, bandit: TemplateBandit, cell: Audience, templates: tuple[str, ...]) -> Shares:
        """The bandit's probabilities of these templates for an audience."""
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
    """The brief's; its slots are those that `Renderer.values` fills."""
    filled = brief.name, brief.names_tenure, brief.subject
    slots = tuple(slot for slot, value in zip(OWN_SLOTS, filled, strict=True) if value)
    return Audience(
        brief.known_offer,
        brief.band,
        brief.contract,
        brief.tone,
        brief.facts.services,
        slots,
        brief.language,
    )


def _probability_of_being_best(a: Floats, b: Floats) -> Floats:
    """P(X_i is the largest) for independent X_i ~ Beta(a_i, b_i): (K,), (K,) -> (K,).

    By the trapezoidal rule on `GRID`: the probability is needed exactly as it is drawn from. Even
    in asinh of the log-odds, it is as fine for rates of 0.1 % as of 20 %, of ten answers as of some
    ten thousand, and reaches to where a template without a success may be (in the way of double
    exponential formulas, Takahasi, Mori 1974).
    """
    log_density = a[:, None] * _LOG + b[:, None] * _LOG_REST + _LOG_WIDTH
    density = np.exp(log_density - log_density.max(1, keepdims=True))
    density /= density.sum(1, keepdims=True)
    below = density.cumsum(1) - density / 2
    below[:, 1:-1] -= (density[:, 2:] - density[:, :-2]) / 24  # the rule's first error
    logs = np.log(below.clip(min=TINY))
    others = np.exp(logs.sum(0) - logs)
    found = (density * others).sum(1)
    return found / found.sum()
