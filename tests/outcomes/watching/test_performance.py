"""Risk that came true, and what is expected before it does, where the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churn_assets.outcomes.watching import performance

START = pd.Timestamp("2027-01-01", tz="UTC")
NOTHING_SAID = {
    "source": "api",
    **dict.fromkeys(("sent_at", "delivered_at", "accepted_at", "refused_at"), pd.NaT),
}


def outcomes(
    seed: int, count: int, known: bool = True, odds: float = 1.0, control: float = 0.5
) -> pd.DataFrame:
    """Customers who leave with `odds` times the odds that the risk says; contacts double them."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1.2, 3.0, count)
    group = np.where(rng.random(count) < control, "control", "treated")
    contact = group == "treated"
    true = risk / (1 - risk) * odds * np.where(contact, 2.0, 1.0)
    return pd.DataFrame(
        {
            "time": START,
            "known_at": pd.Timestamp("2027-01-31", tz="UTC"),
            "release_id": "r-1",
            **NOTHING_SAID,
            "customer": np.arange(count),
            "group": group,
            "contact": contact,
            "churn_risk": risk,
            "churned": rng.random(count) < true / (1 + true),
            "known": known,
            "observation": [[0.0] * 9] * count,
        }
    )


def test_risk_that_comes_true_is_found_to() -> None:
    """Judged on those left alone: contacts, which double the odds here, don't count."""
    found = performance.came_true(outcomes(1, 6_000))
    assert found.state == "ok"
    assert found.figures["ratio_lower"] < 1 < found.figures["ratio_upper"]
    assert found.figures["customers"] == pytest.approx(3_000, rel=0.1)
    assert found.figures["ece"] < 0.03


@pytest.mark.parametrize(("odds", "state"), [(2.0, "warn"), (0.3, "error")])
def test_risk_that_does_not_come_true(odds: float, state: str) -> None:
    """Too low, or much too high."""
    found = performance.came_true(outcomes(2, 6_000, odds=odds))
    assert found.state == state
    assert "did not come true" in found.sentence


def test_a_risk_is_held_against_outcomes_of_as_many_days() -> None:
    """The log has that of 30 days. Right for them, it is right for 90, too: three in four of those
    with a risk of 0.37 have left by then, which would be twice what was said of 30."""
    table, rng = outcomes(1, 6_000, control=1.0), np.random.default_rng(1)
    table["churned"] = rng.random(6_000) < 1 - (1 - table["churn_risk"]) ** 3
    found = performance.came_true(table, performance.Horizons(outcome=90))
    assert found.state == "ok"
    assert found.figures["expected"] == pytest.approx(found.figures["left"], rel=0.05)
    assert performance.came_true(table).state != "ok"
    waiting = outcomes(2, 3_000, known=False).assign(customer=lambda t: t["customer"] + 9_000)
    horizons = performance.Horizons(outcome=90)
    both = performance.expected_to_hold(pd.concat([table, waiting]), None, horizons)
    assert both.figures["checked"]["held"]
    assert both.figures["checked"]["share_left"] == pytest.approx(
        both.figures["checked"]["estimated_share_leaving"], abs=0.02
    )
    assert both.figures["expected_share_leaving"] > 1.5 * waiting["churn_risk"].mean()


def months(*parts: tuple[str, float, float], count: int = 600) -> pd.DataFrame:
    """The same control group decided on month by month, of whom nobody comes back: of each month
    its release, the risk that it says, and the share that really leaves."""
    rng, there, found = np.random.default_rng(0), np.arange(count), []
    for number, (release, risk, true) in enumerate(parts):
        left = rng.random(len(there)) < true
        found.append(
            pd.DataFrame(
                {
                    "time": (begins := START + pd.DateOffset(months=number)),
                    "known_at": begins + pd.DateOffset(days=30),
                    **NOTHING_SAID,
                    "release_id": release,
                    "customer": there,
                    "group": "control",
                    "contact": False,
                    "churn_risk": risk,
                    "churned": left,
                    "known": True,
                }
            )
        )
        there = there[~left]
    return pd.concat(found, ignore_index=True)


def test_a_risk_that_no_longer_comes_true_is_seen() -> None:
    """Right in the first months and four times too low in the last one, of the same customers."""
    fine = [("r-1", 0.05, 0.05)] * 6
    assert performance.came_true(months(*fine)).state == "ok"
    found = performance.came_true(months(*fine, ("r-1", 0.05, 0.2)))
    assert found.state == "error"
    assert found.figures["left"] > 50


def test_a_release_is_not_judged_by_the_one_before() -> None:
    """The first one was wrong, and red; the one that mended it is fine, and both are named."""
    wrong = months(("r-1", 0.05, 0.2))
    assert performance.came_true(wrong).state == "error"
    found = performance.came_true(months(("r-1", 0.05, 0.2), ("r-2", 0.2, 0.2)))
    assert found.state == "ok"
    assert found.figures["release_id"] == "r-2"
    assert found.sentence.startswith("The risk of release r-2 came true")


def test_many_decisions_about_a_customer_are_no_many_who_left() -> None:
    """Over a year of which the risk of each month is right, three in four leave at some time."""
    found = performance.came_true(months(*[("r-1", 0.1, 0.1)] * 13, count=4_000))
    assert found.state == "ok"
    assert found.figures["customers"] < 1_400  # those who were still there
    assert found.figures["left"] / found.figures["customers"] == pytest.approx(0.1, abs=0.03)


def test_where_few_are_decided_on_more_days_are_looked_at() -> None:
    """Eight customers a day, of whom half are control: 30 days hold 120, and 90 are enough."""
    table = outcomes(7, 2_920)
    days = pd.to_timedelta(np.arange(2_920) // 8, unit="D")
    table["time"] = pd.Timestamp("2026-01-01", tz="UTC") + days
    found = performance.came_true(table)
    assert found.state == "ok"
    assert found.figures["customers"] == pytest.approx(360, abs=50)


def test_several_releases_are_judged_together_where_none_has_enough() -> None:
    """A release a week: no single one is named."""
    table = outcomes(8, 2_800)
    weeks = np.arange(2_800) // 100
    table["time"] = pd.Timestamp("2026-06-01", tz="UTC") + pd.to_timedelta(7 * weeks, unit="D")
    table["release_id"] = [f"r-{week}" for week in weeks]
    found = performance.came_true(table)
    assert (found.state, found.figures["release_id"]) == ("ok", None)


def planned_daily(seed: int, drawn: bool, a_day: int, count: int = 1_500) -> pd.DataFrame:
    """Plans of 75 days about whoever is still there, of a risk that is exact; each contacts so many
    who weren't contacted yet, which changes nothing. A tenth is left alone if `drawn`."""
    rng = np.random.default_rng(seed)
    risk = np.clip(rng.beta(2, 14, count), 0.02, 0.7)
    control = (rng.random(count) < 0.1) & drawn
    leaves, order = rng.exponential(-30 / np.log1p(-risk)), rng.permutation(count)
    contacted, found = np.zeros(count, bool), []
    for day in range(75):
        there = leaves > day
        today = order[(there & ~control & ~contacted)[order]][:a_day]
        contacted[today] = True
        table = outcomes(0, count, known=day <= 45)
        table["contact"] = np.isin(np.arange(count), today)
        table["group"] = np.where(control, "control", "treated") if drawn else None
        table["churn_risk"], table["churned"] = risk, leaves <= day + 30
        table["time"] += pd.Timedelta(days=day)
        table["known_at"] += pd.Timedelta(days=day)
        table["observation"] = [[0.1] * 5] * count
        found.append(table[there])
    return pd.concat(found, ignore_index=True)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_who_is_not_contacted_later_is_no_control_group(seed: int) -> None:
    """Whoever has left can't be: of a risk that is exact 2.7 to 3.5 times as many seemed to leave,
    a reason to train again. A small control group isn't helped out by the treated."""
    drawn = performance.came_true(planned_daily(seed, drawn=True, a_day=25))
    assert drawn.state == "unknown"
    assert "it takes 200" in drawn.sentence
    many = performance.came_true(planned_daily(seed, drawn=False, a_day=25))
    assert many.state == "unknown"
    assert "were contacted before their outcome" in many.sentence
    few = performance.came_true(planned_daily(seed, drawn=False, a_day=3))
    assert few.state == "ok"
    assert few.figures["ratio_lower"] < 1 < few.figures["ratio_upper"]


def test_a_control_group_of_long_ago_says_nothing_of_today() -> None:
    """Why: the experiment was ended a year before, the risk has become three times too low, and the
    check went on saying that the risk of the control group's release comes true."""
    drawn = outcomes(1, 3_000)
    now = outcomes(2, 3_000).assign(group=None, contact=False, release_id="r-2")
    now["churned"] = np.random.default_rng(2).random(3_000) < 3 * now["churn_risk"]
    for days, state, release in ((80, "ok", "r-1"), (365, "error", "r-2")):
        later = now.assign(**{n: now[n] + pd.Timedelta(days=days) for n in ("time", "known_at")})
        found = performance.came_true(pd.concat([drawn, later], ignore_index=True))
        assert (found.state, found.figures["release_id"]) == (state, release)


def test_a_control_group_that_was_contacted_is_none() -> None:
    """Why: the experiment was off for some days, and everybody was contacted, which kept two of
    three: the risk was said to be three times too high, a reason to train again."""
    table = outcomes(1, 3_000, control=1.0)
    table["churned"] = np.random.default_rng(0).random(3_000) < table["churn_risk"] / 3
    later = {name: table[name] + pd.Timedelta(days=3) for name in ("time", "known_at")}
    off = table.assign(group=None, contact=True, **later)
    found = performance.came_true(pd.concat([table, off], ignore_index=True))
    assert found.state == "unknown"
    assert "100% were contacted" in found.sentence


@pytest.mark.parametrize("second", ["a look", "not sent"])
def test_what_reached_nobody_spoils_nobody_who_was_left_alone(second: str) -> None:
    """Why: of those whom a plan had left alone 40 % were said to have been contacted since, by a
    `churn predict` that nobody acted upon, or by contacts that were reported as never made."""
    plan = outcomes(9, 6_000).assign(group=None, source="campaign", not_sent_at=pd.NaT)
    plan["observation"] = [[0.1] * 5] * len(plan)
    answered = plan["contact"] & (plan["customer"] % 3 == 0)
    plan["accepted_at"] = plan["time"].where(answered)
    wanted = ~plan["contact"] & (plan["customer"] % 5 < 2)
    later = plan.assign(
        time=plan["time"] + pd.Timedelta(days=7), contact=wanted, accepted_at=pd.NaT
    )
    if second == "a look":
        later["source"] = "command"
    else:
        later["not_sent_at"] = later["time"].where(wanted)
    both = pd.concat([plan, later], ignore_index=True)
    assert performance.came_true(both).state == "ok"
    made = both.assign(source="campaign", not_sent_at=pd.NaT)
    assert "were contacted before their outcome" in performance.came_true(made).sentence


def test_a_plan_s_customers_whom_the_plan_before_contacted_are_not_expected_of() -> None:
    """Its rows say nothing of earlier contacts: the log does, for a period."""
    waiting = outcomes(4, 4_000, known=False)
    waiting["observation"] = [[0.1] * 5] * len(waiting)
    waiting["contact"] = waiting.index % 2 == 0
    counted = []
    for days in (10, 40):
        later = waiting.assign(time=waiting["time"] + pd.Timedelta(days=days), contact=False)
        both = pd.concat([waiting.assign(known=True), later], ignore_index=True)
        counted.append(performance.expected_to_hold(both, None).figures["customers"])
    assert counted == [2_000, 4_000]


def test_nothing_is_said_of_few() -> None:
    assert performance.came_true(outcomes(3, 100)).state == "unknown"
    assert performance.came_true(outcomes(3, 6_000, known=False)).state == "unknown"
    assert performance.expected_to_hold(outcomes(3, 6_000), 0.8).state == "unknown"


def test_the_estimate_is_what_comes_true() -> None:
    """Over 200 worlds: unbiased, and as often within the interval of what came true as that holds
    its own truth."""
    rng, gaps, held = np.random.default_rng(0), [], 0
    for _ in range(200):
        risk = rng.beta(1.2, 3.0, 800)
        left = (rng.random(800) < risk).astype(float)
        estimate = performance.expected_auc(risk)
        gaps.append(estimate - roc_auc_score(left, risk))
        table = pd.DataFrame(
            {"churn_risk": risk, "churned": left == 1, "known": True, "group": "control"}
        )
        checked = performance._checked(performance.LeftAlone(table, 0.0), performance.ALIKE)
        assert checked is not None
        held += checked["held"]
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(200)
    assert held >= 180


def test_expected_auc_counts_pairs() -> None:
    """By hand: three customers, two alike."""
    risk = np.array([0.2, 0.2, 0.6])
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    weight = {(i, j): risk[i] * (1 - risk[j]) for i, j in pairs}
    right = sum(
        w * (risk[i] > risk[j]) + w * 0.5 * (risk[i] == risk[j]) for (i, j), w in weight.items()
    )
    assert performance.expected_auc(risk) == pytest.approx(right / sum(weight.values()))


def test_a_ranking_that_is_expected_to_be_worse_is_told() -> None:
    waiting = outcomes(4, 4_000, known=False).assign(
        churn_risk=lambda t: 0.2 + t["churn_risk"] / 10
    )
    found = performance.expected_to_hold(waiting, 0.84)
    assert found.state == "warn"
    assert found.figures["expected_auc"] < 0.6
    fine = performance.expected_to_hold(outcomes(4, 4_000, known=False), None)
    assert fine.state == "ok"


def test_without_a_control_group_those_contacted_tell_too() -> None:
    """The policy leaves the least at risk alone, who are ranked worse than all of them: what scores
    say of themselves needs nobody to be left alone."""
    waiting = outcomes(4, 4_000, known=False)
    waiting["group"] = None
    waiting["contact"] = waiting["churn_risk"] > waiting["churn_risk"].quantile(0.1)
    reference = performance.expected_auc(waiting["churn_risk"].to_numpy())
    found = performance.expected_to_hold(waiting, reference)
    assert (found.state, found.figures["customers"]) == ("ok", 4_000)
    assert found.figures["expected_auc"] == pytest.approx(reference)


def test_what_a_contact_has_moved_is_no_expectation() -> None:
    """Half of them were met in the middle of a period, with scores all alike."""
    waiting = outcomes(4, 4_000, known=False)
    moved = waiting.index % 2 == 0
    waiting.loc[moved, "churn_risk"] = 0.2
    waiting["observation"] = [[0.0] * 8 + [float(one)] for one in moved]
    found = performance.expected_to_hold(waiting, 0.78)
    assert (found.state, found.figures["customers"]) == ("ok", 2_000)


def test_the_ranking_is_held_against_one_of_as_many_days() -> None:
    """A label of 12 months: its AUC, and that of the same customers within 30 days, differ."""
    yearly = outcomes(4, 4_000, known=False)
    monthly = yearly.assign(churn_risk=1 - (1 - yearly["churn_risk"]) ** (1 / 12))
    reference = performance.expected_auc(yearly["churn_risk"].to_numpy())
    found = performance.expected_to_hold(monthly, reference, performance.Horizons(label=360))
    assert found.figures["expected_auc"] == pytest.approx(reference)
    as_logged = performance.expected_to_hold(monthly, reference)
    assert as_logged.figures["expected_auc"] < reference - 0.02


def test_what_was_estimated_stands_beside_what_came_true() -> None:
    both = pd.concat(
        [
            outcomes(5, 3_000),
            outcomes(6, 3_000, known=False).assign(customer=lambda t: t["customer"] + 9_000),
        ],
        ignore_index=True,
    )
    checked = performance.expected_to_hold(both, 0.8).figures["checked"]
    assert checked["held"]
    assert checked["estimated_share_leaving"] == pytest.approx(checked["share_left"], abs=0.04)


@pytest.mark.parametrize(("odds", "state"), [(1.0, "unknown"), (0.2, "unknown"), (2.0, "error")])
def test_more_who_left_than_were_to_are_seen_before_the_control_group_tells(
    odds: float, state: str
) -> None:
    """A company of a few hundred has no twenty leavers in its control group for months: with
    half the true risk told, nothing was said. Where contacts keep some, fewer say nothing."""
    table = outcomes(5, 900, control=0.1)
    rng = np.random.default_rng(5)
    table["churn_risk"] /= 5
    table["churned"] = rng.random(900) < table["churn_risk"] * odds
    found = performance.came_true(table)
    assert found.state == state
    if state == "error":
        assert "It is told too low, or contacts drive them away" in found.sentence
        assert found.figures["ratio_lower"] > performance.RATIO_WARN
