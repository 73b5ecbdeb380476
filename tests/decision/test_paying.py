"""The world that a policy is made for where the measured one leaves nothing to decide."""

from __future__ import annotations

import numpy as np
import pytest

from checks.decision import a_contact_pays_for_enough_customers
from churn_assets.decision.config import PRESETS, Assumptions, EnvironmentParams
from churn_assets.decision.exact.pareto import NOTHING, solve_budget
from churn_assets.decision.mdp import paying
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.paying import STEPS, deciding, paying_share
from churn_assets.decision.mdp.worlds import as_measured
from churn_assets.domain.measured import ENOUGH, Figure, Measured
from tests.decision.test_stages import outcome

ASSUMED = Assumptions().applied(PRESETS["moderate"])
"""With bills of twelve months under the hazard that is left, as companies are served."""


def reserved_customers(count: int = 400) -> Customers:
    """Few of them leave, and fewer accept: an effect of 0.5 helps none of them."""
    rng = np.random.default_rng(5)
    accept = 1 / (
        1 + np.exp(-(np.array([-3.0, -1.6, -1.2, -1.0]) + rng.normal(0, 0.5, (count, 1))))
    )
    return Customers(rng.uniform(0.01, 0.15, count), accept, rng.uniform(240, 1400, count))


def measured(effect: float, annoyance: float) -> Measured:
    def figure(assumed: float, used: float) -> Figure:
        return Figure(assumed=assumed, used=used, lower=0, upper=used + 1.8, share_measured=0.8)

    found = figure(ASSUMED.acceptance_effect, effect), figure(ASSUMED.annoyance_effect, annoyance)
    return Measured(outcomes=5_000, acceptance_effect=found[0], annoyance_effect=found[1])


def part_of(world: EnvironmentParams, told: Measured) -> tuple[float, float]:
    """How far on the way to what was assumed: by the effect, by the annoyance."""
    parts = [
        (getattr(world, name) - one.used) / (one.assumed - one.used)
        for name, one in told.effects.items()
    ]
    return parts[0], parts[1]


@pytest.mark.parametrize(("effect", "annoyance"), [(0.17, 0.23), (0.0, 1.5), (0.5, 0.23)])
def test_the_policy_has_something_to_decide(effect: float, annoyance: float) -> None:
    """Whether to contact anybody at all is the lift report's question, for every company: both
    figures move by the least part of the way at which a contact pays for one in twenty."""
    customers, told = reserved_customers(), measured(effect, annoyance)
    assert paying_share(customers, as_measured(ASSUMED, told)) == 0
    found, paying = deciding(told, customers, ASSUMED)
    report = {"paying": paying.model_dump(), "measured": found.sentences}
    assert outcome(a_contact_pays_for_enough_customers, report)
    world = as_measured(ASSUMED, found)
    assert paying_share(customers, world) >= ENOUGH
    part, other = part_of(world, told)
    assert part == pytest.approx(other)
    before = told.towards_assumed(part - 1 / STEPS)
    assert paying_share(customers, as_measured(ASSUMED, before)) < ENOUGH
    assert world.effect_without_discount == pytest.approx(world.acceptance_effect / 2)
    assert solve_budget(customers.take(slice(40)), world.clean, 1e-2).uplift > NOTHING


def test_what_is_measured_is_used_where_a_contact_pays_for_enough() -> None:
    """However small the effect is: here 0.3 is enough, and was raised to 0.5."""
    customers = reserved_customers()
    eager = Customers(customers.risk * 5, np.full((400, 4), 0.9), customers.value)
    found, _ = deciding(measured(0.3, 0.4), eager, ASSUMED)
    world = as_measured(ASSUMED, found)
    assert (world.acceptance_effect, world.annoyance_effect) == (0.3, 0.4)
    assert not any("trained with" in sentence for sentence in found.sentences)
    assert any("in which the policy is trained" in sentence for sentence in found.sentences)


def test_where_nothing_pays_as_assumed_that_world_is_kept_and_a_check_says_so() -> None:
    customers = reserved_customers()
    hopeless = Customers(customers.risk * 0.01, customers.accept * 0.01, customers.value)
    found, paying = deciding(measured(0.17, 0.23), hopeless, ASSUMED)
    assert as_measured(ASSUMED, found) == ASSUMED
    report = {"paying": paying.model_dump(), "measured": found.sentences}
    assert not outcome(a_contact_pays_for_enough_customers, report)
    assert "may find nobody worth contacting" in found.sentences[-1]
    alone, _ = deciding(Measured(), hopeless, ASSUMED)
    assert "the policy may find nobody worth contacting" in alone.sentences[-1]


def test_the_report_says_what_training_used() -> None:
    """It said "0.17 used" of a policy that was trained with 0.50."""
    found, _ = deciding(measured(0.17, 0.23), reserved_customers(), ASSUMED)
    world = as_measured(ASSUMED, found)
    effect, annoyance, why = found.sentences
    assert effect.startswith("effect of an acceptance: 0.17 (0.00 to 1.97; assumed 2.50")
    assert effect.endswith(f"the policy is trained with {world.acceptance_effect:.2f}")
    assert annoyance.endswith(f"the policy is trained with {world.annoyance_effect:.2f}")
    assert why.startswith("a contact pays for 0.0% of the customers in the measured world; the")
    assert "the lift report's question" in why


def test_many_customers_take_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many are looked at as a share of one in twenty takes, and they stand for all."""
    customers, seen = reserved_customers(4_000), []
    share = paying_share(customers, ASSUMED)

    def noted(some: Customers, params: EnvironmentParams) -> float:
        seen.append(len(some))
        return paying_share(some, params)

    monkeypatch.setattr(paying, "LOOKED_AT", 500)
    monkeypatch.setattr(paying, "paying_share", noted)
    found, _ = deciding(measured(0.17, 0.23), customers, ASSUMED)
    assert max(seen) <= 500
    assert paying_share(customers, as_measured(ASSUMED, found)) == pytest.approx(0.05, abs=0.03)
    assert share > 0.05
