"""The closed loop: simulated customers, decided on with only what a caller knows.

A policy is trained and measured on the environment's own observations. A caller of the service has
no such thing: they know whom they contacted, when, what was answered and what it cost. Here whole
episodes are decided on from that knowledge alone (`Book`), and what they bring is held against the
exact figures that the policy report publishes. `decide` may be a policy in this process or
`POST /predict` at the other end of a network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.policy_value import Evaluation
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, affordable
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention
from churn_assets.decision.mdp.observation import BUDGET, DAYS, FATIGUE, Answers, build_states
from churn_assets.decision.mdp.transitions import Actions


@dataclass(frozen=True)
class Book:
    """What a caller has written down of E customers in their running period.

    customer: (E,) whose they are. budget_remaining, days_since_contact, contacts: (E,) as in a
    request. answers: to the contacts made since the book was opened.
    """

    customer: NDArray[np.int64]
    budget_remaining: Array
    days_since_contact: Array
    contacts: Array
    answers: Answers
    params: EnvironmentParams

    @classmethod
    def of(cls, customer: NDArray[np.int64], states: Array, params: EnvironmentParams) -> "Book":
        """A book opened on customers of whom a history of contacts is known (N, 9), and whose risk
        is the model's: what was answered before is in the customers' columns."""
        none = np.zeros(len(states))
        return cls(
            customer,
            states[:, BUDGET],
            states[:, DAYS],
            states[:, FATIGUE],
            Answers(none, none, none),
            params,
        )

    @property
    def history(self) -> tuple[Array, Array, Array]:
        """Budget, days and contacts, as `build_states` takes them."""
        return self.budget_remaining, self.days_since_contact, self.contacts

    def after(
        self, actions: Actions, contacted: NDArray[np.bool_], accepted: NDArray[np.bool_]
    ) -> "Book":
        """The book after decisions (E, 3): who was reached, what they answered, the days gone by.

        Days go on being counted beyond the cooldown, as a caller would.
        """
        cost = np.asarray(self.params.discounts)[actions[:, 1]] / self.params.budget_allowance
        soon = self.days_since_contact < self.params.cooldown_days
        bare = accepted & (actions[:, 1] == 0)
        before, left = self.answers, self.budget_remaining - accepted * cost
        return replace(
            self,
            budget_remaining=np.maximum(left, 0.0),  # 1 - 0.25 - 0.75 may be -1e-17
            days_since_contact=np.where(contacted, 0, self.days_since_contact) + 1 + actions[:, 2],
            contacts=self.contacts + contacted,
            answers=Answers(
                before.acceptances + accepted,
                before.refusals + (contacted & ~accepted),
                before.acceptances_in_cooldown + (accepted & soon),
                before.acceptances_without_discount + bare,
            ),
        )

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> "Book":
        """The customers in `rows`."""
        return Book(
            self.customer[rows],
            self.budget_remaining[rows],
            self.days_since_contact[rows],
            self.contacts[rows],
            self.answers.take(rows),
            self.params,
        )

    def states(self, customers: Customers) -> Array:
        """(E, 9) what the service makes of it: `build_states` on the customers' own predictions."""
        risk, accept = customers.risk[self.customer], customers.accept[self.customer]
        return build_states(risk, accept, *self.history, self.params, self.answers)


Decide = Callable[[Book], Actions]
"""Decisions (E, 3) for what is known of E customers."""


@dataclass(frozen=True)
class LoopResult:
    """What the episodes brought, beside what was expected of the same customers; shares of value.

    uplift, spend: mean over the episodes, less the exact expectation of each one's customer.
    error_*: its standard error. expected_*: the reported figure.
    """

    episodes: int
    uplift: float
    spend: float
    error_uplift: float
    error_spend: float
    expected_uplift: float
    expected_spend: float

    @property
    def figures(self) -> dict[str, float]:
        """`z_uplift`, `z_spend` (standard errors away from the expectation), `episodes`, and how
        much uplift and spend were reproduced (1 = all of what is reported).

        Of a policy that spends nothing in any episode no error of the spend is known: z is 0 there.
        """
        return {
            "z_uplift": _of(self.uplift, self.error_uplift),
            "z_spend": _of(self.spend, self.error_spend),
            "episodes": self.episodes,
            "uplift_ratio": 1 + _of(self.uplift, self.expected_uplift),
            "spend_ratio": 1 + _of(self.spend, self.expected_spend),
        }


def _of(difference: float, whole: float) -> float:
    return difference / whole if whole else 0.0


def decide_by(policy: Policy, customers: Customers) -> Decide:
    """A policy in this process, fed through `build_states` as the service feeds it."""
    return lambda book: policy.decide(book.states(customers)).actions


def close_the_loop(
    decide: Decide,
    customers: Customers,
    expected: Evaluation,
    params: EnvironmentParams,
    episodes: int,
    seed: int = 0,
) -> LoopResult:
    """Play whole episodes and hold them against the exact figures.

    Customers are drawn in proportion to their value, so that shares of value average to what the
    report calls uplift and spend; each episode is compared with its own customer's expectation,
    which takes the luck of the draw out of the error.

    Args:
        decide: the decisions, from a `Book` and nothing else.
        expected: the policy's exact figures on the same customers (`policy_value.evaluate`).

    Raises:
        ValueError: fewer than 2 episodes, or (from the environment) actions that are none.
    """
    if episodes < 2:
        raise ValueError(f"episodes: {episodes} have no standard error, take at least 2")
    envs = VectorRetention(customers, params, episodes, seed, "value", Multipliers(0, 0))
    book = Book.of(envs.customer, envs.observation, params)
    live = np.arange(episodes)
    uplift = -envs.left_alone / envs.value
    spend = np.zeros(episodes)
    actions = np.zeros((episodes, 3), dtype=np.int64)
    while len(live):
        known, value = book.take(live), envs.value[live]
        actions[live] = decide(known)
        _refuse_impossible(actions[live], known)
        step = envs.advance(actions)
        paid = step.spend[live] / value
        looks = params.decision_cost + step.contacted[live] * params.contact_cost
        uplift[live] += step.revenue[live] / value - paid - looks
        spend[live] += paid
        book = book.after(actions, step.contacted, step.accepted & step.contacted)
        live = live[~step.terminated[live]]
    of = book.customer
    more, dearer = uplift - expected.uplift[of], spend - expected.spend[of]
    root = np.sqrt(episodes)
    return LoopResult(
        episodes,
        float(more.mean()),
        float(dearer.mean()),
        float(more.std(ddof=1) / root),
        float(dearer.std(ddof=1) / root),
        expected.mean("uplift"),
        expected.mean("spend"),
    )


def _refuse_impossible(actions: Actions, known: Book) -> None:
    """The environment lets a contact that can't be made pass as a wait; a service that asks for
    one has lost count."""
    fits = affordable(known.budget_remaining, known.params)[np.arange(len(actions)), actions[:, 1]]
    possible = fits & (known.contacts < known.params.contact_stop)
    possible &= known.days_since_contact >= known.params.hard_cooldown_days
    if (actions[:, 0].astype(bool) & ~possible).any():
        raise ValueError(
            "contact: one was decided on that the allowance, the cap or the hard cooldown rules out"
        )
