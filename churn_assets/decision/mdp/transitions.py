"""What a decision leads to before chance decides: the world's transitions, in closed form.

`State` is all that the future depends on, `observe` what a policy sees of it, and `branch` both
answers to an action. The environment draws from them, PPO takes means over them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import (
    Array,
    after_answers,
    daily_survival,
    offer_units,
    reluctance,
    risk_after_answers,
    spend_levels,
)
from churn_assets.domain.statistics import logit, sigmoid

Actions = NDArray[np.int64]
"""(N, 3) contact 0/1, offer 0..3, delay 0..7."""


@dataclass(frozen=True)
class State:
    """Where N customers stand: all that the future depends on, and what `observe` shows.

    score: (N,) logit of the churn risk with all annoyances and no acceptance.
    accept: (N, 4) logits of acceptance without history.
    contacts, spent (in units), days: (N,) whole numbers.
    yes, bare: (N,) acceptances in all, and of a contact without a discount (0 where these have the
        effect of any other).
    """

    score: Array
    accept: Array
    contacts: NDArray[np.int64]
    spent: NDArray[np.int64]
    days: NDArray[np.int64]
    yes: NDArray[np.int64]
    bare: NDArray[np.int64]

    def where(self, condition: NDArray[np.bool_], other: "State") -> "State":
        """This state where the condition holds, the other elsewhere."""
        return State(
            np.where(condition, self.score, other.score),
            np.where(condition[:, None], self.accept, other.accept),
            np.where(condition, self.contacts, other.contacts),
            np.where(condition, self.spent, other.spent),
            np.where(condition, self.days, other.days),
            np.where(condition, self.yes, other.yes),
            np.where(condition, self.bare, other.bare),
        )

    def after_answers(self, params: EnvironmentParams) -> tuple[Array, Array]:
        """(N,) churn risk as it is seen, and expected loss; see `dynamics.after_answers`."""
        return after_answers(self.score, self.yes, np.zeros(1), params, self.bare)

    def risk(self, params: EnvironmentParams) -> Array:
        """(N,) churn risk as it is seen, alone."""
        return risk_after_answers(self.score, self.yes, np.zeros(1), params, self.bare)


@dataclass(frozen=True)
class Branches:
    """What an action leads to before chance decides: two answers, then survival.

    accepted, refused: the states after the wait (equal without a contact).
    probability: (N,) P(accepted), 0 without a contact.
    alive_accepted, alive_refused: (N,) P(neither churn nor period end during the wait).
    discount: (N,) share of value paid if accepted. fixed_cost: (N,) attention and decision cost.
    """

    accepted: State
    refused: State
    probability: Array
    alive_accepted: Array
    alive_refused: Array
    discount: Array
    fixed_cost: Array


def fresh_start(customers: Customers, params: EnvironmentParams) -> State:
    """The customers with a clean sheet: nobody contacted, nothing spent."""
    none = np.zeros(len(customers), dtype=np.int64)
    rested = np.full(len(customers), params.cooldown_days)
    return State(logit(customers.risk), logit(customers.accept), none, none, rested, none, none)


def observe(state: State, params: EnvironmentParams) -> Array:
    """(N, 9) the specification's state."""
    fall = reluctance(state.contacts, state.days, params)
    return np.column_stack(
        [
            state.risk(params),
            sigmoid(state.accept - fall[:, None]),
            1 - state.spent / (spend_levels(params) - 1),
            state.days,
            state.days < params.cooldown_days,
            state.contacts,
        ]
    )


def branch(state: State, actions: Actions, params: EnvironmentParams) -> Branches:
    """Both answers to an action; a contact or offer that isn't possible doesn't happen."""
    contact, offer, delay = actions.T
    units = offer_units(params)[offer]
    open_channel = state.contacts < params.contact_stop
    open_channel &= state.days >= params.hard_cooldown_days
    fits = state.spent + units < spend_levels(params)
    contact = (contact == 1) & open_channel & fits
    fall = reluctance(state.contacts, state.days, params)
    willing = sigmoid(state.accept[np.arange(len(offer)), offer] - fall)
    annoyance = contact * params.annoyance_effect
    contacts = state.contacts + contact
    days = np.where(contact, 0, state.days) + 1 + delay
    days = np.minimum(days, params.cooldown_days)
    bare = state.bare + (contact & (offer == 0) & params.counts_bare_apart)
    accepted = State(
        state.score + annoyance * (state.days < params.cooldown_days),
        state.accept,
        contacts,
        state.spent + contact * units,
        days,
        state.yes + contact,
        bare,
    )
    refused = State(
        state.score + annoyance,
        state.accept,
        contacts,
        state.spent,
        days,
        state.yes,
        state.bare,
    )
    length = np.where(contacts >= params.contact_stop, np.inf, 1.0 + delay)
    alive_accepted, alive_refused = (
        daily_survival(after.risk(params), params) ** length for after in (accepted, refused)
    )
    return Branches(
        accepted,
        refused,
        willing * contact,
        alive_accepted,
        alive_refused,
        contact * np.asarray(params.discounts)[offer],
        contact * params.contact_cost + params.decision_cost,
    )
