"""Calibration of the deployed (argmax) policy to the budget, by exact expected spend."""

from dataclasses import dataclass, replace

import numpy as np

from churn_assets.decision.exact.oracle import Chain
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    actions_from,
    chain_figures,
    chains,
    grid_states,
)
from churn_assets.decision.learning.network_numpy import (
    NetworkPolicy,
    NetworkSpec,
    decide_from_outputs,
)
from churn_assets.decision.mdp.actions import Decisions
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array

CALIBRATION_STEPS = 16
AIM = 0.995
"""Share of the limit to spend on the calibration customers: a sample of 1,024 differs from the
whole base by a few tenths of a per cent. The rules stop at 0.995 to 1 of it (`baselines.CLOSE`)."""
LOWEST_OFFER_PRICE, HIGHEST_OFFER_PRICE = -32.0, 32.0
"""Bounds of the calibration, in logits per 5 % of discount: wide, so that they never bind (a
halved budget took 16)."""


Levels = list[Array]
"""A chunk's raw network outputs at the states with n = 0, 1, ... contacts."""


def calibrate_policy(policy: NetworkPolicy, customers: Customers) -> NetworkPolicy:
    """Set `offer_price` by bisection so that the deployed policy's expected spend meets the limit.

    Sampling and argmax spend differently, so the multiplier alone can't meet the budget exactly.
    The price may be negative: an underspending policy is made more generous.
    """
    spec = policy.spec
    grid = OutputGrid.build(policy, customers)
    low, high = LOWEST_OFFER_PRICE, HIGHEST_OFFER_PRICE
    for _ in range(CALIBRATION_STEPS):
        middle = (low + high) / 2
        spec = spec.model_copy(update={"offer_price": middle})
        within = grid.evaluate(spec).mean("spend") <= AIM * spec.params.budget_limit
        low, high = (low, middle) if within else (middle, high)
    return replace(policy, spec=spec.model_copy(update={"offer_price": high}))


@dataclass(frozen=True)
class OutputGrid:
    """The network's outputs at every grid state, kept while the calibration changes."""

    chains: list[Chain]
    outputs: list[Levels]
    weight: Array

    @classmethod
    def build(cls, policy: NetworkPolicy, customers: Customers) -> "OutputGrid":
        """Run the network once on all states of all customers."""
        every = list(chains(customers, policy.spec.params))
        levels = range(policy.spec.params.contact_cap + 1)
        outputs = [
            [policy.outputs(grid_states(chain, level)) for level in levels] for chain in every
        ]
        return cls(every, outputs, customers.weight)

    def evaluate(self, spec: NetworkSpec) -> Evaluation:
        """Exact figures of the policy with another calibration."""
        figures = []
        for chain, levels in zip(self.chains, self.outputs, strict=True):

            def decide(contacts: int, states: Array, outputs: Levels = levels) -> Decisions:
                return decide_from_outputs(outputs[contacts], states, spec)

            figures.append(chain_figures(chain, actions_from(decide, chain)))
        return Evaluation.of(np.concatenate(figures), self.weight)
