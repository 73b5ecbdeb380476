"""Contacts, money, fall-backs and probabilities: each promise broken once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.outcomes.watching import conduct
from churn_assets.outcomes.watching.finding import worsened
from churn_assets.release.switches.budget_price import BudgetPrice

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PARAMS = EnvironmentParams()


def decisions(count: int = 3_000, control: float = 0.1, explored: float = 0.05) -> pd.DataFrame:
    """A decision a customer over the last 20 days; a treated one explores, the others are sure."""
    rng = np.random.default_rng(0)
    group = np.where(rng.random(count) < control, "control", "treated")
    tried = rng.random(count) < explored
    propensity = np.where(tried, explored, 1 - explored)
    moments = pd.Timestamp(NOW) - pd.to_timedelta(rng.uniform(0.1, 20, count), unit="D")
    none = pd.Series(pd.NaT, range(count), dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "time": moments.astype("datetime64[us, UTC]"),
            "known_at": (moments + timedelta(days=30)).astype("datetime64[us, UTC]"),
            "group": group,
            "period": "start",
            "control_share": control,
            "contact": (group == "treated") & (rng.random(count) < 0.4),
            "propensity": np.where(group == "control", 1.0, propensity),
            "baseline": False,
            "source": "api",
            **dict.fromkeys(("sent_at", "delivered_at", "accepted_at", "refused_at"), none),
            "accepted": False,
            "refused": False,
            "known": False,
            "spend": 0.0,
            "expected_cost": 10.0,
            "customer_value": 1_000.0,
            "message_source": "template",
            "shield_passed": True,
        }
    ).sort_values("time", ignore_index=True)


def test_all_is_well() -> None:
    table = decisions()
    assert conduct.contacts_kept(table, PARAMS, NOW).state == "ok"
    assert conduct.spend_paced(table, PARAMS, None, NOW).state == "ok"
    assert conduct.fall_backs(table, (), PARAMS, NOW).state == "ok"
    held = conduct.propensities_hold(table)
    assert held.state == "ok"
    assert set(held.figures["z"]) == {"control group of 10 % from start", "exploration"}


@pytest.mark.parametrize("kind", ["sent_at", "delivered_at"])
def test_the_control_group_written_to_is_an_error(kind: str) -> None:
    """Also by a sender that reports what was delivered and nothing else: it was held to be fine."""
    table = decisions()
    table[kind] = table["time"].where((table["group"] == "control") & (table.index < 500))
    found = conduct.contacts_kept(table, PARAMS, NOW)
    assert found.state == "error"
    assert found.figures["control_written_to"] == int(table[kind].notna().sum()) > 0


def test_more_contacts_than_the_cap_on_different_days() -> None:
    """Asking five times on one day is one contact; on five days, five."""
    one = decisions().query("contact").head(1)
    again = [one.assign(time=one["time"] - timedelta(days=k)) for k in range(5)]
    found = conduct.contacts_kept(pd.concat(again, ignore_index=True), PARAMS, NOW)
    assert (found.state, found.figures["above_cap"]) == ("warn", 1)
    asked = conduct.contacts_kept(pd.concat([one] * 5, ignore_index=True), PARAMS, NOW)
    assert (asked.state, asked.figures["contacts"]) == ("ok", 1)


@pytest.mark.parametrize("kind", ["accepted_at", "refused_at"])
def test_a_channel_that_only_answers_keeps_to_the_cap_too(kind: str) -> None:
    """Why: once the mail system reported what was delivered, a customer who was called on six days
    running, and refused each time, counted as contacted never. Called and written to on one day is
    one contact."""
    table = decisions().query("contact")
    one, mail = table.head(1), table.iloc[1:50]
    mail = mail.assign(delivered_at=mail["time"])
    days = [one["time"] - timedelta(days=k) for k in range(6)]
    calls = pd.concat([one.assign(**{"time": day, kind: day}) for day in days])
    both = pd.concat([calls, mail], ignore_index=True)
    found = conduct.contacts_kept(both, PARAMS, NOW)
    assert (found.state, found.figures["above_cap"]) == ("warn", 1)
    assert (found.figures["contacts"], found.figures["counted"]) == (6 + 49, "sent")
    alike = pd.concat([calls.assign(delivered_at=calls["time"]), both], ignore_index=True)
    assert conduct.contacts_kept(alike, PARAMS, NOW).figures["contacts"] == 6 + 49
    silent = pd.concat([*(one.assign(time=day) for day in days), mail], ignore_index=True)
    assert conduct.contacts_kept(silent, PARAMS, NOW).figures["contacts"] == 49


def test_a_look_is_no_contact_and_costs_nothing() -> None:
    """Why: who ran `churn predict` each week between plans was told that customers were contacted
    more often than the cap, and that the spend was beyond the budget."""
    plan = decisions().assign(source="campaign")
    others = plan[~plan["contact"] & (plan["group"] == "treated")]
    looked = [
        others.assign(source="command", contact=True, time=others["time"] - timedelta(days=k))
        for k in range(5)
    ]
    now = pd.concat([plan, *looked])
    before = now.assign(time=now["time"] - timedelta(days=60), known=True)
    answered = before["contact"] & (before["source"] == "campaign") & (before["customer"] % 3 == 0)
    before["accepted_at"] = before["time"].where(answered)
    table = pd.concat([before, now]).sort_values("time", ignore_index=True)
    kept = conduct.contacts_kept(table, PARAMS, NOW)
    assert (kept.state, kept.figures["contacts"]) == ("ok", int(plan["contact"].sum()))
    lately = sum(int((each["time"] > NOW - timedelta(days=30)).sum()) for each in looked)
    assert f"Not counted: {lately:,}" in kept.sentence
    paced = conduct.spend_paced(table, PARAMS, None, NOW)
    assert paced.figures["expected"] == 10 * int(plan["contact"].sum())


def test_spend_is_what_was_accepted_and_what_is_expected() -> None:
    """2 % of 3,000,000 in 30 days; 20 days are gone."""
    table = decisions()
    paced = conduct.spend_paced(table, PARAMS, None, NOW)
    assert paced.figures["due"] == pytest.approx(60_000 * 20 / 30, rel=0.01)
    assert paced.figures["expected"] == 10 * int(table["contact"].sum())
    table.loc[table["contact"], ["accepted", "spend"]] = True, 50.0
    over = conduct.spend_paced(table, PARAMS, None, NOW)
    assert over.figures["expected"] == 0
    assert over.figures["spent"] == 50 * int(table["contact"].sum())
    assert over.state == "warn"
    assert conduct.spend_paced(table, PARAMS, 20_000.0, NOW).state == "error"
    assert conduct.spend_paced(table.head(10), PARAMS, None, NOW).state == "unknown"
    free = table.assign(customer_value=0.0, expected_cost=0.0, spend=0.0)
    assert conduct.spend_paced(free, PARAMS, 0.0, NOW).state == "unknown"


def test_what_others_accepted_is_not_expected_again() -> None:
    """All is as planned: of five contacts of 10 each one takes 50, and the others never answer. A
    day's expectations are met by those who accept; they counted once more, as the 40 of the rest,
    and the alarm was raised at 1.6 times what was due."""
    table = decisions().query("contact").reset_index(drop=True)
    table["time"] = table["time"].dt.floor("D") + pd.Timedelta(hours=1)
    day = table["time"].dt.floor("D")
    met = (day < day.max()) & (table.groupby(day).cumcount() % 5 == 4)
    table.loc[met, ["accepted", "spend"]] = True, 50.0
    fresh = 10 * int((day == day.max()).sum())
    whole = 10.0 * len(table)
    paced = conduct.spend_paced(table, PARAMS, whole * 30 / 20, NOW)
    assert paced.state == "ok"
    assert paced.figures["spent"] == 50 * int(met.sum())
    assert whole - 0.01 <= paced.figures["spent"] + paced.figures["expected"] <= whole + 0.01
    table.loc[met, "spend"] = 100.0  # twice what was expected: of those days nothing is to come
    paced = conduct.spend_paced(table, PARAMS, whole * 30 / 20, NOW)
    assert (paced.state, paced.figures["expected"]) == ("error", fresh)


def test_a_months_budget_is_what_spend_is_held_against() -> None:
    """31,000 for May are 30,000 in 30 days; 20 days are gone. The predictions' budget is the
    policy's own, and of no matter then."""
    table = decisions().assign(expected_cost=0.0)
    table.loc[table["contact"], ["accepted", "spend"]] = True, 20.0
    spent = 20.0 * int(table["contact"].sum())
    now = NOW - timedelta(hours=1)  # the last of May
    paced = conduct.spend_paced(table, PARAMS, 1e6, now, followed(31_000.0, 25_000.0))
    assert paced.figures["budget"] == pytest.approx(30_000)
    assert paced.figures["pace"] == pytest.approx(spent / 20_000, rel=0.02)
    assert paced.state == "ok"
    assert "25,000 of the 31,000 for 2026-05 are spent, 81%" in paced.sentence
    assert conduct.spend_paced(table, PARAMS, 1e6, now).state == "ok"
    tight = conduct.spend_paced(table, PARAMS, 1e6, now, followed(10_000.0, 9_000.0))
    assert tight.state == "error"
    over = followed(31_000.0, 36_000.0)  # fees, say: they aren't in the log
    assert conduct.spend_paced(table, PARAMS, 1e6, now, over).state == "warn"
    assert conduct.spend_paced(table, PARAMS, 1e6, NOW, over).state == "ok"  # it is June
    euros = conduct.spend_paced(table, PARAMS, 1e6, now, followed(31_000.0, 25_000.0), "€")
    assert "(budget of the period: €30,000)" in euros.sentence
    assert "€25,000 of the €31,000 for 2026-05" in euros.sentence
    none = conduct.spend_paced(table, PARAMS, 1e6, NOW, followed(0.0, 0.0))
    assert none.state == "unknown"


def followed(budget: float, spent: float) -> BudgetPrice:
    """What is in force of a month's budget for May."""
    at = NOW - timedelta(hours=20)
    facts = {"release_id": "r", "predictions": "p", "prices": (0.0,), "spends": (1.0,), "at": at}
    return BudgetPrice(price=1.0, aim=1.0, month="2026-05", budget=budget, spent=spent, **facts)


def test_rules_refused_messages_and_stand_ins_are_told() -> None:
    table = decisions()
    assert conduct.fall_backs(table, ["the best rule"], PARAMS, NOW).state == "warn"
    table.loc[:5, "baseline"] = True
    ruled = conduct.fall_backs(table, (), PARAMS, NOW)
    assert (ruled.state, ruled.figures["by_rule"]) == ("warn", 6)
    table.loc[:99, "shield_passed"] = False
    refused = conduct.fall_backs(table, (), PARAMS, NOW)
    assert (refused.state, refused.figures["shield_refused"]) == ("error", 100)


@pytest.mark.parametrize("broken", ["control", "exploration", "impossible"])
def test_probabilities_that_are_none_are_found(broken: str) -> None:
    """Another share than drawn; an exploration that happens thrice as often as logged; a control
    customer with a probability."""
    table = decisions()
    if broken == "control":
        table["control_share"] = 0.2
    elif broken == "exploration":
        some = table[(table["group"] == "treated") & (table["propensity"] > 0.5)].index[:300]
        table.loc[some, "propensity"] = 0.05
    else:
        table.loc[table["group"] == "control", "propensity"] = 0.9
    found = conduct.propensities_hold(table)
    assert found.state == "error"


@pytest.mark.parametrize("sound_share", [0.05, 0.2])
def test_a_sound_draw_hides_no_broken_one_of_its_period(sound_share: float) -> None:
    """The share was changed within the period: each is a draw of its own, whichever is larger."""
    broken = decisions(control=0.3).assign(control_share=0.1)
    sound = decisions(control=sound_share)
    sound["customer"] += len(broken)
    assert conduct.propensities_hold(sound).state == "ok"
    assert conduct.propensities_hold(broken).state == "error"
    for tables in ([broken, sound], [sound, broken]):
        found = conduct.propensities_hold(pd.concat(tables, ignore_index=True))
        assert found.state == "error"
        assert "control group of 10 % from start" in found.sentence
        assert f"control group of {100 * sound_share:g} % from start" in found.figures["z"]


def test_a_share_that_was_changed_breaks_no_log() -> None:
    """Of those who were decided on before, contacting has kept more of one group: that is its
    effect, and no fault of the draw."""
    rng, before = np.random.default_rng(0), decisions(control=0.1).assign(control_share=0.1)
    before["customer"] = np.arange(len(before))
    stayed = rng.random(len(before)) < np.where(before["group"] == "control", 0.5, 0.9)
    after = before[stayed].assign(control_share=0.2)
    after.loc[rng.random(len(after)) < 0.1, ["group", "propensity"]] = ["control", 1.0]
    assert conduct.propensities_hold(after).state != "ok"
    found = conduct.propensities_hold(pd.concat([before, after], ignore_index=True))
    assert found.state == "ok"


def test_right_probabilities_are_believed() -> None:
    """Of 300 logs not one is called wrong beyond the level."""
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        p = np.where(rng.random(1_000) < 0.05, 0.05, 0.95)
        group = np.where(rng.random(1_000) < 0.1, "control", "treated")
        table = pd.DataFrame(
            {
                "customer": np.arange(1_000),
                "group": group,
                "period": "start",
                "control_share": 0.1,
                "propensity": np.where(group == "control", 1.0, p),
            }
        )
        alarms += conduct.propensities_hold(table).state != "ok"
    assert alarms <= 3


def test_people_hear_of_what_got_worse_once() -> None:
    warned = [{"name": "a", "state": "warn", "sentence": "A warns."}]
    worse = [{"name": "a", "state": "error", "sentence": "A is bad."}]
    assert worsened(warned, []) == ["A warns."]
    assert worsened(warned, warned) == []
    assert worsened(worse, warned) == ["A is bad."]
    assert worsened([{"name": "a", "state": "unknown", "sentence": ""}], warned) == []
