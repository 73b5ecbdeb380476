"""Policies judged where customers are decided on again and again within the horizon."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.outcomes import simulated_customers
from churn_assets.decision.mdp.exploration import NONE, explore, possible
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, RiskThreshold
from churn_assets.outcomes import simulation
from churn_assets.outcomes.following import Courses
from churn_assets.outcomes.learning.challenger import compare_policies
from churn_assets.outcomes.off_policy import UnsupportedTargetError
from churn_assets.outcomes.policies import judge_policies, options_of
from tests.outcomes.test_policies import SERVING, served, truth

FEW = RiskThreshold(threshold=0.5, offer=1)
DAY = pd.Timedelta(days=1)


def daily(
    seed: int, count: int, days: int, share: float = 0.1, exploration: float = 0.05
) -> pd.DataFrame:
    """Everybody is asked about each day, and drawn for anew, until they were contacted: the answer
    then is to wait, whatever is preferred, and nobody explores."""
    rng = np.random.default_rng(seed)
    table = served(seed, count, share)
    states = np.array(table["observation"].tolist())
    customers = simulation.Customers(states, table["customer_value"].to_numpy())
    control = rng.random(count) < share
    final, parts = np.zeros(count, np.int64), []
    waits = states.copy()
    waits[:, 0] = 0.0  # what the policy sees of whom it has contacted: nothing to gain
    for day in range(days):
        waiting = final > 0
        seen = np.where(waiting[:, None], waits, states)
        done, drawn = explore(
            SERVING.decide(seen),
            SERVING.ranking(seen),
            possible(seen, simulation.PARAMS),
            exploration,
            rng.random(count),
        )
        option = np.where(control | waiting, 0, done.option)
        other = np.where(waiting | (drawn.runner_up == NONE), np.nan, drawn.runner_up)
        part = table.assign(time=table["time"] + day * DAY, known_at=table["known_at"] + day * DAY)
        part["observation"] = list(seen)
        part["contact"], part["offer_level"] = option > 0, np.maximum(option - 1, 0)
        part["preferred"], part["runner_up"], part["exploration"] = (
            drawn.preferred,
            other,
            exploration,
        )
        parts.append(part.assign(option=option))
        final = np.where(option > 0, option, final)
    reactions = simulation.react(rng, customers, final)
    discount = np.array([0.0, *simulation.PARAMS.discounts])[final] * customers.values
    for part in parts:
        accepted = (part["option"] > 0) & reactions.accepted
        part["churned"], part["spend"] = reactions.churned, np.where(accepted, discount, 0.0)
        part["accepted_at"] = (part["time"] + DAY / 4).where(accepted)
    return pd.concat(parts, ignore_index=True)


def test_a_policy_is_judged_by_those_about_whom_it_would_have_gone_on_so() -> None:
    """Over 12 companies asked about five days in a row: whoever was drawn to be left alone was
    contacted the next day, and contacting nobody seemed to keep 18 more than it does."""
    population = simulated_customers.draw_customers(np.random.default_rng(9), 200_000)
    policies = {"champion": SERVING, "never": NeverContact(), "few": FEW}
    values = {n: truth(options_of(p, population.states), population) for n, p in policies.items()}
    z: dict[str, list[float]] = {name: [] for name in policies}
    gaps = []
    for seed in range(12):
        table = daily(seed, 6_000, 5)
        others = {name: policies[name] for name in ("never", "few")}
        found = judge_policies(table, SERVING, others, "r1")["policies"]
        for name, value in values.items():
            one = found[name]
            z[name].append((one["dr"] - value) / ((one["dr_upper"] - one["dr"]) / 1.96))
        row = compare_policies(table, SERVING, FEW, "r1")
        assert row is not None
        true = values["few"] - values["champion"]
        gaps.append((row["challenger"] - row["champion"] - true) / (row["tolerance"] / 1.96))
    for of in (*z.values(), gaps):
        assert abs(np.mean(of)) < 3 / np.sqrt(12)
        assert np.std(of) < 1.7


def test_what_never_was_gone_on_with_is_refused() -> None:
    """Without exploration only the control group was never contacted: contacting nobody is known
    from it, contacting some of them from nobody; nor is anything where others contact."""
    table = daily(0, 3_000, 3, exploration=0.0)
    found = judge_policies(table, SERVING, {"never": NeverContact(), "all": AlwaysOffer()}, "r1")
    assert "dr" in found["policies"]["never"]
    assert "never tried" in found["policies"]["all"]["refused"]
    treated = table[(table["time"] == table["time"].min()) & ~table["contact"]].iloc[::2]
    planned = treated.assign(
        time=treated["time"] + 7 * DAY, source="campaign", contact=True, spend=0.0
    )
    both = pd.concat([table, planned], ignore_index=True)
    refused = judge_policies(both, SERVING, {"never": NeverContact()}, "r1")["policies"]
    assert "contacted meanwhile by a plan" in refused["never"]["refused"]
    assert compare_policies(both, SERVING, NeverContact(), "r1") is None
    few = pd.concat([table, planned.iloc[:50]], ignore_index=True)
    assert (
        "dr" in judge_policies(few, SERVING, {"never": NeverContact()}, "r1")["policies"]["never"]
    )


def test_the_whole_horizon_is_paid_for() -> None:
    """A discount of the day after counts, one that was accepted after the horizon doesn't."""
    table = served(1, 3_000, 0.3)
    later = table.assign(time=table["time"] + 5 * DAY, spend=7.0, contact=False, offer_level=0)
    kept = [judge_policies(table, SERVING, {}, "r1")["policies"]["champion"]["ips"]]
    for days in (6, 40):
        told = later.assign(accepted_at=table["time"] + days * DAY)
        both = pd.concat([table[~table["contact"]], told[~table["contact"]]], ignore_index=True)
        both = pd.concat([both, table[table["contact"]]], ignore_index=True)
        kept.append(judge_policies(both, SERVING, {}, "r1")["policies"]["champion"]["ips"])
    assert kept[1] < kept[0]
    assert kept[2] == pytest.approx(kept[0])


def test_weights_by_hand() -> None:
    """Three customers, a tenth control: left alone twice, contacted on the second day, and at once
    (whom the policy then leaves alone for certain)."""
    sure, drawn = [1.0, 0.0], [0.05, 0.95]
    courses = Courses(
        customer=np.array([0, 0, 1, 1, 2, 2]),
        done=np.array([0, 0, 0, 1, 1, 0]),
        treated=np.array([drawn, drawn, drawn, drawn, drawn, sure]),
        share=np.full(3, 0.1),
        by_others=np.zeros(3, bool),
    )
    chances = [0.1 + 0.9 * 0.05**2, 0.9 * 0.05 * 0.95, 0.9 * 0.95]
    np.testing.assert_allclose(courses.chances, chances)
    never = courses.weights("never", np.zeros(6, int))
    np.testing.assert_allclose(never, [1 / chances[0], 0, 0])
    champion = courses.weights("champion", np.array([1, 1, 1, 1, 1, 0]))
    np.testing.assert_allclose(champion, [0, 0, 1 / chances[2]])
    assert sum(chances) == pytest.approx(1.0)  # there is no other course
    with pytest.raises(UnsupportedTargetError, match="never tried"):
        courses.weights("twice", np.ones(6, int))
    np.testing.assert_allclose(courses.of(np.array([False, True, True])).chances, chances[1:])
