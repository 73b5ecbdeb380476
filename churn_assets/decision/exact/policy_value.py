"""Exact policy evaluation: decisions at every grid state, then the chain solved. No roll-outs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.following import Decided, follow, follow_grid
from churn_assets.decision.exact.oracle import Chain, GridActions, build_chain
from churn_assets.decision.exact.states import Index, accepted, refused, rows_of
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, offer_units, spend_levels, start_histories

METRICS = ("uplift", "spend", "contacts", "over_cap", "decisions", "retention")
CHUNK = 512
"""Customers evaluated at a time: bounds the memory (some hundred states a customer)."""


@dataclass(frozen=True)
class Evaluation:
    """Expected figures per customer and period, (C,) each; money as shares of yearly value.

    uplift: reward (before multipliers) minus P(stays | left alone); never contacting is a little
        below 0, since looking at a customer costs something.
    spend: discount paid. contacts: contacts made in the rest of the period.
    over_cap: P(the contact cap is exceeded). decisions: decisions taken.
    retention: P(stays) minus P(stays | left alone).
    weight: (C,) the customer's share of all value, sums to 1.
    """

    uplift: Array
    spend: Array
    contacts: Array
    over_cap: Array
    decisions: Array
    retention: Array
    weight: Array

    @classmethod
    def of(cls, figures: Array, weight: Array) -> "Evaluation":
        """From (C, 6) METRICS and the customers' weights."""
        return cls(**dict(zip(METRICS, figures.T, strict=True)), weight=weight)

    def mean(self, metric: str) -> float:
        """Value-weighted mean for money and retention, plain mean for counts of customers."""
        values: Array = getattr(self, metric)
        if metric in ("uplift", "spend", "retention"):
            return float(values @ self.weight)
        return float(values.mean())


def evaluate(policy: Policy, customers: Customers, params: EnvironmentParams) -> Evaluation:
    """Evaluate a policy exactly on every customer, over the start histories' distribution."""
    return evaluate_actions(lambda chain: followed_actions(policy, chain), customers, params)


def evaluate_actions(
    decide: Callable[[Chain], list[GridActions]], customers: Customers, params: EnvironmentParams
) -> Evaluation:
    """Evaluate decisions given on the grid (the oracle's, or a policy's through `decide`)."""
    figures = [chain_figures(chain, decide(chain)) for chain in chains(customers, params)]
    return Evaluation.of(np.concatenate(figures), customers.weight)


def chains(customers: Customers, params: EnvironmentParams) -> Iterator[Chain]:
    """The customers' chains, some customers at a time, in order."""
    for start in range(0, len(customers), CHUNK):
        yield build_chain(customers.take(slice(start, start + CHUNK)), params)


def summarise(evaluation: Evaluation) -> dict[str, float]:
    """Every figure's mean, by name."""
    return {metric: evaluation.mean(metric) for metric in METRICS}


def states_at(chain: Chain, contacts: int, k: Index, c: Index) -> Array:
    """(R, 9) the observations at R places among the states with `contacts` contacts."""
    params, level = chain.params, chain.levels[contacts]
    days, states = level.days[k], np.empty((len(k), 9))
    states[:, 0] = chain.risk[(*rows_of(level.answers, k), c)]
    states[:, 1:5] = chain.accept[contacts, days, :, c]
    states[:, 5] = 1 - level.spent[k] / (spend_levels(params) - 1)
    states[:, 6], states[:, 7] = days, days < params.cooldown_days
    states[:, 8] = contacts
    return states


def grid_states(chain: Chain, contacts: int) -> Array:
    """(K x C, 9) the observation at every state with `contacts` contacts."""
    params, level = chain.params, chain.levels[contacts]
    states = np.empty((len(level), len(chain.customers), 9))
    states[..., 0] = chain.risk[level.answers]
    states[..., 1:5] = np.moveaxis(chain.accept[contacts, level.days], 1, -1)
    states[..., 5] = (1 - level.spent / (spend_levels(params) - 1))[:, None]
    states[..., 6] = level.days[:, None]
    states[..., 7] = (level.days < params.cooldown_days)[:, None]
    states[..., 8] = contacts
    return states.reshape(-1, 9)


@runtime_checkable
class OnGrid(Protocol):
    """A policy that may plan for a whole chain at once, and needn't be asked state by state."""

    def on_grid(self, chain: Chain) -> list[GridActions] | None:
        """Its decisions at every state, for n = 0 .. contact_cap; None where it has to be asked."""
        ...


def policy_actions(policy: Policy, chain: Chain) -> list[GridActions]:
    """A policy's decisions at every state, for n = 0 .. contact_cap."""
    planned = policy.on_grid(chain) if isinstance(policy, OnGrid) else None
    return decide_on_grid(policy, chain) if planned is None else planned


def followed_actions(policy: Policy, chain: Chain) -> list[GridActions]:
    """A policy's decisions in the states that they lead to: all that its value depends on."""
    if isinstance(policy, OnGrid) and (planned := policy.on_grid(chain)) is not None:
        return planned

    def ask(contacts: int, k: Index, c: Index) -> Decided:
        decided = policy.decide(states_at(chain, contacts, k, c))
        possible = chain.levels[contacts].days[k] >= chain.params.hard_cooldown_days
        return decided.contact & possible, decided.offer, decided.delay

    return follow(chain, ask)


def decide_on_grid(policy: Policy, chain: Chain) -> list[GridActions]:
    """A policy's decisions from what it sees at every state, for n = 0 .. contact_cap.

    A contact in the hard cooldown doesn't happen, as in the environment.
    """
    grid = []
    for level in chain.levels[: chain.params.contact_cap + 1]:
        decided = policy.decide(grid_states(chain, level.contacts))
        shape = (len(level), len(chain.customers))
        possible = (level.days >= chain.params.hard_cooldown_days)[:, None]
        grid.append(
            GridActions(
                decided.contact.reshape(shape) & possible,
                decided.offer.reshape(shape),
                decided.delay.reshape(shape),
            )
        )
    return grid


def chain_figures(chain: Chain, grid: list[GridActions]) -> Array:
    """(C, 6) expected METRICS per customer, over the start histories."""
    if grid[0].reached is None:
        grid = follow_grid(chain, grid)
    following = np.zeros((len(chain.levels[len(grid)]), len(chain.customers), len(METRICS)))
    levels = []
    for contacts in range(len(grid) - 1, -1, -1):
        following = _evaluate_level(chain, contacts, grid[contacts], following)
        levels.append(following)
    return from_the_start(chain, levels[::-1])


def from_the_start(chain: Chain, levels: list[Array]) -> Array:
    """(C, 6) METRICS over the start histories, from those at every state (K, C, 6) by the number of
    contacts."""
    histories, weights = start_histories(chain.params)
    total = np.zeros((len(chain.customers), len(METRICS)))
    for contacts, values in enumerate(levels):
        here = (histories[:, 0] == contacts) & (weights > 0)
        begun = chain.levels[contacts].place[0, 0, 0, histories[here, 1], histories[here, 2]]
        total += np.einsum("hcm,h->cm", values[begun], weights[here])
    return total


def _evaluate_level(chain: Chain, contacts: int, actions: GridActions, following: Array) -> Array:
    """(K, C, 6) METRICS at every state with `contacts` contacts, given those with one more."""
    params, level = chain.params, chain.levels[contacts]
    values = np.empty((*actions.contact.shape, len(METRICS)))
    values[actions.contact] = contact_figures(chain, contacts, actions, following)
    waits = ~actions.contact if actions.reached is None else actions.reached & ~actions.contact
    look = np.zeros(len(METRICS))
    look[0], look[4] = -params.decision_cost, 1
    cooldown = params.cooldown_days
    for day in range(cooldown, -1, -1):
        some = level.on(day)
        k, c = np.nonzero(waits[some])
        k += some.start
        delay, answers = actions.delay[k, c], rows_of(level.answers, k)
        alive = chain.survival[(*answers, delay, c)][:, None]
        if day == cooldown:  # nothing changes any more: the same decision until the end
            values[k, c] = look / (1 - alive)
        else:
            then = np.minimum(day + 1 + delay, cooldown)
            values[k, c] = look + alive * values[level.place[(*answers, level.spent[k], then)], c]
    return values


def contact_figures(
    chain: Chain, contacts: int, actions: GridActions, following: Array
) -> NDArray[np.float64]:
    """(R, 6) METRICS at the R places where a contact is made, in the grid's order."""
    params, level, after = chain.params, chain.levels[contacts], chain.levels[contacts + 1]
    k, c = np.nonzero(actions.contact)
    offer, delay, spent = actions.offer[k, c], actions.delay[k, c], level.spent[k]
    here = rows_of(level.answers, k)
    yes, no = accepted(here, level.days[k], offer, params), refused(here)
    accept = chain.accept[contacts, level.days[k], offer, c]
    discount = accept * np.asarray(params.discounts)[offer]
    day = np.minimum(delay + 1, params.cooldown_days)
    values = np.empty((len(k), len(METRICS)))
    for column, kept in ((0, chain.kept), (5, 1 - chain.risk)):
        now = accept * kept[(*yes, c)] + (1 - accept) * kept[(*no, c)]
        values[:, column] = now - kept[(*here, c)]
    values[:, 0] -= discount + params.contact_cost + params.decision_cost
    values[:, 1], values[:, 2] = discount, 1
    values[:, 3], values[:, 4] = contacts >= params.contact_cap, 1
    after_yes = following[after.place[(*yes, spent + offer_units(params)[offer], day)], c]
    after_no = following[after.place[(*no, spent, day)], c]
    values += (accept * chain.survival[(*yes, delay, c)])[:, None] * after_yes
    values += ((1 - accept) * chain.survival[(*no, delay, c)])[:, None] * after_no
    return values
