"""The stages one after another on a tiny base, the checks on what they report, and the arena."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from checks import decision as checks
from churn_assets.decision.config import PRESETS, DecisionConfig, EnvironmentParams
from churn_assets.decision.evaluation import gates, report
from churn_assets.decision.evaluation.diagnostics import Visits
from churn_assets.decision.evaluation.selection import (
    Candidate,
    choose_served,
    learned_figures,
    served_figures,
)
from churn_assets.decision.exact.comparison import Bootstrap
from churn_assets.decision.exact.pareto import curve_around, pareto_curve
from churn_assets.decision.exact.policy_value import METRICS, Evaluation, evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.observation import BUDGET, COLUMNS
from churn_assets.decision.policy import load_policy, load_rule
from churn_assets.decision.rules.families import NeverContact, PricedGreedy
from churn_assets.decision.rules.tuning import calibrated
from churn_assets.domain.splits import SPLITS
from churn_assets.orchestration.run_follower import _figures
from churn_assets.storage.protocol import Artifact
from tests.decision.conftest import HEADLINE, synthetic_customers

NOTHING = Evaluation.of(np.zeros((1, len(METRICS))), np.ones(1))


def test_the_headline_has_exactly_the_promised_figures(reported: dict[str, Any]) -> None:
    """Why: `churn report --json` shows this dictionary."""
    assert set(reported["policy"]) == HEADLINE
    assert reported["policy"]["seeds"] == 2


def test_every_baseline_is_beside_ppo(reported: dict[str, Any]) -> None:
    """Why: a figure without its baselines proves nothing."""
    table = reported["presets"]["moderate"]
    assert set(table["rules"]) == {
        "never",
        "always_offer",
        "risk_threshold",
        "uplift",
        "priced_greedy",
        "greedy_retry",
        "look2",
        "thompson",
    }
    assert table["rules"]["never"]["captured_uplift"]["value"] == pytest.approx(0)
    for row in table["rules"].values():
        figure = row["captured_uplift"]
        assert figure["value"] <= 1 + 1e-9
        assert figure["lower"] <= figure["upper"]


def test_what_is_served_is_the_better_one(
    folders: dict[str, Path], reported: dict[str, Any]
) -> None:
    """Why: a barely trained network must not reach customers."""
    served = load_policy(folders["policy_report"] / "policy")
    by_seed = reported["presets"]["moderate"]["ppo"]["by_seed"]
    ppo = by_seed[str(reported["served_seed"])]["captured_uplift"]
    rule = reported["policy"]["best_baseline_uplift"]
    learned = not reported["failed_gates"] and ppo >= rule - gates.NEAR_THE_BEST
    assert served.name == ("ppo" if learned else reported["policy"]["best_baseline"])
    assert reported["served"] == reported["policy"]["served"] == served.name
    assert reported["policy"]["served_uplift"] == (ppo if learned else rule)


def test_the_lead_is_over_the_strongest_rule(reported: dict[str, Any]) -> None:
    """Why: a lead over a rule that isn't the strongest flatters the policy."""
    figures, rules = reported["policy"], reported["presets"]["moderate"]["rules"]
    priced = {
        n: r["captured_uplift"]["value"] for n, r in rules.items() if n not in report.UNPRICED
    }
    assert figures["strongest_rule_uplift"] == max(priced.values())
    assert priced[figures["strongest_rule"]] == max(priced.values())
    lead = figures["captured_uplift"] - max(priced.values())
    assert figures["lead_over_strongest"] == pytest.approx(lead)


def test_the_network_is_measured_under_other_conditions(reported: dict[str, Any]) -> None:
    """Why: one network for every budget and world is the policy's claim; the planner is the bound
    that no policy passes."""
    figures = reported["policy"]
    assert set(figures["captured_uplift_by_budget"]) == {"0.25", "0.5", "1", "1.5", "2", "3"}
    assert set(PRESETS) < set(figures["changed_worlds"])
    captured = [*figures["captured_uplift_by_budget"].values(), *figures["changed_worlds"].values()]
    assert all(value <= 1 + 1e-9 for value in captured)
    assert 0.97 < figures["planner_uplift"] <= 1 + 1e-9
    assert figures["planner_uplift"] >= figures["strongest_rule_uplift"] - 0.01


def test_the_report_closes_the_loop(reported: dict[str, Any]) -> None:
    """Why: exact figures are of a policy that sees the environment; customers are decided on with
    what a caller knows. PPO and the strongest rule are held against it, and the served one is in
    the headline."""
    loops, figures = reported["closed_loop"], reported["policy"]
    assert loops.keys() == {"ppo", figures["strongest_rule"]}
    for loop in loops.values():
        assert loop["episodes"] == 400
        assert abs(loop["z_uplift"]) < 3
        assert abs(loop["z_spend"]) < 3
    assert figures["closed_loop"].items() <= loops[figures["served"]].items()


def test_the_checks_read_what_the_stages_write(reported: dict[str, Any]) -> None:
    """Why: a renamed figure must not surface in the graph only."""
    every = [one for one in vars(checks).values() if isinstance(one, dg.AssetChecksDefinition)]
    on = {one: {key.asset_key.path[-1] for key in one.check_keys} for one in every}
    of_the_report = [one for one, assets in on.items() if assets == {"policy_report"}]
    assert len(of_the_report) >= 9
    for check in of_the_report:
        outcome(check, reported)  # a figure that isn't there is a KeyError; few of them are good
    assert outcome(checks.served_policy_is_the_best_measured, reported)
    assert outcome(checks.contact_cap_is_kept, reported)


def test_tuned_rules_keep_the_budget(folders: dict[str, Path], tiny_config: DecisionConfig) -> None:
    """Why: a rule that overspends is no fair comparison; all are priced to the limit on the same
    customers."""
    groups = Groups.load(folders["retention_environment"])
    priced_on = groups.calibration(tiny_config.calibration_customers)
    tuned = json.loads((folders["baseline_policies"] / "report.json").read_text())["baselines"]
    for name in tuned["moderate"].keys() - report.UNPRICED:
        rule = load_rule(folders["baseline_policies"] / "moderate" / name)
        found = evaluate(rule, priced_on, rule.params.clean)
        assert 0 < found.mean("spend") <= rule.params.budget_limit


def test_every_plot_is_drawn(folders: dict[str, Path]) -> None:
    """Why: the issue names them, and an asset's page shows them."""
    names = {path.stem for path in (folders["policy_report"] / "plots").glob("*.png")}
    assert names == {
        "learning_curve",
        "multipliers",
        "decision_map",
        "pareto",
        "oracle_against_ppo",
        "break_even",
    }


class ReportStore:
    """Stands in for the store resource: one report, whatever the artifact."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    def report(self, artifact: Artifact) -> dict[str, Any]:
        return self.found


def judged(check: dg.AssetChecksDefinition, found: dict[str, Any]) -> dg.AssetCheckResult:
    """What a check says of a report."""
    artifact = Artifact(name="policy_report", sha256="0" * 64)
    result = check(artifact, ReportStore(found))
    assert isinstance(result, dg.AssetCheckResult)
    return result


def outcome(check: dg.AssetChecksDefinition, found: dict[str, Any]) -> bool:
    """Whether a check passes on a report."""
    return judged(check, found).passed


def good_report() -> dict[str, Any]:
    """A report that every check on it accepts."""
    table = {
        "ppo": {"by_seed": {"0": {"captured_uplift": 0.98}, "1": {"captured_uplift": 0.5}}},
        "rules": {
            "priced_greedy": {"captured_uplift": {"value": 0.95}},
            "always_offer": {"captured_uplift": {"value": 0.99}},
        },
        "lead": {"value": 0.03, "lower": 0.02, "upper": 0.04},
    }
    return {
        "preset": "moderate",
        "presets": {"moderate": table},
        "policy": {
            "captured_uplift": 0.74,
            "best_baseline": "priced_greedy",
            "best_baseline_uplift": 0.95,
            "planner_uplift": 0.95,
        },
        "served": "ppo",
        "served_seed": 0,
        "failed_gates": [],
        "learned": {
            "sensitivity": dict.fromkeys(COLUMNS, 0.1),
            "spend_by_allowance": [0.0, 0.02, 0.02],
            "spend_steps": [{"value": 0.02, "error": 1e-4}, {"value": 0.0, "error": 1e-4}],
        },
        "serving": {
            "captured_uplift": 0.98,
            "spend_ratio": {"value": 1.0, "lower": 0.99, "upper": 1.01, "error": 0.005},
            "test_spend_ratio": {"value": 1.01, "lower": 0.92, "upper": 1.1, "error": 0.045},
            "over_contact_rate": 0.0005,
            "sensitivity": dict.fromkeys(COLUMNS, 0.1),
        },
        "diagnostics": {"oracle_spend_at_prices": [0.05, 0.02, 0.01]},
    }


PPO_SEED = ("presets", "moderate", "ppo", "by_seed", "0", "captured_uplift")
RULE = ("presets", "moderate", "rules", "priced_greedy", "captured_uplift", "value")


@pytest.mark.parametrize(
    ("check", "path", "bad"),
    [
        ("ppo_captures_at_least_the_best_baseline", PPO_SEED, 0.9),
        ("served_policy_is_the_best_measured", ("serving", "captured_uplift"), 0.97),
        ("served_policy_is_the_best_measured", PPO_SEED, 0.9851),
        ("served_policy_is_the_best_measured", RULE, 0.9851),
        ("no_policy_that_failed_is_served", ("failed_gates",), ["x"]),
        ("expected_spend_is_within_the_budget", ("serving", "spend_ratio", "value"), 1.0201),
        ("expected_spend_is_within_the_budget", ("serving", "test_spend_ratio", "value"), 1.19),
        ("contact_cap_is_kept", ("serving", "over_contact_rate"), 0.001),
        ("served_policy_sees_the_customer", ("serving", "sensitivity"), dict.fromkeys(COLUMNS, 0)),
        ("decisions_depend_on_the_state", ("learned", "sensitivity", "budget_remaining"), 0.0),
        (
            "a_cheaper_world_never_spends_less",
            ("learned", "spend_steps"),
            [{"value": -9e-4, "error": 1e-4}],
        ),
        (
            "optimum_never_spends_more_at_a_higher_price",
            ("diagnostics", "oracle_spend_at_prices"),
            [0.01, 0.02],
        ),
    ],
)
def test_a_check_can_fail(check: str, path: tuple[str, ...], bad: object) -> None:
    """Why: a check that can't fail protects nobody."""
    definition, found = getattr(checks, check), good_report()
    assert outcome(definition, found)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = bad
    assert not outcome(definition, found)


def test_a_fall_of_spend_is_told_by_how_much() -> None:
    """Why: the line of a miss had the bounds, and not the figure that missed them."""
    found = good_report()
    found["learned"]["spend_steps"] = [
        {"value": -9e-4, "error": 1e-4},
        {"value": -1e-3, "error": 8e-4},  # falls by more, but isn't shown to
    ]
    told = judged(checks.a_cheaper_world_never_spends_less, found).metadata
    line = _figures(told)
    assert line == "fall of spend 0.045, shown by 4, standard error 0.005, bound 0.02"


def test_a_served_rule_may_leave_inputs_aside_but_not_all() -> None:
    """Why: a threshold on the risk needs no acceptance; a policy that sees nothing is broken."""
    found = good_report() | {"served": "risk_threshold"}
    for name in COLUMNS[1:]:
        found["serving"]["sensitivity"][name] = 0.0
    assert outcome(checks.served_policy_sees_the_customer, found)
    found["serving"]["sensitivity"]["churn_risk"] = 0.0
    assert not outcome(checks.served_policy_sees_the_customer, found)


def test_a_rule_is_served_in_place_of_a_policy_that_missed_a_gate() -> None:
    """Why: nobody may be decided on by a policy that failed; the best rule passes in its place."""
    found = good_report() | {"served": "priced_greedy", "failed_gates": ["x"]}
    found["serving"]["captured_uplift"] = 0.95
    assert outcome(checks.no_policy_that_failed_is_served, found)
    assert outcome(checks.served_policy_is_the_best_measured, found)


def test_noise_in_a_learned_function_is_no_fall() -> None:
    """Why: a fall from 0.00552 to 0.00546 of value, of a policy that captured 96.6 %, once stopped
    every release. Policies whose fall is just the same spend pass at the promised rate."""
    rng = np.random.default_rng(5)
    customer = np.repeat(np.arange(200), 8)
    spend, falls = [0.0, 0.0055], 0
    same = -gates.SAME_SPEND * spend[-1]
    for _ in range(2_000):
        own = rng.normal(0, 1e-3, 200)[customer]  # what a customer's states have in common
        step = Visits(np.empty((1600, 9)), customer).mean(same + own + rng.normal(0, 1e-3, 1600))
        found = {"spend_by_allowance": spend, "spend_steps": [step]}
        falls += not gates.a_cheaper_world_never_spends_less(found)
        assert step["error"] == pytest.approx(1e-3 * np.sqrt(1 / 200 + 1 / 1600), rel=0.3)
    assert falls <= 1  # expected: 2,000 x 3.2e-5 = 0.06


def test_a_policy_that_spends_less_with_more_to_spend_is_found(customers: Customers) -> None:
    """Why: the gate must see a policy that has learned the allowance the wrong way round."""
    params = EnvironmentParams()

    class Backwards(PricedGreedy):
        def scores(self, states: np.ndarray) -> np.ndarray:
            return np.where(states[:, BUDGET, None] > 0.6, -1.0, np.arange(1.0, 5.0))

    for rule, passes in ((Backwards(), False), (PricedGreedy(price=1.0), True)):
        candidate = Candidate(rule, NOTHING, 0.9)
        figures = learned_figures(candidate, [], customers, params)
        assert gates.a_cheaper_world_never_spends_less(figures) == passes


@pytest.mark.parametrize(("share", "passes"), [(1.0, True), (1.05, False)])
def test_overspending_by_a_twentieth_is_refused(
    params: EnvironmentParams, share: float, passes: bool
) -> None:
    """Why: the budget is the constraint; its check must be able to see a policy that breaks it. A
    rule is priced to the limit, or to 1.05 of it, and judged on customers it wasn't priced on."""
    groups = Groups(
        *(synthetic_customers(count, seed) for seed, count in enumerate((2400, 90, 90)))
    )
    aim = params.model_copy(update={"budget_limit": share * params.budget_limit})
    build = partial(PricedGreedy, params=params, contact_in_cooldown=True)
    rule = calibrated(
        lambda price: build(price=price), "priced_greedy", groups.calibration(400), aim
    )
    curve = pareto_curve(groups.test, params.clean, curve_around(1.0))
    candidate = Candidate(rule, evaluate(rule, groups.test, params.clean), 0.98)
    serving = served_figures(candidate, groups, Bootstrap(curve, 100, seed=0), params)
    assert serving["spend_ratio"]["value"] == pytest.approx(share, abs=0.015)
    width = serving["spend_ratio"]["upper"] - serving["spend_ratio"]["lower"]
    assert width < 0.05
    assert gates.most_spend(serving["spend_ratio"]["error"]) < 1.045
    found = good_report()
    found["serving"] = serving
    assert outcome(checks.expected_spend_is_within_the_budget, found) == passes


def test_a_poor_seed_is_not_served_for_the_others_sake() -> None:
    """Why: the seed that would reach customers decides, not the mean over all seeds."""
    rule, ppo = (Candidate(NeverContact(), NOTHING, captured) for captured in (0.95, 0.94))
    assert choose_served(ppo, [rule], []) is rule
    assert choose_served(rule, [ppo], []) is rule


@pytest.mark.parametrize(("short", "learned"), [(0.0049, True), (0.0051, False)])
def test_half_a_point_short_of_the_best_is_near_enough(short: float, learned: bool) -> None:
    """Why: the issue's rule; the check that reads the report must draw the same line."""
    rule, ppo = (Candidate(NeverContact(), NOTHING, captured) for captured in (0.95, 0.95 - short))
    assert (choose_served(ppo, [rule], []) is ppo) is learned
    found = good_report()
    found["presets"]["moderate"]["ppo"]["by_seed"]["0"]["captured_uplift"] = 0.95 - short
    found["serving"]["captured_uplift"] = 0.95 - short
    assert outcome(checks.served_policy_is_the_best_measured, found) is learned


def test_a_policy_that_missed_a_gate_is_not_chosen() -> None:
    """Why: it may capture more by what the gate caught."""
    rule, ppo = (Candidate(NeverContact(), NOTHING, captured) for captured in (0.95, 0.99))
    assert choose_served(ppo, [rule], []) is ppo
    assert choose_served(ppo, [rule], ["decisions_depend_on_the_state"]) is rule


def test_an_uncertified_oracle_is_refused() -> None:
    """Why: captured uplift means nothing without the optimum. Where one kind of customers explains
    the gap (`test_small_companies.py`), it is as small as it can be."""
    for gap, jump, passes in (
        (0.001, 0.0, True),
        (0.02, 0.001, False),
        (0.02, 0.02, True),
        (-0.01, 0.02, False),
    ):
        found = {"oracle": {"moderate": {"dual_gap": gap, "dual_jump": jump}}}
        assert outcome(checks.oracle_is_certified_by_its_dual, found) == passes


def test_training_that_got_worse_is_refused() -> None:
    """Why: a collapsed policy must not be served."""
    for gained, passes in ((0.4, True), (-0.1, False), (0.0, False)):
        run = {"improvement": {"value": gained, "error": 0.01}}
        found = {"trained": {"moderate": {"runs": [run]}}}
        assert outcome(checks.training_improved_on_its_start, found) == passes


def test_acceptance_must_rise_with_the_offer() -> None:
    """Why: a falling curve means the accept model's columns are mixed up, and so does a flat one
    where responses are simulated: these rise. A company's own customers may not."""
    rising, flat, falling = [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.2, 0.4], [0.1, 0.3, 0.2, 0.4]
    for observed, curve, passes in (
        (False, rising, True),
        (False, flat, False),
        (True, rising, True),
        (True, flat, True),
        (True, falling, False),
    ):
        found: dict[str, Any] = {split: {"mean_accept": curve} for split in SPLITS}
        found |= {"responses_observed": observed}
        assert outcome(checks.acceptance_rises_with_the_offer, found) == passes
