"""Policies judged on a served log: the truth where it can be known, a refusal where it can't."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.outcomes import simulated_customers
from churn_assets.decision.mdp.exploration import NONE, explore, possible
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, RiskThreshold
from churn_assets.outcomes import simulation
from churn_assets.outcomes.policies import (
    LOOKED,
    OTHER_RELEASE,
    OTHERWISE,
    PLANNED,
    RULES,
    as_table,
    judge_policies,
    logged_by,
    options_of,
)

SERVING = RiskThreshold(threshold=0.2, offer=1)


def served(seed: int, count: int, share: float) -> pd.DataFrame:
    """Outcomes of a serving policy that leaves a share of the customers alone."""
    rng = np.random.default_rng(seed)
    customers = simulated_customers.draw_customers(rng, count)
    control = rng.random(count) < share
    options = np.where(control, 0, options_of(SERVING, customers.states))
    reactions = simulation.react(rng, customers, options)
    discount = np.array([0.0, *simulation.PARAMS.discounts])[options] * reactions.accepted
    began = pd.Timestamp("2026-01-05 08:00", tz="UTC")
    never = pd.Series(pd.NaT, range(count), dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "time": began,
            "known_at": began + pd.Timedelta(days=30),
            "known": True,
            "accepted_at": never.where(~reactions.accepted, began + pd.Timedelta(hours=5)),
            **dict.fromkeys(("sent_at", "delivered_at", "refused_at"), never),
            "group": np.where(control, "control", "treated") if share else None,
            "period": "start",
            "source": "api",
            "release_id": "r1",
            "baseline": False,
            "observation": list(customers.states),
            "contact": options > 0,
            "offer_level": np.maximum(options - 1, 0).astype("int8"),
            "control_share": share if share else np.nan,
            "churned": reactions.churned,
            "spend": discount * customers.values,
            "customer_value": customers.values,
        }
    )


def explored(seed: int, count: int, share: float, exploration: float) -> pd.DataFrame:
    """As `served`, by the same policy that takes its runner-up now and then, as it is logged."""
    rng = np.random.default_rng(seed)
    customers = simulated_customers.draw_customers(rng, count)
    states = customers.states
    done, drawn = explore(
        SERVING.decide(states),
        SERVING.ranking(states),
        possible(states, simulation.PARAMS),
        exploration,
        rng.random(count),
    )
    options = np.where(rng.random(count) < share, 0, done.option)
    reactions = simulation.react(rng, customers, options)
    discount = np.array([0.0, *simulation.PARAMS.discounts])[options] * reactions.accepted
    table = served(seed, count, share)
    table["observation"] = list(states)
    table["contact"], table["offer_level"] = options > 0, np.maximum(options - 1, 0)
    answered = table["time"].where(reactions.accepted) + pd.Timedelta(hours=5)
    table["accepted_at"] = answered
    table["churned"], table["spend"] = reactions.churned, discount * customers.values
    table["customer_value"] = customers.values
    table["exploration"], table["preferred"] = exploration, drawn.preferred
    table["runner_up"] = np.where(drawn.runner_up == NONE, np.nan, drawn.runner_up)
    return table


def truth(options: np.ndarray, customers: simulation.Customers) -> float:
    worth = simulation.expected_net(customers)
    return float(worth[np.arange(len(customers)), options].mean())


def test_where_nothing_done_is_what_the_policy_does_nobody_is_judged() -> None:
    """The first outcomes of a log of before it had what the policy preferred: the report ended in a
    division by zero."""
    table = served(0, 40, 0.0)
    table["contact"] = ~table["contact"]
    found = judge_policies(table, SERVING, {"never": NeverContact()}, "r1")
    assert (found["policies"], found["decisions"], found["left_out"]) == ({}, 0, 40)
    assert found["why_left_out"] == {OTHERWISE: 40}


def test_never_and_the_champion_are_judged_and_the_others_refused() -> None:
    """With a control group; what nobody was offered is named."""
    others = {"never": NeverContact(), "always": AlwaysOffer()}
    found = judge_policies(served(0, 20_000, 0.2), SERVING, others, "r1")
    assert (found["decisions"], found["left_out"]) == (20_000, 0)
    population = simulated_customers.draw_customers(np.random.default_rng(9), 400_000)
    for name, policy in (("champion", SERVING), ("never", NeverContact())):
        judged = found["policies"][name]
        value = truth(options_of(policy, population.states), population)
        assert abs(judged["dr"] - value) < 4 * (judged["dr_upper"] - judged["dr"]) / 1.96
        assert judged["effective"] > 3_000
    assert "never tried" in found["policies"]["always"]["refused"]
    champion = found["policies"]["champion"]
    assert champion.keys() >= {"dm", "dr_lower", "dr_upper"}
    assert "dm_lower" not in champion  # none is known: one of no width would promise certainty
    shown = as_table(found["policies"])
    bounds = f"{champion['dr_shrunk_lower']:,.2f} to {champion['dr_shrunk_upper']:,.2f}"
    assert f"| champion | {champion['dr_shrunk']:,.2f} | {bounds} |" in shown
    assert "| always | – | – | – | always: 100.0% of its decisions were never tried" in shown


def test_what_was_tried_now_and_then_can_be_judged() -> None:
    """A policy that contacts more people than the one that served: refused without exploration;
    with 5 % of it the interval holds what it would really have brought, by weights alone, too."""
    bolder = RiskThreshold(threshold=0.1, offer=1)
    refused = judge_policies(served(4, 40_000, 0.1), SERVING, {"bolder": bolder}, "r1")
    assert "never tried" in refused["policies"]["bolder"]["refused"]
    found = judge_policies(explored(4, 40_000, 0.1, 0.05), SERVING, {"bolder": bolder}, "r1")
    assert (found["decisions"], found["left_out"]) == (40_000, 0)
    population = simulated_customers.draw_customers(np.random.default_rng(9), 400_000)
    for name, policy in (("champion", SERVING), ("bolder", bolder)):
        judged = found["policies"][name]
        value = truth(options_of(policy, population.states), population)
        for estimator in ("ips", "snips", "dr"):
            error = (judged[f"{estimator}_upper"] - judged[estimator]) / 1.96
            assert abs(judged[estimator] - value) < 4 * error
            assert error < 0.1 * value
    assert found["policies"]["bolder"]["effective"] > 500


def test_without_a_control_group_never_is_refused() -> None:
    """It can't be read from such a log, however many rows it has."""
    found = judge_policies(served(1, 5_000, 0.0), SERVING, {"never": NeverContact()}, "r1")
    assert found["policies"]["never"]["refused"].startswith("never: ")
    assert found["policies"]["champion"]["dr"] == pytest.approx(
        found["policies"]["champion"]["ips"], rel=0.02
    )


def test_rows_of_others_are_left_out_and_counted() -> None:
    """Of another release, under the kill switch, or not what the policy would do."""
    table = served(2, 3_000, 0.1)
    table.loc[:9, "release_id"] = "r0"
    table.loc[10:19, "baseline"] = True
    high = np.flatnonzero(table["contact"])[-5:]
    table.loc[high, "offer_level"] = 3
    found = judge_policies(table, SERVING, {}, "r1")
    assert found["left_out"] == 25
    assert found["why_left_out"] == {RULES: 10, OTHER_RELEASE: 10, OTHERWISE: 5}


def test_who_works_by_plans_is_told_why_nothing_is_judged() -> None:
    """Nor were they told that no campaign's decision ever counts; whoever has one is named by it,
    whatever else was decided about them."""
    plans = served(2, 3_000, 0.1).assign(source="campaign")
    rows = pd.concat([plans.assign(release_id="r0", source="api"), plans], ignore_index=True)
    found = judge_policies(rows, SERVING, {}, "r1")
    assert (found["policies"], found["decisions"], found["left_out"]) == ({}, 0, 3_000)
    assert found["why_left_out"] == {PLANNED: 3_000}


def test_a_look_before_the_first_plan_is_no_example_of_anything() -> None:
    """All were looked at, and 40 days later a plan decided about most: nobody was contacted after
    the look, yet it was what the policy's contacts, and those left alone, had brought. What the API
    decided after the plan counts."""
    table = served(2, 3_000, 0.1)
    later = {name: table[name] + pd.Timedelta(days=40) for name in ("time", "known_at")}
    look = table.assign(accepted_at=table["sent_at"], spend=0.0)
    plan = table.assign(source="campaign", **later)[:2_000]
    found = judge_policies(pd.concat([look, plan], ignore_index=True), SERVING, {}, "r1")
    assert (found["decisions"], found["left_out"]) == (0, 3_000)
    assert found["why_left_out"] == {PLANNED: 2_000, LOOKED: 1_000}
    after = table.assign(**later)[2_000:]
    rows = pd.concat([look, plan, after], ignore_index=True)
    found, alone = (judge_policies(t, SERVING, {}, "r1") for t in (rows, after))
    assert found["policies"] == alone["policies"]
    assert found["why_left_out"] == {PLANNED: 2_000}
    assert logged_by(look, SERVING, "r1") is not None  # without a plan it is acted upon


def test_a_later_look_is_no_example_of_anything() -> None:
    """Customers who came after the plan were looked at, and nobody was contacted: the policy seemed
    to bring no more than contacting nobody."""
    plan = served(1, 4_000, 0.1).assign(source="campaign")
    plan["observation"] = [seen[:5] for seen in plan["observation"]]
    look = served(2, 3_000, 0.1).assign(source="command", spend=0.0)
    look["accepted_at"], look["customer"] = look["sent_at"], look["customer"] + 4_000
    found = judge_policies(pd.concat([plan, look], ignore_index=True), SERVING, {}, "r1")
    assert found["policies"] == {}
    assert found["why_left_out"] == {PLANNED: 4_000, LOOKED: 3_000}
    api = served(3, 3_000, 0.1).assign(customer=lambda t: t["customer"] + 7_000)
    both = pd.concat([plan, look, api], ignore_index=True)
    found, alone = (judge_policies(t, SERVING, {}, "r1") for t in (both, api))
    assert found["policies"] == alone["policies"]


def test_a_new_release_is_judged_by_its_own_decisions_about_known_customers() -> None:
    """All of them were decided on by the release before, under the kill switch and by a campaign;
    then twice by this one, of which the first counts."""
    mine = served(5, 3_000, 0.1)
    free = {"spend": 0.0, "accepted_at": mine["sent_at"]}
    earlier = mine.assign(time=mine["time"] - pd.Timedelta(days=40), **free)
    before = [
        earlier.assign(release_id="r0"),
        earlier.assign(baseline=True),
        earlier.assign(source="campaign"),
    ]
    again = mine.assign(churned=True, time=mine["time"] + pd.Timedelta(hours=1), **free)
    whole = pd.concat([*before, mine, again], ignore_index=True)
    found = judge_policies(whole, SERVING, {"never": NeverContact()}, "r1")
    assert (found["decisions"], found["left_out"]) == (3_000, 0)
    assert found == judge_policies(mine, SERVING, {"never": NeverContact()}, "r1")


def test_an_empty_log_judges_nobody() -> None:
    assert judge_policies(served(3, 1, 0.1).iloc[:0], SERVING, {}, "r1")["policies"] == {}
