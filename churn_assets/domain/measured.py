"""What outcomes have said so far in place of assumptions: handed from the outcomes to what learns.

A file, `measured.json`, so that whoever reads it needs nothing of who made it. Before there are
enough outcomes it holds nothing, and everything stays as assumed.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

FILE = "measured.json"
SLOPES = ("the model's own log-odds", "the churn risk", "the bill")
"""What the acceptance of an offer is measured to depend on, beyond what the accept model says."""


class Figure(BaseModel):
    """A constant that was assumed, and what outcomes make of it.

    Attributes:
        assumed: before any outcome.
        used: both weighed by what they know: the most probable value, given the outcomes.
        lower, upper: 95 % interval of the true value.
        share_measured: of what is known, how much is from outcomes: 0 where nothing was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    assumed: float
    used: float
    lower: float
    upper: float
    share_measured: float = Field(ge=0, le=1)

    def sentence(self, what: str) -> str:
        """For people."""
        return (
            f"{what}: {self.used:.2f} ({self.lower:.2f} to {self.upper:.2f}; assumed "
            f"{self.assumed:.2f}; {self.share_measured:.0%} of it measured)"
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
        why_not: what isn't measured here -> why; it is as assumed, or `FROM_A_LOG`.
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
    why_not: dict[str, str] = Field(default_factory=dict)

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
        return said + [
            f"{what}: {why}" if why == FROM_A_LOG else f"{what}: as assumed; {why}"
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
