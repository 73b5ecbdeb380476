"""The oracle is the optimum, its certificate holds, and exact evaluation agrees with simulation."""

from collections.abc import Callable
from functools import cache
from itertools import product
from math import prod

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.diagnostics import (
    BY_STATE,
    captured_with_help,
    heads_from_best,
    states_from_best,
)
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.pareto import curve_around, pareto_curve, solve_budget
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    chain_figures,
    evaluate,
    evaluate_actions,
)
from churn_assets.decision.mdp.actions import Decisions, Policy
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.dynamics import daily_survival, reluctance
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention
from churn_assets.decision.mdp.observation import FATIGUE
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, PricedGreedy
from churn_assets.domain.statistics import logit, sigmoid


def brute_force_value(
    risk: float, accept: list[float], params: EnvironmentParams, price: float
) -> float:
    """Best uplift from a clean sheet: the Bellman equation, one customer, plain recursion.

    Written apart from `oracle.py`: states by their numbers, waits resolved day by day, the mean
    over whom an acceptance works for by looking at every case.
    """
    base, curve = float(logit(np.array(risk))), logit(np.array(accept))
    cooldown, top = params.cooldown_days, round(params.budget_allowance / params.spend_unit)

    def worth(churn: float) -> float:
        if params.persistence is None:
            return 1 - churn
        bills = range(params.persistence)
        rate = (1 - churn) / (1 + params.discount_rate)
        return (1 - churn) * sum(rate**month for month in bills) / 12

    @cache
    def at(offers: tuple[int, ...], annoyed: int) -> tuple[float, float]:
        """What is kept if nothing more is done, and P(still there tomorrow), after these offers
        were accepted."""
        churn = kept = 0.0
        for worked in product((0, 1), repeat=len(offers)):
            effect = sum(
                works * (params.acceptance_effect if offer else params.bare_effect)
                for works, offer in zip(worked, offers, strict=True)
            )
            chances = [
                params.effect_share if works else 1 - params.effect_share for works in worked
            ]
            one = float(sigmoid(np.array(base - effect + params.annoyance_effect * annoyed)))
            churn += prod(chances) * one
            kept += prod(chances) * worth(one)
        return kept, float(daily_survival(np.array(churn), params))

    @cache
    def best(contacts: int, offers: tuple[int, ...], annoyed: int, days: int) -> float:
        kept, alive = at(offers, annoyed)
        options = [-params.decision_cost / (1 - alive**8)]
        for delay in range(8) if days < cooldown else ():
            later = best(contacts, offers, annoyed, min(days + 1 + delay, cooldown))
            options.append(alive ** (1 + delay) * later - params.decision_cost)
        can_contact = contacts < params.contact_cap and days >= params.hard_cooldown_days
        for offer, discount in enumerate(params.discounts if can_contact else ()):
            if sum(offers) + offer > top:
                continue
            fall = float(reluctance(np.array(contacts), np.array(days), params))
            p = float(sigmoid(curve[offer] - fall))
            soon, more = annoyed + int(days < cooldown), tuple(sorted((*offers, offer)))
            kept_yes, alive_yes = at(more, soon)
            kept_no, alive_no = at(offers, annoyed + 1)
            now = p * (kept_yes - (1 + price) * discount) + (1 - p) * kept_no - kept
            for delay in range(8):
                day = min(1 + delay, cooldown)
                options.append(
                    now
                    - params.contact_cost
                    - params.decision_cost
                    + p * alive_yes ** (1 + delay) * best(contacts + 1, more, soon, day)
                    + (1 - p)
                    * alive_no ** (1 + delay)
                    * best(contacts + 1, offers, annoyed + 1, day)
                )
        return max(options)

    return best(0, (), 0, cooldown)


HONEST: dict[str, dict[str, float | int]] = {
    "plain": {},
    "the effect works for some": {"effect_share": 0.4},
    "bills under the hazard": {"persistence": 6},
    "less without a discount": {"effect_without_discount": 0.8},
    "hard cooldown": {"hard_cooldown_days": 2},
    "all of it": {
        "effect_share": 0.6,
        "persistence": 9,
        "discount_rate": 0.02,
        "effect_without_discount": 1.0,
        "hard_cooldown_days": 3,
    },
}


@pytest.mark.parametrize("honest", HONEST.values(), ids=HONEST)
@pytest.mark.parametrize("price", [0.0, 1.5])
def test_oracle_solves_the_bellman_equation(
    customers: Customers, params: EnvironmentParams, price: float, honest: dict[str, float]
) -> None:
    """Why: the yardstick must be the optimum; a second, independent solution says so, whatever is
    assumed of the effect."""
    fresh = EnvironmentParams.model_validate(dict(params) | honest | {"history_share": 0.0})
    some = customers.take(slice(0, 4))
    found = evaluate_actions(lambda chain: solve(chain, price), some, fresh)
    expected = [
        brute_force_value(float(risk), accept.tolist(), fresh, price)
        for risk, accept in zip(some.risk, some.accept, strict=True)
    ]
    np.testing.assert_allclose(found.uplift - price * found.spend, expected, rtol=1e-9)


def play_out(
    policy: Policy, customers: Customers, params: EnvironmentParams, count: int
) -> dict[str, np.ndarray]:
    """Simulated figures minus the exact ones, per episode."""
    exact = evaluate(policy, customers, params)
    envs = VectorRetention(customers, params, count, seed=9, multipliers=Multipliers(0, 0))
    drawn, value, left_alone = envs.customer.copy(), envs.value, envs.left_alone
    totals = {
        name: np.zeros(count) for name in ("uplift", "spend", "contacts", "over_cap", "decisions")
    }
    totals["uplift"] -= left_alone / value
    live = np.ones(count, dtype=bool)
    while live.any():
        step = envs.advance(policy.decide(envs.observation).actions)
        totals["uplift"] += live * step.reward / value
        totals["spend"] += live * step.spend / value
        totals["contacts"] += live * step.contacted
        totals["over_cap"] += live * (step.fatigue_violation > 0)
        totals["decisions"] += live
        live &= ~step.terminated
    return {name: total - getattr(exact, name)[drawn] for name, total in totals.items()}


class Pester:
    """Contacts at every look, even above the cap, until the channel is closed."""

    name = "pester"

    def __init__(self, params: EnvironmentParams) -> None:
        self.params = params

    def decide(self, states: np.ndarray) -> Decisions:
        """Contact with no discount, and look again after two days."""
        contact = states[:, FATIGUE] < self.params.contact_stop
        count = len(states)
        return Decisions(contact, np.zeros(count, int), np.full(count, 1), np.ones(count))


@pytest.mark.parametrize(
    "rule",
    [
        NeverContact,
        AlwaysOffer,
        Pester,
        lambda params: PricedGreedy(
            params=params, price=1.0, contact_in_cooldown=True, delay_after_contact=1
        ),
    ],
)
def test_exact_evaluation_agrees_with_simulation(
    customers: Customers, params: EnvironmentParams, rule: Callable[..., Policy]
) -> None:
    """Why: the oracle's model and the environment are two programs; they must be one world, above
    the contact cap too."""
    differences = play_out(rule(params=params), customers, params, 20_000)
    for name, difference in differences.items():
        error = difference.std() / np.sqrt(len(difference))
        assert abs(difference.mean()) <= 3 * error + 1e-12, name


@pytest.mark.parametrize("rule", [Pester, AlwaysOffer])
def test_honest_worlds_are_one_world_too(
    customers: Customers, params: EnvironmentParams, rule: Callable[..., Policy]
) -> None:
    """Why: what is assumed of the effect is assumed by the simulation and by the exact figures."""
    honest = EnvironmentParams.model_validate(dict(params) | HONEST["all of it"])
    differences = play_out(rule(params=honest), customers, honest, 8_000)
    for name, difference in differences.items():
        error = difference.std() / np.sqrt(len(difference))
        assert abs(difference.mean()) <= 3 * error + 1e-12, name


def test_a_second_look_beyond_eight_days_is_found(customers: Customers) -> None:
    """Why: the longest delay is eight days; in a cooldown of eleven the best wait takes two looks.
    Dearly annoyed customers are best contacted when it is over."""
    params = EnvironmentParams(
        cooldown_days=11, contact_cap=2, annoyance_effect=0.0, cooldown_reluctance=6.0
    )
    some = customers.take(slice(0, 2))
    found = evaluate_actions(lambda chain: solve(chain, 0.5), some, params.clean)
    expected = [
        brute_force_value(float(risk), accept.tolist(), params.clean, 0.5)
        for risk, accept in zip(some.risk, some.accept, strict=True)
    ]
    np.testing.assert_allclose(found.uplift - 0.5 * found.spend, expected, rtol=1e-9)


def test_never_contacting_has_its_closed_form(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: uplift is counted from here; only looking costs anything."""
    found = evaluate(NeverContact(params=params), customers, params)
    survival = daily_survival(customers.risk, params) ** 8
    np.testing.assert_allclose(found.uplift, -params.decision_cost / (1 - survival))
    assert (found.spend == 0).all()
    assert found.retention == pytest.approx(0)


def test_no_rule_beats_the_oracle(customers: Customers, params: EnvironmentParams) -> None:
    """Why: weak duality bounds every policy at its own spend, customer mix by customer mix."""
    curve = pareto_curve(customers, params, curve_around(1.0))
    rules = [AlwaysOffer(params=params), NeverContact(params=params)] + [
        PricedGreedy(params=params, price=price) for price in (0.0, 0.5, 1.0, 3.0)
    ]
    for rule in rules:
        found = evaluate(rule, customers, params)
        assert curve.captured(found.mean("uplift"), found.mean("spend")) <= 1 + 1e-12
    never = evaluate(rules[1], customers, params)
    assert curve.captured(never.mean("uplift"), 0.0) == pytest.approx(0)


def test_the_oracle_captures_itself(customers: Customers, params: EnvironmentParams) -> None:
    """Why: the yardstick's other end: the optimum scores 1 at every price's spend."""
    curve = pareto_curve(customers, params, np.array([0.2, 1.0, 2.0]))
    for uplift, spend in zip(curve.uplift, curve.spend, strict=True):
        captured = curve.captured(float(uplift @ curve.weight), float(spend @ curve.weight))
        assert captured == pytest.approx(1)


def test_help_from_the_optimum_closes_the_gap(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: the report blames heads and states by what the optimum's decisions there add; none must
    add nothing, and all of them everywhere must close the gap."""
    rule = PricedGreedy(params=params, price=1.0)
    curve = pareto_curve(customers, params, curve_around(1.0))
    own = curve.captured(*(evaluate(rule, customers, params).mean(m) for m in ("uplift", "spend")))
    mixes = {
        "nothing": heads_from_best(),
        "everything": heads_from_best("contact", "offer", "delay"),
        "no state": states_from_best(lambda *_: False),
        "every state": states_from_best(lambda *_: True),
        **BY_STATE,
    }
    found = captured_with_help(rule, customers, curve, params, 1.0, mixes)
    assert found["nothing"] == found["no state"] == pytest.approx(own)
    assert found["everything"] == found["every state"] == pytest.approx(1)
    assert all(found[name] <= 1 + 1e-9 for name in BY_STATE)
    assert max(found[name] for name in BY_STATE) > own


def test_budget_is_met_with_a_small_gap(customers: Customers, params: EnvironmentParams) -> None:
    """Why: the price is right when spend is within the limit and the dual certifies the value."""
    solution = solve_budget(customers, params)
    assert 0 < solution.spend <= params.budget_limit
    assert 0 <= solution.gap < 0.05  # 24 customers: spend moves in jumps


def test_a_loose_budget_has_no_price(customers: Customers, params: EnvironmentParams) -> None:
    """Why: a multiplier on a constraint that doesn't bind would only distort."""
    loose = params.model_copy(update={"budget_limit": 1.0})
    assert solve_budget(customers, loose).price == 0


def test_spend_falls_and_value_rises_with_the_price(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: monotonicity of the Lagrangian: a cheaper world never spends less."""
    curve = pareto_curve(customers, params, np.array([0.0, 0.5, 1.0, 2.0, 4.0]))
    assert (np.diff(curve.spend, axis=0) <= 1e-12).all()
    assert (np.diff(curve.uplift, axis=0) <= 1e-12).all()


def test_the_pesterer_exceeds_the_cap(customers: Customers, params: EnvironmentParams) -> None:
    """Why: a figure that is 0 for every policy tried would agree with anything."""
    assert evaluate(Pester(params), customers, params).mean("over_cap") > 0.1


def test_the_best_delay_is_not_always_zero(customers: Customers, params: EnvironmentParams) -> None:
    """Why: with nothing to gain from waiting, the delay would be no decision; and with nothing to
    lose, it would always be the longest."""
    delays: set[int] = set()
    chain = build_chain(customers, params)
    for level, actions in zip(chain.levels, solve(chain, 1.0)[:-1], strict=False):
        waits = ~actions.contact
        waits[level.on(params.cooldown_days)] = False  # nothing changes any more
        delays |= set(np.unique(actions.delay[waits | actions.contact]))
    assert len(delays) > 2
    assert delays != {0}


def test_oracle_keeps_the_cap(customers: Customers, params: EnvironmentParams) -> None:
    """Why: the yardstick must not owe its value to contacts that aren't allowed."""
    chain = build_chain(customers, params)
    figures = Evaluation.of(chain_figures(chain, solve(chain, 0.0)), customers.weight)
    assert (figures.over_cap == 0).all()


def test_a_sample_stands_for_the_whole_base() -> None:
    """Why: budgets are calibrated on samples; equal shares of value must keep expected spend."""
    rng = np.random.default_rng(5)
    accept = np.sort(rng.uniform(0.05, 0.95, (600, 4)), axis=1)
    base = Customers(rng.uniform(0.02, 0.9, 600), accept, rng.uniform(240, 1400, 600))
    params = EnvironmentParams(cooldown_days=2, contact_cap=1)
    rule = PricedGreedy(params=params, price=1.0)
    whole = evaluate(rule, base, params).mean("spend")
    sampled = evaluate(rule, systematic_sample(base, 300), params).mean("spend")
    assert sampled == pytest.approx(whole, rel=0.03)
    assert systematic_sample(base, 600) is base
