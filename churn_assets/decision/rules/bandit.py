"""Thompson sampling as a baseline: a campaign that learns each offer's worth by segment.

A Gaussian bandit (Thompson 1933; Agrawal and Goyal 2013) over segments of risk and acceptance. It
contacts customers outside the cooldown, sees each answer, and draws the next offer from the
posterior of its immediate gain. What it has learnt is a table; `baselines.py` then prices the
discount in it so that the budget is met.
"""

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, highest, loss_at
from churn_assets.decision.mdp.environment import VectorRetention
from churn_assets.decision.mdp.observation import COOLDOWN, FATIGUE, RISK
from churn_assets.decision.rules.families import SegmentTable

RISK_EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
ACCEPT_EDGES = (0.2, 0.4, 0.6, 0.8)
ROUNDS, CAMPAIGN = 60, 2048
PRIOR_SPREAD = 0.3
"""Spread of an arm's gain before it is tried, and of a single outcome: shares of value."""


def learn_segments(
    customers: Customers, params: EnvironmentParams, price: float, seed: int
) -> tuple[Array, Array]:
    """Run a campaign of 60 rounds over 2,048 customers at a time.

    Returns:
        (S, 4) mean gain in P(stays) less attention, and (S, 4) mean discount paid, by segment and
        offer, shrunk to 0 where little was tried.
    """
    rng = np.random.default_rng(seed)
    envs = VectorRetention(customers, params, CAMPAIGN, seed=seed, draw="value")
    blank = SegmentTable(
        params=params, risk_edges=RISK_EDGES, accept_edges=ACCEPT_EDGES, table=((0, 0, 0, 0),)
    )
    segments = (len(RISK_EDGES) + 1) * (len(ACCEPT_EDGES) + 1)
    tried, gain, cost = (np.zeros((segments, 4)) for _ in range(3))
    for _ in range(ROUNDS):
        states = envs.observation
        segment = blank.segments(states)
        mean = (gain - (1 + price) * cost) / (tried + 1)
        drawn = mean[segment] + PRIOR_SPREAD / np.sqrt(tried[segment] + 1) * rng.normal(
            size=(CAMPAIGN, 4)
        )
        offer = drawn.argmax(axis=1)
        contact = (highest(drawn) > 0) & (states[:, COOLDOWN] == 0)
        contact &= states[:, FATIGUE] < params.contact_cap
        delay = np.full(CAMPAIGN, min(params.cooldown_days, 8) - 1)
        step = envs.advance(np.column_stack([contact, offer, delay]).astype(np.int64))
        risks = states[:, RISK], step.final_observation[:, RISK]
        before, after = (loss_at(risk, params) for risk in risks)
        kept = before - after - params.contact_cost
        seen = step.contacted
        arms = (segment[seen], offer[seen])
        np.add.at(tried, arms, 1)
        np.add.at(gain, arms, kept[seen])
        np.add.at(cost, arms, step.accepted[seen] * np.asarray(params.discounts)[offer[seen]])
    return gain / (tried + 1), cost / (tried + 1)
