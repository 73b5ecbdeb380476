"""From customers to decisions, vectorised: the one path that the API, the batch and the golden set
share. Numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.customers.schema import load_schema
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import LONGEST_DELAY, Decisions, Policy
from churn_assets.decision.mdp.dynamics import risk_shift
from churn_assets.decision.mdp.exploration import NONE, Exploration, explore, possible
from churn_assets.decision.mdp.horizon import risk_of_a_period
from churn_assets.decision.mdp.observation import ACCEPT, ANSWER_FIELDS, RISK, Answers, build_states
from churn_assets.decision.mdp.outcomes import Outcomes, decision_outcomes
from churn_assets.decision.policy import at_price, load_params, load_policy
from churn_assets.domain.experiment import ExperimentConfig, exploration_draw
from churn_assets.domain.offers import OFFER_PERCENTAGES, Offers
from churn_assets.domain.statistics import logit
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.predictors.scoring.features import encode
from churn_assets.predictors.scoring.scorers import AcceptScorer, RiskScorer

HALF_A_CENT = 0.5  # in cents: what is less is rounded to nothing

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Inputs:
    """What models and policy read of N customers, whether these came as rows or as columns.

    ids: N customers' ids, None for one without; only looked up among those that the risk model
    learnt from.
    risk: (N, F) the risk model's matrix. contacts: (N, G) the accept model's, of the customers at
    the start of the period, offered nothing. bills: (N,) monthly charges in currency.
    budget_remaining: (N,) share of the allowance. days_since_contact: (N,) NaN for never.
    contacts_this_period: (N,). answers: to these contacts; None where none is known.
    """

    ids: Sequence[Any]
    risk: Floats32
    contacts: Floats32
    bills: Floats
    budget_remaining: Floats
    days_since_contact: Floats
    contacts_this_period: Floats
    answers: Answers | None

    def __len__(self) -> int:
        return len(self.risk)


IF_MISSING = {
    "monthly_charges": np.nan,
    "budget_remaining": 1.0,
    "days_since_contact": np.nan,
    "contacts_this_period": 0.0,
}
"""What stands in for a missing value is part of the state's meaning: an unspent allowance, never
contacted, no contact in this period."""


@dataclass(frozen=True)
class Draw:
    """What exploring is drawn by: the share of the decisions that take the runner-up, and (N,) a
    number from [0, 1) for each customer (`domain.experiment.exploration_draw`)."""

    share: float
    uniform: Floats


@dataclass(frozen=True)
class Assessments:
    """N customers, assessed.

    states: (N, 9) what the policy saw. values: (N,) what each is worth, in currency.
    risk: (N,) P(churn); risk_source: (N,) where it is from, a place in
    `predictors.scoring.held_out.RISK_SOURCES`. accept: (N, 4) P(accept | offer 0, 5, 10, 15 %).
    Both at the present contact history, as the policy sees them: with the period's contacts and
    answers.
    option: (N,) column of `outcomes` that the decision chose: 0 no contact, 1..4 the offers.
    contributions: (N, F) what each feature adds to the risk's log-odds, then what each kind of
    answer adds where any is known (`Assessor.reasons` names them); None unless asked for.
    exploration: between which options each decision was drawn, were nobody left alone.
    """

    states: Floats
    values: Floats
    risk: Floats
    risk_source: NDArray[np.int8]
    accept: Floats
    decisions: Decisions
    outcomes: Outcomes
    option: NDArray[np.int64]
    exploration: Exploration
    contributions: Floats | None = None

    def __len__(self) -> int:
        return len(self.risk)

    @property
    def expected_value(self) -> Floats:
        """(N,) expected reward of the decision minus that of not contacting, in currency."""
        return self._chosen(self.outcomes.expected_value)

    @property
    def retention(self) -> Floats:
        """(N,) P(still a customer at the end of the period | decision)."""
        return self._chosen(self.outcomes.retention)

    @property
    def expected_cost(self) -> Floats:
        """(N,) expected discount that the decision pays, in currency."""
        return self._chosen(self.outcomes.expected_cost)

    def _chosen(self, figures: Floats) -> Floats:
        return np.asarray(figures[np.arange(len(self)), self.option])


class Assessor:
    """A release's models and policies: rows of customers in, `Assessments` out."""

    def __init__(
        self,
        risk: RiskScorer,
        accept: AcceptScorer,
        policy: Policy,
        baseline: Policy,
        params: EnvironmentParams,
        horizon_days: float | None = None,
        percent: Sequence[int] = OFFER_PERCENTAGES,
        months: int = MONTHS_OF_VALUE,
    ) -> None:
        self.risk = risk
        self.accept = accept
        self.policy = policy
        self.baseline = baseline
        self.params = params
        self.horizon_days = horizon_days
        self.percent = tuple(percent)  # of the offers, by level
        self.months = months  # that an offer lasts
        self.reasons = (*risk.feature_names, *ANSWER_FIELDS.values())

    @classmethod
    def load(cls, folder: Path, *, tables: bool = False) -> Assessor:
        """From a release folder's components; raises what the loaders raise, naming the file.

        Args:
            tables: XGBoost itself scores large batches, instead of the numpy forest.
        """
        schema = load_schema(folder)
        offers = schema.offers if schema and schema.offers else Offers()
        return cls(
            RiskScorer.load(folder / "risk", tables=tables),
            AcceptScorer.load(folder / "accept", tables=tables),
            load_policy(folder / "policy"),
            load_policy(folder / "baseline"),
            load_params(folder / "policy"),
            schema.horizon_days if schema else None,
            offers.percent,
            offers.months,
        )

    def assess(
        self,
        rows: Sequence[Mapping[str, Any]],
        baseline: Sequence[bool] = (),
        *,
        control: Sequence[bool] = (),
        explain: bool = False,
        draw: Draw | None = None,
    ) -> Assessments:
        """Score the rows and decide.

        Args:
            rows: the contract's fields, `tenure` and `monthly_charges`, plus contact history and
                `budget_remaining`; a missing key or None is a missing value.
            baseline: for each row, whether to use the rule-based policy instead of the learned one;
                empty: for none.
            control: for each row, whether the customer is left alone, whatever the policy says;
                empty: nobody is.
            explain: whether to compute `contributions`.
            draw: by which the learned policy's decisions explore (the rules of the kill switch
                never do); None: nothing explores.

        Raises:
            ValueError: a value outside its range; names the column.
        """
        return self.assess_inputs(
            self._inputs(rows),
            np.array(baseline, np.bool_),
            control=np.array(control, np.bool_),
            explain=explain,
            draw=draw,
        )

    def assess_inputs(
        self,
        inputs: Inputs,
        baseline: Flags,
        *,
        control: Flags,
        explain: bool = False,
        draw: Draw | None = None,
    ) -> Assessments:
        """`assess` of customers who are encoded already."""
        answers, contributions = inputs.answers, None
        if explain:
            risk, contributions = self.risk.explain_matrix(inputs.risk)
        else:
            risk = self.risk.model.probabilities(inputs.risk)
        risk, source = self.risk.of_customers(inputs.ids, inputs.risk, risk)
        risk = risk_of_a_period(risk, self.horizon_days, self.params.period_days)
        if contributions is not None and answers is not None:
            contributions = np.hstack([contributions, self._moved_by(answers, risk)])
        states = build_states(
            risk,
            self.accept.acceptances(inputs.contacts, risk, inputs.bills),
            inputs.budget_remaining,
            inputs.days_since_contact,
            inputs.contacts_this_period,
            self.params,
            answers,
        )
        bills = inputs.bills
        decisions = without_empty_offers(self._decide(states, baseline), bills, self.percent)
        exploration = Exploration(0.0, decisions.option, np.full(len(bills), NONE))
        if draw is not None:
            allowed = self._may_be_tried(states, bills, baseline)
            ranking = self.policy.ranking(states)
            decisions, exploration = explore(decisions, ranking, allowed, draw.share, draw.uniform)
        if control.any():
            decisions = left_alone(decisions, control)
        values = MONTHS_OF_VALUE * bills
        outcomes = decision_outcomes(states, values, self.params)
        return Assessments(
            states=states,
            values=values,
            risk=states[:, RISK],
            risk_source=source,
            accept=states[:, ACCEPT],
            decisions=decisions,
            outcomes=outcomes,
            option=decisions.option,
            contributions=contributions,
            exploration=exploration,
        )

    def priced(self, price: float | None) -> Assessor:
        """The same with policy and rule told another price of the budget, each where it knows one;
        itself where there is none."""
        if price is None:
            return self
        priced = copy(self)  # with the horizon and the offers
        priced.policy = at_price(self.policy, price)
        priced.baseline = at_price(self.baseline, price)
        return priced

    def by(self, ruled: bool) -> Policy:
        """Whose decision it is: the rule's of the kill switch, or the policy's."""
        return self.baseline if ruled else self.policy

    def _inputs(self, rows: Sequence[Mapping[str, Any]]) -> Inputs:
        columns = {
            name: _column(rows, name, if_missing=value) for name, value in IF_MISSING.items()
        }
        return Inputs(
            ids=[row.get("customer_id") for row in rows],
            risk=encode(rows, self.risk.model.features),
            contacts=self.accept.start_matrix(rows),
            bills=columns.pop("monthly_charges"),
            answers=_answers(rows),
            **columns,
        )

    def _moved_by(self, answers: Answers, risk: Floats) -> Floats:
        """(N, 4) what each kind of answer adds to the log-odds of a risk (N,) (`ANSWER_FIELDS`)."""
        params, none = self.params, np.zeros_like(answers.refusals)
        bare = answers.bare(params)
        after = answers.risk(risk, answers.acceptances + answers.refusals, params)
        others = np.column_stack(
            [
                risk_shift(none, answers.refusals, params),
                risk_shift(none, answers.acceptances_in_cooldown, params),
                risk_shift(bare, none, params, bare) - risk_shift(bare, none, params),
            ]
        )
        of_acceptances = logit(after) - logit(risk) - others.sum(axis=1)
        return np.column_stack([of_acceptances, others])

    def _may_be_tried(self, states: Floats, bills: Floats, ruled: Flags) -> NDArray[np.bool_]:
        """(N, 5) options that may be explored; none where the kill switch's rules decide."""
        allowed = possible(states, self.params)
        allowed[:, 1:] &= ~empty_offers(bills, self.percent)
        if ruled.any():
            allowed[ruled] = False
        return allowed

    def _decide(self, states: Floats, ruled: Flags) -> Decisions:
        if not ruled.any():
            return self.policy.decide(states)
        by_rule = self.baseline.decide(states)
        if ruled.all():
            return by_rule
        learned = self.policy.decide(states)
        return Decisions(
            contact=np.where(ruled, by_rule.contact, learned.contact),
            offer=np.where(ruled, by_rule.offer, learned.offer),
            delay=np.where(ruled, by_rule.delay, learned.delay),
            probability=np.where(ruled, by_rule.probability, learned.probability),
        )


def draw_of(
    customer_ids: Iterable[str],
    experiment: ExperimentConfig | None,
    now: datetime,
    release_id: str,
) -> Draw | None:
    """What the customers' decisions explore by; None where nothing explores."""
    if experiment is None or not experiment.explores:
        return None
    uniform = [exploration_draw(id_, experiment, now, release_id) for id_ in customer_ids]
    return Draw(experiment.exploration, np.array(uniform))


def left_alone(decisions: Decisions, control: NDArray[np.bool_]) -> Decisions:
    """The decisions, but without a contact for the customers of the control group (N,)."""
    return Decisions(
        contact=decisions.contact & ~control,
        offer=np.where(control, 0, decisions.offer),
        delay=np.where(control, LONGEST_DELAY, decisions.delay),
        probability=np.where(control, 1.0, decisions.probability),
    )


def without_empty_offers(
    decisions: Decisions, bills: Floats, percent: Sequence[int] = OFFER_PERCENTAGES
) -> Decisions:
    """The decisions, without the discounts that are worth less than a cent a month.

    A policy sees risk and acceptance, not the bill: to who pays nothing it would offer 5 % of that.

    Args:
        bills: (N,) monthly charges in currency.
        percent: of the offers, by level.
    """
    if not decisions.offer.any():
        return decisions
    empty = empty_offers(bills, percent)[np.arange(len(bills)), decisions.offer]
    return (
        replace(decisions, offer=np.where(empty, 0, decisions.offer)) if empty.any() else decisions
    )


def empty_offers(bills: Floats, percent: Sequence[int] = OFFER_PERCENTAGES) -> NDArray[np.bool_]:
    """(N, 4) offers of a discount that is worth less than a cent a month."""
    percentages = np.array(percent)
    return (np.outer(bills, percentages) < HALF_A_CENT) & (percentages > 0)


def _answers(rows: Sequence[Mapping[str, Any]]) -> Answers | None:
    """The answers of the running period; None where no row knows any, as in most requests."""
    if not any(row.get(name) for row in rows for name in ANSWER_FIELDS.values()):
        return None
    return Answers(*(_column(rows, name, if_missing=0.0) for name in ANSWER_FIELDS.values()))


def _column(rows: Sequence[Mapping[str, Any]], name: str, *, if_missing: float) -> Floats:
    """A column as float64 (N,)."""
    values = (row.get(name) for row in rows)
    return np.array([if_missing if v is None else v for v in values], dtype=np.float64)
