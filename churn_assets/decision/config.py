"""Settings of the decision area: the assumed retention environment, its presets, and training.

Every constant of `EnvironmentParams` is an assumption, not a measurement: the public data has no
retention campaign in it. The benchmark therefore reports over all of `PRESETS`; the graph reports
the served one, and those in `also_report`.

Money is a share of the customer's yearly value (12 x monthly charge) throughout. The nine numbers
that the policy sees don't include the value, so a cost that didn't scale with it would make the
state non-Markov.
"""

from math import ceil
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from churn_assets.domain.offers import Offers
from churn_assets.domain.plain_errors import own_words

FINEST = range(1, 101)
"""Into how many parts the smallest discount may have to be divided: whole per cent need no more."""
BUILT_IN_STEP = Offers().shares[1]
"""The smallest discount of the built-in offers, share of the yearly value."""


class EnvironmentParams(BaseModel):
    """What the world is assumed to do when a customer is contacted, or left alone.

    A period ends each day with probability 1 / `period_days`; until then the customer churns each
    day with the hazard that makes P(churn within the period) equal to the churn risk shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    period_days: float = Field(30.0, gt=1)
    """Mean length of a period in days; its end is memoryless."""
    discounts: tuple[float, float, float, float] = (0.0, 0.05, 0.10, 0.15)
    """Price of each accepted offer, share of the yearly value."""
    budget_limit: float = Field(0.02, gt=0)
    """Limit on the mean spend per customer and period, share of value: a constraint on the whole
    customer base, priced by a multiplier. A period begins with a clean sheet for everybody."""
    budget_allowance: float = Field(0.20, gt=0)
    """The most one customer can be given in a period; what is left of it is `budget_remaining`.
    An offer that exceeds it can't be made."""
    contact_cap: int = Field(3, ge=1, le=5)
    """Contacts per period above which the fatigue violation starts. One contact above the cap is
    possible (and penalised); after it the channel is closed."""
    cooldown_days: int = Field(7, ge=1, le=14)
    """Days after a contact during which another one is unwelcome."""
    acceptance_effect: float = Field(2.5, ge=0)
    """Fall of logit(churn risk) when an offer is accepted: it comes with a renewed contract."""
    annoyance_effect: float = Field(0.05, ge=0)
    """Rise of logit(churn risk) after a refused contact or a contact in cooldown."""
    cooldown_reluctance: float = Field(0.8, ge=0)
    """Fall of logit(acceptance) right after a contact; fades linearly over the cooldown."""
    fatigue_reluctance: float = Field(0.1, ge=0)
    """Fall of logit(acceptance) for each contact already made in the period."""
    history_share: float = Field(0.3, ge=0, lt=1)
    """Share of customers who begin with a contact history (contacts, spend, a running cooldown)
    instead of a clean sheet: those that the service meets in the middle of a period."""
    contact_cost: float = Field(0.001, ge=0)
    """Attention that one contact costs, share of value."""
    decision_cost: float = Field(0.0002, ge=0)
    """Cost of looking at the customer once, share of value; makes the delay matter."""
    effect_share: float = Field(1.0, ge=0, le=1)
    """For what share of those who accept the effect works, each acceptance anew. Nobody sees for
    whom: the churn risk shown after an acceptance is the mean over both."""
    effect_without_discount: float | None = Field(None, ge=0)
    """Fall of logit(churn risk) when a contact without a discount is accepted; None: as much as
    with one (`acceptance_effect`), which is the most it can be."""
    persistence: int | None = Field(None, ge=1, le=120)
    """Months after the period whose bills count, each weighed with the chance that the customer is
    still there under the hazard of the period's end, and discounted; None: twelve bills, for sure
    and at once, for everybody who is retained."""
    discount_rate: float = Field(0.01, gt=0, lt=1)
    """Monthly rate at which later bills are discounted; counts only with `persistence`."""
    hard_cooldown_days: int = Field(0, ge=0)
    """Days after a contact during which another one is impossible; 0: it is only unwelcome."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.hard_cooldown_days > self.cooldown_days:
            raise ValueError(
                f"hard_cooldown_days: {self.hard_cooldown_days} is more than the cooldown_days "
                f"{self.cooldown_days}, beyond which no day is told from another"
            )
        if not self.bare_effect <= self.acceptance_effect:
            raise ValueError(
                f"effect_without_discount: {self.effect_without_discount} is more than the "
                f"acceptance_effect {self.acceptance_effect} of a discount"
            )
        if self.discounts[0] != 0 or list(self.discounts) != sorted(set(self.discounts)):
            raise ValueError(f"discounts must rise strictly from 0, not {self.discounts}")
        if self.discounts[-1] > 1:
            raise ValueError(f"discounts: {self.discounts[-1]:.0%} is more than the whole price")
        if not any(self._counts_in(parts) for parts in FINEST):
            raise ValueError(
                "budget_allowance and every discount must be whole multiples of the smallest "
                f"discount {self.discounts[1]} or of a part of it: the exact oracle counts spend "
                "in that unit"
            )
        return self

    def _counts_in(self, parts: int) -> bool:
        """Whether all money is a whole number of the smallest discount's `parts`-th part."""
        unit = self.discounts[1] / parts
        amounts = [money / unit for money in (*self.discounts, self.budget_allowance)]
        return all(abs(amount - round(amount)) <= 1e-9 for amount in amounts)

    @property
    def spend_unit(self) -> float:
        """The unit in which spend is counted exactly: the largest part of the smallest discount
        above zero that divides all others and the allowance; where it can, that discount."""
        return self.discounts[1] / next(parts for parts in FINEST if self._counts_in(parts))

    def offering(self, offers: Offers | None) -> Self:
        """The same world with a company's own offers. The allowance follows the largest: it stays
        as many times it, in whole parts of the smallest."""
        if offers is None or offers.shares == self.discounts:
            return self
        own = type(self).model_validate(
            self.model_dump() | {"discounts": offers.shares, "budget_allowance": offers.shares[-1]}
        )
        times = self.budget_allowance / self.discounts[-1]
        allowed = ceil(round(times * own.budget_allowance / own.spend_unit, 6)) * own.spend_unit
        return type(self).model_validate(own.model_dump() | {"budget_allowance": allowed})

    @property
    def price_reach(self) -> float:
        """How many times further than with the built-in offers prices of money have to go: an offer
        that costs a twelfth is made until money is twelve times as dear. Never less than 1."""
        return max(1.0, BUILT_IN_STEP / self.discounts[1])

    @property
    def bare_effect(self) -> float:
        """Effect of an accepted contact without a discount, in logits."""
        own = self.effect_without_discount
        return self.acceptance_effect if own is None else own

    @property
    def bare_share(self) -> float:
        """The same as a share of a discount's effect, in [0, 1]."""
        return self.bare_effect / self.acceptance_effect if self.acceptance_effect else 1.0

    @property
    def counts_bare_apart(self) -> bool:
        """Whether acceptances with and without a discount do different things."""
        return self.bare_effect != self.acceptance_effect

    @property
    def clean(self) -> Self:
        """The same world, met by every customer at the start of a period with a clean sheet: what
        a period's money is counted over."""
        return self.model_copy(update={"history_share": 0.0})

    @property
    def contact_stop(self) -> int:
        """Contacts in a period after which no further contact is possible."""
        return self.contact_cap + 1


# Plausible, and chosen among some forty worlds for those where rules lose most; fixed before PPO
# was run on them. This favours the size of PPO's lead: see benchmarks/DECISION.md.
PRESETS: dict[str, EnvironmentParams] = {
    "mild": EnvironmentParams(
        budget_limit=0.03,
        cooldown_days=5,
        acceptance_effect=3.0,
        annoyance_effect=0.02,
        cooldown_reluctance=0.5,
        fatigue_reluctance=0.05,
        contact_cost=0.0005,
    ),
    "moderate": EnvironmentParams(),
    "frugal": EnvironmentParams(budget_limit=0.01),
    "weary": EnvironmentParams(
        cooldown_days=10, annoyance_effect=0.1, cooldown_reluctance=1.5, fatigue_reluctance=0.4
    ),
    "harsh": EnvironmentParams(
        cooldown_days=10,
        acceptance_effect=3.0,
        annoyance_effect=0.3,
        cooldown_reluctance=1.0,
        fatigue_reluctance=0.6,
        contact_cost=0.004,
    ),
}
DEFAULT_PRESET = "moderate"


class Assumptions(BaseModel):
    """What is assumed beside the presets, in all of them alike; None: as in the preset.

    No public data say what a retention contact does, and the presets alone are kind to contacts.
    Each of these makes the world less so; `policy_report` shows what is left of the uplift
    (docs/environment.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    effect_share: float | None = Field(None, ge=0, le=1)
    """For what share of those who accept the effect works."""
    persistence: int | None = Field(12, ge=1, le=120)
    """Months after the period whose bills count, under the hazard at its end, discounted; null:
    twelve bills for sure."""
    effect_without_discount: float | None = Field(1.25, ge=0)
    """Fall of logit(churn risk) when a contact without a discount is accepted; null: as much as
    with one."""
    hard_cooldown_days: int | None = Field(3, ge=0)
    """Days after a contact during which another one is impossible; null or 0: it is only
    unwelcome."""
    annoyance_effect: float | None = Field(None, ge=0)
    """Rise of logit(churn risk) after a refused contact: 0.15 is pessimistic."""

    def applied(self, params: EnvironmentParams) -> EnvironmentParams:
        """The world with what is assumed here; raises ValueError where it can't be."""
        return EnvironmentParams.model_validate(dict(params) | self.model_dump(exclude_none=True))

    def with_room(self, params: EnvironmentParams) -> EnvironmentParams:
        """`applied` to any world: one with too short a cooldown for what is assumed here, or too
        little effect of a discount, is given as much of it as that takes."""
        room = {
            "cooldown_days": max(params.cooldown_days, self.hard_cooldown_days or 0),
            "acceptance_effect": max(params.acceptance_effect, self.effect_without_discount or 0),
        }
        return self.applied(params.model_copy(update=room))


PLAIN = Assumptions(persistence=None, effect_without_discount=None, hard_cooldown_days=None)
"""The presets as they are: kind to contacts."""


class PpoConfig(BaseModel):
    """Constrained PPO (Schulman et al. 2017; Lagrange multipliers as in Ray et al. 2019), told the
    budget's price and the world (`learning/contexts.py`).

    Attributes:
        horizon: steps that every environment is played in one update.
        updates: policy updates of the whole training.
        epochs: passes over the steps of one update.
        minibatch: steps of one gradient step.
        hidden: units of each of the two shared layers.
        gae_lambda: of generalised advantage estimation; 1 has no bias, 0 the least variance.
        clip: largest change of a decision's probability ratio that is rewarded.
        value_coefficient: weight of the value head's loss.
        entropy_start, entropy_end: weight of the entropy bonus, falling in a line.
        learning_rate_start, learning_rate_end: of Adam, falling in a line.
        gradient_norm: gradients are clipped to this norm.
        dual_every: updates between two steps of the budget multiplier.
        fatigue_rate: step size of the fatigue multiplier.
        fatigue_start: fatigue multiplier at the beginning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    customers: int = Field(128, ge=1)
    """Parallel environments: an update takes customers x horizon = 2,048 steps over all of them."""
    worlds: int = Field(4, ge=1)
    """Worlds of one update, among whom the environments are shared out in equal parts."""
    own_worlds: int = Field(1, ge=0)
    """How many of them are the world that the policy is made for; the others are drawn from
    `contexts.RANGES`."""
    highest_price: float = Field(12.0, gt=0)
    """Prices of the budget are drawn from 0 to this, one for each episode: a quarter of the default
    budget costs 7. As many times further where offers cost less than the built-in ones."""
    price_bins: int = Field(8, ge=1)
    """Groups of like prices within which advantages are standardised."""
    horizon: int = Field(16, ge=1)
    updates: int = Field(560, ge=1)
    epochs: int = Field(4, ge=1)
    minibatch: int = Field(256, ge=1)
    hidden: int = Field(128, ge=1)
    gae_lambda: float = Field(0.95, ge=0, le=1)
    clip: float = Field(0.2, gt=0)
    value_coefficient: float = Field(0.5, ge=0)
    entropy_start: float = Field(0.003, ge=0)
    entropy_end: float = Field(0.0, ge=0)
    learning_rate_start: float = Field(2e-3, gt=0)
    learning_rate_end: float = Field(5e-5, gt=0)
    gradient_norm: float = Field(0.5, gt=0)
    reward_scale: float = Field(20.0, gt=0)
    """Rewards are shares of value (about 0.01); the networks learn them times this number."""
    budget_rate: float = Field(40.0, ge=0)
    """Step size of the budget multiplier's signed update; use is a share of value (about 0.02)."""
    dual_every: int = Field(16, ge=1)
    dual_from: float = Field(0.4, ge=0, le=1)
    """Share of the training after which the multipliers move: an unfinished policy contacts at
    random."""
    dual_customers: int = Field(128, ge=1)
    """The budget multiplier follows the deployed policy's exact spend on so many customers."""
    fatigue_rate: float = Field(0.1, ge=0)
    fatigue_start: float = Field(0.2, ge=0)
    fatigue_tolerance: float = Field(0.0005, gt=0)
    """Limit on the mean number of contacts above the cap per customer and period."""

    @model_validator(mode="after")
    def _equal_parts(self) -> Self:
        if self.customers % self.worlds or self.own_worlds > self.worlds:
            raise ValueError(
                f"worlds: {self.customers} customers can't be shared out in equal parts among "
                f"{self.worlds} worlds, {self.own_worlds} of them the policy's own"
            )
        return self


class WorldSettings(BaseModel):
    """In which worlds: the stages `retention_environment` and `oracle_policy`, and all others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = DEFAULT_PRESET
    """The world that the served policy is made for."""
    also_report: tuple[str, ...] = ()
    """Further presets to train on and report: the benchmark takes all of them."""
    assumed: Assumptions = Assumptions()

    @model_validator(mode="after")
    def _known_preset(self) -> Self:
        for preset in self.presets:
            if preset not in PRESETS:
                raise ValueError(f"unknown preset {preset!r}: choose one of {sorted(PRESETS)}")
            try:
                self.world(preset)
            except ValidationError as error:  # of several lines, and it doesn't name the preset
                what = own_words(error.errors()[0]["msg"])
                raise ValueError(f"preset {preset!r}: {what}") from None
        return self

    def world(self, preset: str) -> EnvironmentParams:
        """A preset with what is assumed otherwise."""
        return self.assumed.applied(PRESETS[preset])

    @property
    def presets(self) -> tuple[str, ...]:
        """All presets to train on, the served one first, each once."""
        return tuple(dict.fromkeys((self.preset, *self.also_report)))

    @property
    def environment(self) -> EnvironmentParams:
        """The chosen preset's parameters, with what is assumed otherwise."""
        return self.world(self.preset)


class RuleSettings(WorldSettings):
    """Stage `baseline_policies`."""

    tuning_customers: int = Field(128, ge=1)
    """Customers of the calibration half (`Groups`) on whom the baselines' variants are compared."""
    calibration_customers: int = Field(1024, ge=1)
    """Customers of the calibration half on whom every policy is calibrated to the budget."""


class _Compared(WorldSettings):
    """What training and report must agree about.

    Attributes:
        seeds: PPO is trained once with each; the best on validation customers may be served.
    """

    seeds: tuple[int, ...] = Field((0,), min_length=1)
    price_customers: int = Field(512, ge=1)
    """Training customers on whom the optimum's price of the budget is solved, for the yardstick;
    and customers of the calibration half on whom prices are re-tuned under stress."""
    watched_customers: int = Field(160, ge=1)
    """Validation customers of the learning curve, and of the choice among seeds."""
    bootstrap: int = Field(1000, ge=100)
    """Bootstrap samples (customers and seeds) behind every interval."""


class TrainingSettings(_Compared):
    """Stage `decision_policy`.

    Attributes:
        curve_points: points of the learning curve.
    """

    ppo: PpoConfig = PpoConfig()
    calibration_customers: int = Field(1024, ge=1)
    """Customers of the calibration half on whom every policy is calibrated to the budget."""
    curve_points: int = Field(12, ge=1)


class ReportSettings(_Compared):
    """Stage `policy_report`."""

    loop_episodes: int = Field(20_000, ge=2)
    """Episodes of the closed loop: simulated customers, decided on with what a caller knows."""
    serve: Literal["best", "ppo", "planner", "look2", "greedy_retry", "priced_greedy"] = "best"
    """Which policy is served: `best` is PPO where it passes its gates and is within half a point of
    the strongest rule and of the exact planner, else the best of these. Another name is that policy
    whatever it captures (PPO still has to pass its gates)."""


class DecisionConfig(RuleSettings, TrainingSettings, ReportSettings):
    """What the decision assets are built from; the defaults are the embedded profile."""
