"""What each rule does with one state, by hand; how rules are tuned; what the bandit learns."""

from functools import partial

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.calibration import CLOSE
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import build_states
from churn_assets.decision.rules import tuning
from churn_assets.decision.rules.bandit import ACCEPT_EDGES, RISK_EDGES, learn_segments
from churn_assets.decision.rules.families import (
    AlwaysOffer,
    NeverContact,
    PricedGreedy,
    RiskThreshold,
    SegmentTable,
    UpliftRule,
)
from churn_assets.decision.rules.tuning import (
    Family,
    best_variant,
    calibrated,
    families,
    retuned,
    timing_variants,
    tuned_baselines,
)

PLAIN = EnvironmentParams(
    acceptance_effect=np.log(3), annoyance_effect=0, cooldown_reluctance=0, fatigue_reluctance=0
)
"""Odds of leaving fall to a third on acceptance; a contact changes nothing else."""


def state(
    risk: float = 0.5, accept: float = 0.5, budget: float = 1.0, days: float = 7, contacts: int = 0
) -> np.ndarray:
    """(1, 9) a customer who accepts every offer alike."""
    return build_states([risk], [[accept] * 4], [budget], [days], [contacts], PLAIN)


def decided(rule: object, *states: np.ndarray) -> list[tuple[int, int, int]]:
    """Contact, offer, delay for each state."""
    actions = rule.decide(np.concatenate(states)).actions  # type: ignore[attr-defined]
    return [tuple(int(number) for number in row) for row in actions]


def test_nobody_is_contacted_by_the_counterfactual() -> None:
    """Why: uplift is counted from it; in the cooldown, too, it looks as seldom as can be."""
    assert decided(NeverContact(params=PLAIN), state(), state(days=2)) == [(0, 0, 7), (0, 0, 7)]


def test_always_offer_takes_the_dearest_that_fits() -> None:
    """Why: it is the straw man of every campaign, and must at least be that one."""
    rule = AlwaysOffer(params=PLAIN, delay_after_contact=3)
    lefts = [state(budget=left) for left in (1.0, 0.74, 0.5, 0.49, 0.2)]
    assert decided(rule, *lefts) == [(1, 3, 3), (1, 2, 3), (1, 2, 3), (1, 1, 3), (1, 0, 3)]


def test_a_threshold_on_the_risk() -> None:
    """Why: only above it, only with its own offer, and not at all where that doesn't fit."""
    rule = RiskThreshold(params=PLAIN, threshold=0.4, offer=2)
    states = state(risk=0.41), state(risk=0.4), state(risk=0.9, budget=0.25)
    assert decided(rule, *states) == [(1, 2, 6), (0, 0, 7), (0, 0, 7)]


@pytest.mark.parametrize(("threshold", "contacts"), [(0.124, 1), (0.126, 0)])
def test_a_threshold_on_the_uplift(threshold: float, contacts: int) -> None:
    """Why: odds 1 fall to 1/3 for the half who accept: 0.5 x (0.75 - 0.5) = 0.125."""
    rule = UpliftRule(params=PLAIN, threshold=threshold, offer=1)
    assert decided(rule, state()) == [(contacts, contacts, 6 if contacts else 7)]
    scores = rule.scores(state())[0]
    assert scores[1] == pytest.approx(0.125 - threshold)
    assert (np.delete(scores, 1) < 0).all()


def test_the_greedy_rule_by_hand() -> None:
    """Why: 0.125 gained, less (1 + price) x 0.5 x discount, attention and the threshold."""
    rule = PricedGreedy(params=PLAIN, price=2.0, threshold=0.01)
    paid = 3.0 * 0.5 * np.array([0, 0.05, 0.10, 0.15])
    np.testing.assert_allclose(rule.scores(state())[0], 0.125 - paid - 0.001 - 0.01)


def test_when_a_rule_looks_again() -> None:
    """Why: when the cooldown ends, where a contact may follow then; else as late as can be."""
    rule = PricedGreedy(params=PLAIN)
    cap = PLAIN.contact_cap
    states = [state(days=days, contacts=n) for days, n in ((0, 1), (2, 1), (6, 1), (2, cap))]
    assert decided(rule, *states) == [(0, 0, 6), (0, 0, 4), (0, 0, 0), (0, 0, 7)]
    assert decided(rule, state(contacts=cap)) == [(0, 0, 7)]  # nothing in the cooldown, either
    patient = PLAIN.model_copy(update={"cooldown_days": 12})
    long = build_states([0.5], [[0.5] * 4], [1.0], [1.0], [1], patient)
    assert decided(PricedGreedy(params=patient), long) == [(0, 0, 7)]
    eager = PricedGreedy(params=PLAIN, contact_in_cooldown=True, delay_after_contact=1)
    assert decided(eager, state(days=2, contacts=1)) == [(1, 0, 1)]


def test_a_segment_is_a_risk_and_an_acceptance() -> None:
    """Why: a table read in the other order would hold the worth of other customers."""
    table = tuple((float(row), 0.0, 0.0, 0.0) for row in range(6))
    rule = SegmentTable(risk_edges=(0.3, 0.6), accept_edges=(0.5,), table=table, params=PLAIN)
    accept = np.array([[0.1, 0.2, ten, 0.9] for ten in (0.4, 0.6)])
    for r, risk in enumerate((0.2, 0.4, 0.8)):
        states = build_states([risk] * 2, accept, [1.0] * 2, [7.0] * 2, [0] * 2, PLAIN)
        np.testing.assert_array_equal(rule.segments(states), [2 * r, 2 * r + 1])
        np.testing.assert_array_equal(rule.scores(states)[:, 0], [2 * r, 2 * r + 1])


def test_a_knob_is_set_to_the_limit(customers: Customers, params: EnvironmentParams) -> None:
    """Why: a rule that leaves a part of the budget unspent is no fair opponent; one that overspends
    is none, either."""
    build = partial(_greedy, params)
    rule = calibrated(build, "priced_greedy", customers, params)
    spent = evaluate(rule, customers, params.clean).mean("spend") / params.budget_limit
    assert 1 - 20 * CLOSE <= spent <= 1  # 24 customers: spend moves in jumps
    cheaper = evaluate(build(0.9 * rule.price), customers, params.clean).mean("spend")
    assert cheaper > params.budget_limit
    loose = params.model_copy(update={"budget_limit": 0.2})
    assert calibrated(partial(_greedy, loose), "priced_greedy", customers, loose).price == 0


def _greedy(params: EnvironmentParams, price: float) -> PricedGreedy:
    return PricedGreedy(params=params, price=price, contact_in_cooldown=True)


def test_the_variant_that_is_worth_most_is_kept(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: unspent budget counts at its price: where that is high, the frugal variant wins."""
    offers = [partial(_threshold, params, offer) for offer in (0, 1, 3)]
    family = Family("risk_threshold", offers)
    chosen = []
    for price in (0.0, 1.0, 64.0):
        worth = []
        for build in offers:
            found = evaluate(calibrated(build, family.name, customers, params), customers, params)
            worth.append(found.mean("uplift") - price * found.mean("spend"))
        kept = best_variant(family, customers, params, price)
        assert kept is offers[int(np.argmax(worth))]
        chosen.append(kept)
    assert chosen[-1] is offers[0]  # a word without a discount costs no budget
    assert len({id(kept) for kept in chosen}) > 1


def _threshold(params: EnvironmentParams, offer: int, threshold: float) -> RiskThreshold:
    return RiskThreshold(params=params, offer=offer, threshold=threshold)


def test_baselines_are_tuned_on_some_and_priced_on_others(
    customers: Customers, params: EnvironmentParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a knob set on the customers who chose the variant would be set on its luck."""
    family = Family("risk_threshold", [partial(_threshold, params, offer) for offer in (1, 3)])
    monkeypatch.setattr(tuning, "families", lambda *_: iter([family]))
    some, others = customers.take(slice(0, 12)), customers.take(slice(12, 24))
    rules = tuned_baselines(some, others, params, price=1.0)
    assert list(rules) == ["never", "always_offer", "risk_threshold"]
    build = best_variant(family, some, params, 1.0)
    assert rules["risk_threshold"] == calibrated(build, "risk_threshold", others, params)
    assert rules["never"] == NeverContact(params=params)
    assert rules["always_offer"] == AlwaysOffer(params=params)


def test_every_family_has_its_variants(customers: Customers) -> None:
    """Why: the comparison promises these; a campaign as it is usually run is the first of each."""
    params = EnvironmentParams(cooldown_days=5)
    found = {family.name: [build(0.3) for build in family.variants] for family in families(
        customers, params, 1.0
    )}  # fmt: skip
    assert {name: len(rules) for name, rules in found.items()} == {
        "priced_greedy": 9,
        "greedy_retry": 4,
        "look2": 1,
        "risk_threshold": 2,
        "uplift": 2,
        "thompson": 3,
    }
    usual = [rules[0] for name, rules in found.items() if name != "look2"]
    assert {(r.delay_after_contact, r.contact_in_cooldown) for r in usual} == {(4, False)}
    assert [rule.offer for rule in found["uplift"]] == [1, 2]
    assert {rule.threshold for rule in found["risk_threshold"]} == {0.3}
    assert [rule.threshold for rule in found["priced_greedy"]] == [0.0] * 6 + [0.01] * 3
    assert all(rule.params == params for rules in found.values() for rule in rules)
    cheap, dear = (np.array(tuning.segment_rule(*worth).table) for worth in _table_at(params))
    np.testing.assert_allclose(cheap - dear, 2.0 * 0.05)


def _table_at(params: EnvironmentParams) -> list[tuple[object, ...]]:
    gain, cost = np.full((45, 4), 0.1), np.full((45, 4), 0.05)
    timing = {"delay_after_contact": 0, "contact_in_cooldown": True}
    return [(gain, cost, params, timing, price) for price in (1.0, 3.0)]


@pytest.mark.parametrize(("cooldown", "whole"), [(5, 4), (14, 7), (1, 0)])
def test_timings_that_are_tried(cooldown: int, whole: int) -> None:
    """Why: waiting the cooldown out, then (what was best in trials) asking again at once."""
    found = list(timing_variants(EnvironmentParams(cooldown_days=cooldown)))
    assert [timing["delay_after_contact"] for timing in found] == [whole, 0, 2, 1, 4, whole]
    assert [timing["contact_in_cooldown"] for timing in found] == [False] + [True] * 5


def test_a_rule_without_a_knob_is_left_alone(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: what changes when a rule is re-tuned is its knob and nothing else."""
    rule = RiskThreshold(params=params, threshold=0.0, offer=3, delay_after_contact=2)
    anew = retuned(rule, customers, params)
    assert anew is not None
    assert anew.threshold > 0  # type: ignore[attr-defined]
    assert dict(anew) | {"threshold": 0.0} == dict(rule)


def test_the_bandit_learns_what_its_contacts_bring() -> None:
    """Why: with one customer who accepts everything, all it can learn is known: what an acceptance
    takes off the risk, and each offer's discount."""
    one = Customers(np.array([0.5]), np.full((1, 4), 1 - 1e-12), np.array([600.0]))
    params = PLAIN.model_copy(update={"history_share": 0.0, "contact_cap": 1})
    gain, cost = learn_segments(one, params, price=1.0, seed=0)
    [row] = np.unique(np.flatnonzero(np.abs(gain).sum(axis=1)))
    assert row == np.searchsorted(RISK_EDGES, 0.5) * (len(ACCEPT_EDGES) + 1) + len(ACCEPT_EDGES)
    fell = 0.25 - params.contact_cost  # risk 0.5, odds 1 -> 1/3
    shrunk = gain[row] / fell  # tried / (tried + 1)
    assert (shrunk > 0.9).any()
    assert (shrunk < 1).all()
    np.testing.assert_allclose(cost[row], shrunk * np.asarray(params.discounts))
    assert shrunk.argmax() == 0  # the offer that costs nothing brings as much
    assert not cost[np.arange(len(cost)) != row].any()
