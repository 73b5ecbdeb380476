"""What outcomes have said so far in place of assumptions: handed from the outcomes to what learns.

A file, `measured.json`, so that whoever reads it needs nothing of who made it. Before there are
enough outcomes it holds nothing, and everything stays as assumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

FILE = "measured.json"
SLOPES = ("the model's own log-odds", "the churn risk", "the bill")
"""What the acceptance of an offer is measured to depend on, beyond what the accept model says."""

ENOUGH = 0.05
"""Share of the customers for whom a contact has to pay, for a policy to have something to decide:
one in twenty. Who gains least among them gains next to nothing."""


class Figure(BaseModel):
    """A constant that was assumed, and what outcomes make of it.

    Attributes:
        assumed: before any outcome.
        used: both weighed by what they know: the most probable value, given the outcomes.
        lower, upper: 95 % interval of the true value.
        share_measured: of what is known, how much is from outcomes: 0 where nothing was measured.
        trained: what the policy is made for instead of `used` (`Paying`); None: `used` itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    assumed: float
    used: float
    lower: float
    upper: float
    share_measured: float = Field(ge=0, le=1)
    trained: float | None = None

    @property
    def in_training(self) -> float:
        """What the policy is made for."""
        return self.used if self.trained is None else self.trained

    def towards_assumed(self, part: float) -> Self:
        """The policy is made for a figure so far on the way to what was assumed: 0 stays here."""
        there = self.used + part * (self.assumed - self.used) if part < 1 else self.assumed
        return self.model_copy(update={"trained": there if part else None})

    def sentence(self, what: str) -> str:
        """For people."""
        said = (
            f"{what}: {self.used:.2f} ({self.lower:.2f} to {self.upper:.2f}; assumed "
            f"{self.assumed:.2f}; {self.share_measured:.0%} of it measured)"
        )
        return (
            said
            if self.trained is None
            else f"{said}; the policy is trained with {self.trained:.2f}"
        )


class Slope(BaseModel):
    """By how much the log-odds of accepting any offer rise with one thing about a customer.

    Attributes:
        slope: for each `scale` that the customer lies above `centre`.
        centre, scale: mean and standard deviation of those whose outcomes are known; the scale of
            the model's own log-odds is 1, so that a slope of −1 would leave nothing of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: Figure
    centre: float
    scale: float = Field(gt=0)


class Steps(BaseModel):
    """What trees have learnt to add to an offer's log-odds, by churn risk and bill: all that they
    say, as a table.

    Attributes:
        risks, bills: (R,) and (B,) rising thresholds of the churn risk's log-odds and of the bill's
            logarithm; a customer at a threshold lies above it.
        added: (4, R + 1, B + 1) by offer and by how many thresholds lie at or below the customer.
        answers: that they learnt from.
        gain: by how much they lower the mean log loss of answers that they didn't learn from.
        error: the gain's standard error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    risks: tuple[float, ...]
    bills: tuple[float, ...]
    added: tuple[tuple[tuple[float, ...], ...], ...]
    answers: int
    gain: float
    error: float

    @property
    def sentence(self) -> str:
        """For people."""
        every = [one for offer in self.added for row in offer for one in row]
        return (
            f"acceptance by risk and bill beyond straight lines, log-odds: {min(every):+.2f} to "
            f"{max(every):+.2f}, by trees that learnt from {self.answers:,} answers (log loss "
            f"of others lower by {self.gain:.4f} ± {self.error:.4f})"
        )


FROM_A_LOG = (
    "learnt from your own log of answers (the contract's campaign, or CHURN_ACCEPT__CAMPAIGN_LOG) "
    "and from nothing else: what came of this product's contacts isn't in it until you add it"
)
"""Why an acceptance isn't measured that is no assumption either."""

UNMEASURED = "not measured by this product's outcomes, so as before them"
"""Of what they say nothing. Not "as assumed": before outcomes the acceptance may be an assumption,
or learnt from a company's own log, and what measures outcomes doesn't know which."""


class Paying(BaseModel):
    """For which share of the customers one contact pays, where money has no price.

    Attributes:
        as_measured: in the world as measured.
        in_training: in the world that the policy is made for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    as_measured: float = Field(ge=0, le=1)
    in_training: float = Field(ge=0, le=1)

    @property
    def enough(self) -> bool:
        """Whether the policy has something to decide."""
        return self.in_training >= ENOUGH

    def sentence(self, *, measured: bool) -> str:
        """For people: why the policy is made for another world than the measured one, if so.

        Args:
            measured: whether the effects of a contact are, and not only assumed.
        """
        if not measured:
            share = f"a contact pays for {self.in_training:.1%} of the customers"
            few = f", fewer than {ENOUGH:.0%}: the policy may find nobody worth contacting"
            return share if self.enough else share + few
        here = f"a contact pays for {self.as_measured:.1%} of the customers in the measured world"
        if self.as_measured >= ENOUGH:
            return f"{here}, in which the policy is trained"
        question = "whether to contact anybody at all is the lift report's question"
        if self.enough:
            return (
                f"{here}; the policy is trained in the nearest one, towards what was assumed, in "
                f"which it pays for {self.in_training:.1%}: {question}"
            )
        return (
            f"{here}, and for {self.in_training:.1%} as assumed, for fewer than {ENOUGH:.0%} in "
            f"all worlds between; the policy is trained in the assumed one and may find nobody "
            f"worth contacting: {question}"
        )


class Measured(BaseModel):
    """Everything that is measured by now.

    Attributes:
        outcomes: that were known.
        learnt: how many of them it rests on; None: written by an earlier version, which didn't say.
        responses: what the offsets correct: the accept model's `responses`, word for word.
        offsets: what is added to logit P(accept) at each offer, against that model; empty where
            nothing was measured.
        slopes: by whom the offers are accepted, in the order of `SLOPES`; empty like the offsets.
        steps: what trees add to them; None where they aren't shown to tell better.
        acceptance_effect, annoyance_effect: of the decision environment; None: as assumed.
        paying: where there is something to decide; None: customers weren't looked at for it.
        why_not: what isn't measured here -> why; it stays as it was before, or `FROM_A_LOG`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcomes: int = 0
    learnt: int | None = None
    responses: str = ""
    offsets: tuple[Figure, ...] = ()
    slopes: tuple[Slope, ...] = ()
    steps: Steps | None = None
    acceptance_effect: Figure | None = None
    annoyance_effect: Figure | None = None
    paying: Paying | None = None
    why_not: dict[str, str] = Field(default_factory=dict)

    @property
    def effects(self) -> dict[str, Figure]:
        """What is measured of a contact's effect, by name."""
        both = {name: getattr(self, name) for name in ("acceptance_effect", "annoyance_effect")}
        return {name: figure for name, figure in both.items() if figure is not None}

    def towards_assumed(self, part: float) -> Measured:
        """The policy is made for effects so far on the straight line to what was assumed."""
        moved = {name: figure.towards_assumed(part) for name, figure in self.effects.items()}
        return self.model_copy(update=moved)

    @property
    def sentences(self) -> list[str]:
        """What is measured and what is still assumed, for people."""
        known = {
            **{f"acceptance of offer {k}, log-odds": one for k, one in enumerate(self.offsets)},
            **{
                f"acceptance by {name}, log-odds": one.slope
                for name, one in zip(SLOPES, self.slopes, strict=False)
            },
            "effect of an acceptance": self.acceptance_effect,
            "annoyance by a contact": self.annoyance_effect,
        }
        said = [figure.sentence(what) for what, figure in known.items() if figure]
        if self.steps:
            said.append(self.steps.sentence)
        if self.paying:
            said.append(self.paying.sentence(measured=bool(self.effects)))
        return said + [
            f"{what}: {why}" if why == FROM_A_LOG else f"{what}: {UNMEASURED}; {why}"
            for what, why in self.why_not.items()
        ]

    def save(self, folder: Path) -> None:
        """Write `folder`/measured.json."""
        (folder / FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Measured:
        """From a folder; where it holds no such file, nothing was measured.

        Raises:
            ValueError: the file is none of its kind.
        """
        path = folder / FILE
        return cls.model_validate_json(path.read_bytes()) if path.exists() else cls()
