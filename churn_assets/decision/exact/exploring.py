"""What exploring costs: exact evaluation of a policy that takes its runner-up now and then.

In every state the value is the mean of both options' values, by their probabilities; where the
state doesn't change any more, of those that contact and of looking again.
"""

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.oracle import Chain, GridActions
from churn_assets.decision.exact.policy_value import (
    METRICS,
    Evaluation,
    chains,
    contact_figures,
    from_the_start,
    grid_states,
)
from churn_assets.decision.exact.states import rows_of
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.exploration import explore, possible

Mixture = list[tuple[Array, GridActions]]
"""Decisions at every state with n contacts, each (K, C) with its probabilities (K, C)."""


def evaluate_exploring(
    policy: Policy, customers: Customers, params: EnvironmentParams, share: float
) -> Evaluation:
    """As `policy_value.evaluate`, of the policy that takes the runner-up in `share` of its
    decisions (`mdp.exploration`)."""
    figures = []
    for chain in chains(customers, params):
        following = np.zeros(
            (len(chain.levels[params.contact_cap + 1]), len(chain.customers), len(METRICS))
        )
        levels = []
        for contacts in range(params.contact_cap, -1, -1):
            following = _level(chain, contacts, mixture(policy, chain, contacts, share), following)
            levels.append(following)
        figures.append(from_the_start(chain, levels[::-1]))
    return Evaluation.of(np.concatenate(figures), customers.weight)


def mixture(policy: Policy, chain: Chain, contacts: int, share: float) -> Mixture:
    """What is done in the states with `contacts` contacts: the preferred, and the runner-up."""
    states = grid_states(chain, contacts)
    shape = len(chain.levels[contacts]), len(chain.customers)
    preferred, ranking = policy.decide(states), policy.ranking(states)
    allowed = possible(states, chain.params)
    found: Mixture = []
    for uniform in (1.0, -1.0):  # nobody is drawn, then everybody
        done, _ = explore(preferred, ranking, allowed, share, np.full(len(states), uniform))
        actions = GridActions(
            done.contact.reshape(shape), done.offer.reshape(shape), done.delay.reshape(shape)
        )
        found.append((done.probability.reshape(shape), actions))
    (often, first), (seldom, second) = found
    return [(often, first), (np.where(often == 1, 0.0, seldom), second)]


def _level(chain: Chain, contacts: int, done: Mixture, following: Array) -> Array:
    """(K, C, 6) METRICS at every state with `contacts` contacts, given those with one more."""
    params, level = chain.params, chain.levels[contacts]
    values = np.zeros((*done[0][0].shape, len(METRICS)))
    for chance, actions in done:
        made = actions.contact
        values[made] += chance[made][:, None] * contact_figures(chain, contacts, actions, following)
    look = np.zeros(len(METRICS))
    look[0], look[4] = -params.decision_cost, 1
    for day in range(params.cooldown_days, -1, -1):
        some = level.on(day)
        unchanging = np.zeros((some.stop - some.start, len(chain.customers)))
        for chance, actions in done:
            k, c = np.nonzero(~actions.contact[some])
            k += some.start
            waits, alive = chance[k, c], _survival(chain, contacts, actions, k, c)
            values[k, c] += waits[:, None] * look
            if day == params.cooldown_days:
                unchanging[k - some.start, c] += waits * alive
            else:
                then = np.minimum(day + 1 + actions.delay[k, c], params.cooldown_days)
                place = level.place[(*rows_of(level.answers, k), level.spent[k], then)]
                values[k, c] += (waits * alive)[:, None] * values[place, c]
        values[some] /= (1 - unchanging)[..., None]
    return values


def _survival(
    chain: Chain,
    contacts: int,
    actions: GridActions,
    k: NDArray[np.int64],
    c: NDArray[np.int64],
) -> Array:
    """(R,) P(still there at the next look) at R places."""
    answers = rows_of(chain.levels[contacts].answers, k)
    alive: Array = chain.survival[(*answers, actions.delay[k, c], c)]
    return alive
