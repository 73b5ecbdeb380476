"""The stages' figures computed anew from the policies that they wrote, and diagnostics by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from churn_assets.decision.config import PRESETS, DecisionConfig, EnvironmentParams
from churn_assets.decision.evaluation import conditions
from churn_assets.decision.evaluation.diagnostics import (
    BY_HEAD,
    BY_STATE,
    SEEN_SHIFTS,
    Visits,
    captured_with_help,
    gap_by_risk,
    heads_from_best,
    input_sensitivity,
    stressed_customers,
    stressed_params,
    visit,
)
from churn_assets.decision.evaluation.selection import spend_by_allowance
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.oracle import GridActions, solve
from churn_assets.decision.exact.pareto import curve_around, pareto_curve, solve_budget
from churn_assets.decision.exact.policy_value import evaluate, evaluate_actions, summarise
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.mdp.dynamics import spend_levels
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.observation import BUDGET, COLUMNS, RISK
from churn_assets.decision.policy import load_network, load_policy, load_rule
from churn_assets.decision.rules.families import AlwaysOffer, RiskThreshold
from churn_assets.decision.world import load_curve


def of_stage(folders: dict[str, Path], name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folders[name] / "report.json").read_text())
    return found


@pytest.fixture(scope="module")
def groups(environment_folder: Path) -> Groups:
    return Groups.load(environment_folder)


def test_every_policys_row_is_its_own(
    folders: dict[str, Path], reported: dict[str, Any], groups: Groups, params: EnvironmentParams
) -> None:
    """Why: a row under the wrong name, or on other customers, would crown the wrong policy."""
    curve = load_curve(folders["oracle_policy"], "moderate")
    table = reported["presets"]["moderate"]

    def row(policy: Policy) -> dict[str, float]:
        found = evaluate(policy, groups.test, params.clean)
        own = {
            "captured_uplift": captured_uplift(curve, found),
            "spend_ratio": found.mean("spend") / params.budget_limit,
        }
        return summarise(found) | own

    seeds = {}
    for seed in ("0", "1"):
        seeds[seed] = row(load_network(folders["decision_policy"] / "moderate" / f"seed-{seed}"))
        assert table["ppo"]["by_seed"][seed] == pytest.approx(seeds[seed])
    rules = {}
    for name, shown in table["rules"].items():
        rules[name] = row(load_rule(folders["baseline_policies"] / "moderate" / name))
        flat = shown | {"captured_uplift": shown["captured_uplift"]["value"]}
        assert flat == pytest.approx(rules[name])
    for figure in ("captured_uplift", "spend_ratio"):
        mean = np.mean([one[figure] for one in seeds.values()])
        shown = table["ppo"][figure]
        assert shown["value"] == pytest.approx(mean)
        assert shown["lower"] < shown["value"] < shown["upper"]
    over = np.mean([one["over_cap"] for one in seeds.values()])
    assert table["ppo"]["over_contact_rate"] == pytest.approx(over)
    best = rules[table["best_rule"]]["captured_uplift"]
    lead = table["lead"]
    assert lead["value"] == pytest.approx(table["ppo"]["captured_uplift"]["value"] - best)
    assert lead["lower"] < lead["value"] < lead["upper"]
    assert reported["policy"]["lead_by_preset"]["moderate"] == lead["value"]
    assert reported["policy"]["lead_lower_by_preset"]["moderate"] == lead["lower"]


def test_the_served_policys_figures_are_its_own(
    folders: dict[str, Path], reported: dict[str, Any], groups: Groups, params: EnvironmentParams
) -> None:
    """Why: they open the release's gates; on customers who took no part in the calibration."""
    served, limit = load_policy(folders["policy_report"] / "policy"), params.budget_limit
    figures = reported["serving"]
    spend = evaluate(served, groups.checking(), params.clean).mean("spend") / limit
    assert figures["spend_ratio"]["value"] == pytest.approx(spend)
    on_test = evaluate(served, groups.test, params.clean)
    assert figures["test_spend_ratio"]["value"] == pytest.approx(on_test.mean("spend") / limit)
    assert figures["over_contact_rate"] == pytest.approx(on_test.mean("over_cap"))
    assert figures["captured_uplift"] == reported["policy"]["served_uplift"]
    whole = evaluate(served, groups.everyone(), params.clean).mean("spend") / limit
    assert reported["policy"]["spend_clean_sheet"] == pytest.approx(whole)
    assert reported["policy"]["p_over_budget"] == reported["period_spend"]["p_over"]
    visits = visit(served, groups.test, params)
    assert figures["sensitivity"] == input_sensitivity(served, visits.states)


def test_training_is_reported_as_it_was(
    folders: dict[str, Path],
    reported: dict[str, Any],
    groups: Groups,
    params: EnvironmentParams,
    tiny_config: DecisionConfig,
) -> None:
    """Why: the seed that may be served is chosen by these, on validation customers."""
    trained = of_stage(folders, "decision_policy")["trained"]["moderate"]
    assert [run["seed"] for run in trained["runs"]] == [0, 1]
    some = systematic_sample(groups.train, tiny_config.price_customers)
    price = solve_budget(some, params.clean, 1e-2).price
    assert trained["oracle_price"] == pytest.approx(price)
    watched = systematic_sample(groups.valid, tiny_config.watched_customers)
    curve = pareto_curve(watched, params.clean, curve_around(price))
    folder, config = folders["decision_policy"], tiny_config.ppo
    for run in trained["runs"]:
        network = load_network(folder / "moderate" / f"seed-{run['seed']}")
        assert network.spec.price == run["price"]
        calibration = groups.calibration(tiny_config.calibration_customers)
        assert calibrate_policy(network, calibration, params).spec.price == run["price"]
        captured = captured_uplift(curve, evaluate(network, watched, params.clean))
        assert run["valid_captured_uplift"] == pytest.approx(captured)
        first = run["history"][0]["captured_uplift"]
        assert run["improvement"]["value"] == pytest.approx(captured - first)
        assert run["improvement"]["lower"] <= run["improvement"]["value"]
        each = config.updates // tiny_config.curve_points
        steps = [row["steps"] for row in run["history"]]
        played = each * config.customers * config.horizon
        assert steps == [played * (i + 1) for i in range(tiny_config.curve_points)]
        assert run["history"][-1]["budget_multiplier"] == run["multiplier"]
        assert run["train_seconds"] > 0
    best = max(trained["runs"], key=lambda run: run["valid_captured_uplift"])["seed"]
    assert trained["best_seed"] == reported["served_seed"] == best
    chosen = load_network(folder / "policy")
    own = load_network(folder / "moderate" / f"seed-{best}")
    np.testing.assert_array_equal(chosen.weights["offer.weight"], own.weights["offer.weight"])
    assert reported["learned"]["improvement"] == [run["improvement"] for run in trained["runs"]]


def test_the_oracles_and_the_rules_figures_are_their_own(
    folders: dict[str, Path],
    reported: dict[str, Any],
    groups: Groups,
    params: EnvironmentParams,
    tiny_config: DecisionConfig,
) -> None:
    """Why: everything is measured against these."""
    found, clean = of_stage(folders, "oracle_policy")["oracle"]["moderate"], params.clean
    solution = solve_budget(groups.test, clean)
    assert (found["price"], found["spend"]) == pytest.approx((solution.price, solution.spend))
    assert (found["uplift"], found["upper_bound"]) == pytest.approx(
        (solution.uplift, solution.bound)
    )
    assert found["dual_gap"] == reported["policy"]["oracle_gap"] == pytest.approx(solution.gap)
    never = load_rule(folders["baseline_policies"] / "moderate" / "never")
    assert found["never"] == pytest.approx(evaluate(never, groups.test, clean).mean("uplift"))
    assert found["customers"] == len(groups.test)
    tuning = groups.calibration(tiny_config.tuning_customers)
    for name, row in of_stage(folders, "baseline_policies")["baselines"]["moderate"].items():
        rule = load_rule(folders["baseline_policies"] / "moderate" / name)
        figures = summarise(evaluate(rule, tuning, clean))
        assert {figure: row[figure] for figure in figures} == pytest.approx(figures)
        assert row["kind"] == name


def test_the_learned_policys_steps_are_its_own(
    folders: dict[str, Path], reported: dict[str, Any], groups: Groups, params: EnvironmentParams
) -> None:
    """Why: a gate reads them."""
    network = load_network(folders["decision_policy"] / "policy")
    visits = visit(network, groups.test, params)
    spends = spend_by_allowance(network, visits, params)
    learned = reported["learned"]
    assert learned["spend_by_allowance"] == pytest.approx(spends.mean(axis=1))
    steps = [step["value"] for step in learned["spend_steps"]]
    assert steps == pytest.approx(np.diff(spends.mean(axis=1)), abs=1e-12)
    assert learned["sensitivity"].keys() == set(COLUMNS)


def test_what_a_decision_costs_at_each_allowance() -> None:
    """Why: with none left there is no discount to give; with all of it, the dearest one."""
    params = EnvironmentParams()
    states = np.zeros((2, 9))
    states[:, RISK], states[:, 1:5] = 0.5, [[0.1, 0.2, 0.3, 0.4]] * 2
    states[:, 6] = params.cooldown_days
    visits = Visits(states, np.arange(2))
    found = spend_by_allowance(AlwaysOffer(params=params), visits, params)
    assert found.shape == (spend_levels(params), 2)
    assert (found[0] == 0).all()
    np.testing.assert_allclose(found[-1], 0.4 * params.discounts[3])
    assert (states[:, BUDGET] == 0).all()


def test_help_of_the_optimum_in_every_head_is_the_optimum(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: what a replacement adds is said to be lost there; without any it is the policy itself,
    with all of them nothing is left to lose."""
    clean, rule = params.clean, AlwaysOffer(params=params)
    curve = pareto_curve(customers, clean, curve_around(2.0))
    mixes = BY_HEAD | {"all": heads_from_best("contact", "offer", "delay")}
    found = captured_with_help(rule, customers, curve, clean, 2.0, mixes)
    best = evaluate_actions(lambda chain: solve(chain, 2.0), customers, clean)
    assert found["none"] == pytest.approx(captured_uplift(curve, evaluate(rule, customers, clean)))
    assert found["all"] == pytest.approx(captured_uplift(curve, best))
    assert len({round(found[name], 9) for name in BY_HEAD}) == len(BY_HEAD)
    by_state = captured_with_help(rule, customers, curve, clean, 2.0, BY_STATE)
    assert all(value < found["all"] + 1e-9 for value in by_state.values())


@pytest.mark.parametrize(
    ("name", "contacts"),
    [
        ("before a contact", [0]),
        ("after one contact", [1]),
        ("after two or more", [2, 3]),
    ],
)
def test_help_by_contacts_made(name: str, contacts: list[int]) -> None:
    """Why: the table says after how many contacts the policy errs."""
    for made in range(4):
        helped = mixed(name, made)
        assert (helped == (made in contacts)).all(), made


def test_help_by_the_cooldown() -> None:
    """Why: rested is the last day that is counted, and no other."""
    np.testing.assert_array_equal(mixed("out of the cooldown", 1)[:, 0], [0, 0, 0, 1])
    np.testing.assert_array_equal(mixed("in the cooldown", 1)[:, 0], [1, 1, 1, 0])


def mixed(name: str, contacts: int) -> np.ndarray:
    """Whose offers are taken at four states, 0 to 3 days after a contact, cooldown 3: 1 the best's;
    contacts and delays are taken alike."""
    level: Any = SimpleNamespace(
        contacts=contacts, days=np.arange(4), place=np.zeros((1, 1, 1, 4), int)
    )
    own, best = (
        GridActions(
            np.full((4, 2), bool(n)),
            np.full((4, 2), n),
            np.full((4, 2), n),
        )
        for n in range(2)
    )
    found = BY_STATE[name](level, own, best)
    np.testing.assert_array_equal(found.contact, found.offer)
    np.testing.assert_array_equal(found.delay, found.offer)
    return found.offer


def test_the_gap_lies_where_it_was_lost() -> None:
    """Why: fifths of the customers by risk, in order, each with its share of all that is lost."""
    risk = np.array([0.9, 0.1, 0.5, 0.3, 0.7, 0.92, 0.12, 0.52, 0.32, 0.72])
    lost = np.array([4.0, 0.0, 2.0, 1.0, 3.0] * 2)
    best, weight = np.full(10, 5.0), np.full(10, 0.1)
    found = gap_by_risk(best - lost, best, risk, weight)
    assert list(found) == [f"risk fifth {i}" for i in range(1, 6)]
    assert list(found.values()) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_visited_states_and_their_mean(customers: Customers, params: EnvironmentParams) -> None:
    """Why: a customer's states vary together; counted as independent, noise would look like a
    finding."""
    visits = visit(RiskThreshold(params=params, threshold=0.3), customers, params, count=16)
    assert visits.states.shape == (8 * 16, 9)
    assert set(visits.customer) <= set(range(len(customers)))
    assert len(set(visits.states[:, 6])) > 1  # days go on
    four = Visits(np.zeros((4, 9)), np.array([0, 0, 1, 1]))
    mean = four.mean(np.array([1.0, 3.0, 5.0, 7.0]))
    assert mean == {"value": 4.0, "error": pytest.approx(np.sqrt(4**2 + 4**2) / 4)}


def test_sensitivity_is_the_share_of_changed_decisions(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a policy of the risk alone must be seen to look at nothing else of the customer."""
    rule = RiskThreshold(params=params, threshold=0.4, offer=1, contact_in_cooldown=True)
    states = visit(rule, customers, params, count=64).states
    found = input_sensitivity(rule, states)
    permuted = states.copy()
    permuted[:, 0] = np.random.default_rng(0).permutation(permuted[:, 0])
    before, after = rule.decide(states).actions, rule.decide(permuted).actions
    assert found["churn_risk"] == pytest.approx((before != after).any(axis=1).mean())
    assert found["churn_risk"] > 0.1
    assert not any(found[name] for name in COLUMNS[1:5])  # acceptance


def test_stress_is_what_its_name_says(customers: Customers, params: EnvironmentParams) -> None:
    """Why: half the budget, a fifth more churn, three tenths less acceptance."""
    halved = stressed_params(params, SEEN_SHIFTS["budget -50 %"])
    assert halved == params.model_copy(update={"budget_limit": params.budget_limit / 2})
    assert stressed_params(params, SEEN_SHIFTS["churn +20 %"]) == params
    riskier = stressed_customers(customers, SEEN_SHIFTS["churn +20 %"])
    np.testing.assert_allclose(riskier.risk, np.minimum(1.2 * customers.risk, riskier.risk.max()))
    np.testing.assert_array_equal(riskier.accept, customers.accept)
    colder = stressed_customers(customers, SEEN_SHIFTS["acceptance -30 %"])
    np.testing.assert_allclose(colder.accept, 0.7 * customers.accept)
    np.testing.assert_array_equal(colder.risk, customers.risk)


def test_other_budgets_and_worlds_are_told_to_the_network(
    folders: dict[str, Path], groups: Groups, params: EnvironmentParams
) -> None:
    """Why: one network, priced anew for each on the calibration customers, against the optimum of
    that budget."""
    network = load_network(folders["decision_policy"] / "policy")
    few = groups.calibration(6)
    found = conditions.captured_by_budget(network, groups.test, few)
    half = params.model_copy(update={"budget_limit": params.budget_limit / 2})
    priced = calibrate_policy(network, few, half)
    curve = pareto_curve(groups.test, half.clean, conditions.near(priced.spec.price))
    expected = captured_uplift(curve, evaluate(priced, groups.test, half.clean))
    assert found["0.5"] == pytest.approx(expected)
    own = DecisionConfig().environment
    worlds = conditions.changed_worlds(DecisionConfig(), own)
    assert worlds.keys() == {*PRESETS, "annoyance 0.3", "harsh, cooldown of 7 days"}
    assert worlds["annoyance 0.3"] == own.model_copy(update={"annoyance_effect": 0.3})
    harsh = worlds["harsh, cooldown of 7 days"]
    assert harsh == DecisionConfig().world("harsh").model_copy(update={"cooldown_days": 7})
    prices = conditions.near(2.0)
    assert prices[0] == 0
    assert 2.0 in prices
    assert {2.1, 2.25} <= set(prices.round(9))
    assert (np.diff(prices) > 0).all()


def test_the_planner_keeps_the_budget_where_it_is_priced(
    groups: Groups, params: EnvironmentParams
) -> None:
    """Why: a bound that overspends bounds nothing."""
    calibration = groups.calibration(12)
    found = evaluate(conditions.planned(calibration, params), calibration, params.clean)
    assert 0.9 * params.budget_limit < found.mean("spend") <= params.budget_limit
