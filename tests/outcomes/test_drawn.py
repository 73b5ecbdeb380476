"""Whose outcomes are compared: nobody's first decision is forgotten, a look begins nothing, what
happened while no experiment ran counts, and another share is no new draw."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_assets.domain.experiment import Draw, ExperimentConfig
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import basis, customers_of, needed
from churn_assets.outcomes.inference import customers_needed
from churn_assets.outcomes.joining import without_ids
from churn_assets.outcomes.lift import Customers, lift_report, no_outcome_yet
from churn_assets.outcomes.watching.conduct import propensities_hold
from tests.outcomes.test_joining import LEFT_ALONE, NOW, decision, event, joined
from tests.outcomes.test_joining import START as START_OF_THE_LOG

START = Draw("start", 0.1)
OFF: dict[str, Any] = {"group": None, "period": None, "control_share": None}
PLAN = {"source": "campaign"}


def monthly(months: int, customers: int, seed: int) -> pd.DataFrame:
    """A plan a month about all who are still there; of the control group 6 % leave a month, of the
    others 3. As `without_ids` has it."""
    rng = np.random.default_rng(seed)
    control = rng.random(customers) < 0.1
    stays = rng.geometric(np.where(control, 0.06, 0.03))
    number, month = np.meshgrid(np.arange(customers), np.arange(months))
    there = month < stays
    table = pd.DataFrame({"customer": number[there], "month": month[there]})
    of = table["customer"].to_numpy()
    time = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(30 * table["month"], unit="D")
    table = table.assign(
        time=time,
        known_at=time + pd.Timedelta(days=30),
        known=True,
        group=np.where(control[of], "control", "treated"),
        contact=~control[of],
        churned=table["month"] + 1 == stays[of],
        period="start",
        control_share=0.1,
        source="campaign",
        spend=0.0,
        expected_value=0.0,
        churn_risk=0.05,
        customer_value=600.0,
    )
    for kind in ("sent", "delivered", "accepted", "refused"):
        table[f"{kind}_at"] = pd.Series(pd.NaT, table.index, "datetime64[us, UTC]")
    return table


def test_old_decisions_are_kept_as_far_as_the_comparison_rests_on_them() -> None:
    """Pruned month by month: the same customers with the same outcomes. By age alone, who left
    within a month of the first decision would be forgotten, and of one group they are more."""
    table = monthly(30, 6_000, 0)
    whole, pruned = customers_of(table, START), table
    for month in range(24, 30):
        before = table["time"].min() + pd.Timedelta(days=30 * (month - 23))
        pruned = pruned[needed(pruned, before)]
    pd.testing.assert_frame_equal(customers_of(pruned, START), whole)
    old = pruned.loc[pruned["time"] < before, "month"]
    assert set(old) == {0, 1}  # of six; the second plan was on the horizon's last day
    assert (old == 0).sum() == len(whole)
    config = OutcomesConfig()
    assert not lift_report(Customers.of(whole), config)["sample_ratio"]["found"]
    assert propensities_hold(pruned.assign(propensity=1.0)).state == "ok"
    young = table[table["time"] >= before]
    found = lift_report(Customers.of(customers_of(young, START)), config)
    assert found["sample_ratio"]["z"] < -3.29
    assert propensities_hold(young.assign(propensity=1.0)).state != "ok"


def test_a_draw_that_is_long_over_is_forgotten_whole() -> None:
    """All at once, so that at no time a part of its customers is there."""
    table = without_ids(
        joined(
            [
                decision(1),
                decision(2, day=20, **OFF),
                decision(3, day=40),
                decision(4, day=80, period="2026-03-01"),
                decision(5, "C2", day=85, **OFF),
                decision(6, day=100, period="2026-03-01"),
            ],
            [event("sent", 21, decision_id=f"{2:032x}")],
        ).table
    )
    start = table["time"].iloc[0]
    for day, kept in ((0, 6), (40, 6), (41, 3), (90, 2)):
        assert needed(table, start + pd.Timedelta(days=day)).sum() == kept


def test_what_was_foretold_is_of_contacts_that_were_made_within_the_horizon() -> None:
    """Not of a contact that was decided and never made, nor of one that came later; what a look
    told counts once somebody was contacted for it."""
    rows = [
        decision(1, "C1", expected_value=20.0),
        decision(2, "C1", day=5, expected_value=30.0),
        decision(3, "C1", day=6, expected_value=40.0),  # never sent
        decision(4, "C1", day=40, expected_value=50.0),  # after the horizon
        decision(5, "C2", contact=False, offer_level=0, expected_value=0.0),
        decision(6, "C3", **LEFT_ALONE),
    ]
    events = [
        event("sent", day, "C1", decision_id=f"{n:032x}") for n, day in ((1, 1), (2, 6), (4, 41))
    ]
    # Of contacts that only answers tell of, who is silent is missing.
    events.append(event("accepted", 8, "C1", decision_id=f"{3:032x}"))
    found = customers_of(without_ids(joined(rows, events).table), START)
    assert found["foretold"].tolist() == [50.0, 0.0, 0.0]


def test_what_happens_while_the_experiment_is_off_counts() -> None:
    """A control customer who is sent 15 % and accepts it is no customer left alone any more."""
    rows = [
        decision(1, "C1", **LEFT_ALONE),
        decision(2, "C2", contact=False, offer_level=0),
        *(decision(n, f"C{n - 2}", day=5, offer_level=3, **OFF) for n in (3, 4)),
        decision(5, "C3", **LEFT_ALONE),
        decision(6, "C3", day=40, **OFF),  # after the horizon
    ]
    events = [
        event(kind, 6, f"C{n - 2}", decision_id=f"{n:032x}")
        for n in (3, 4)
        for kind in ("sent", "accepted")
    ]
    events.append(event("sent", 41, "C3", decision_id=f"{6:032x}"))
    table = without_ids(joined(rows, events).table)
    found = customers_of(table, START)
    assert found["spend"].tolist() == [150, 150, 0]
    assert found["contaminated"].tolist() == [True, False, False]
    told = basis(table, START)
    assert (told["without_draw"], told["control_decided"]) == (3, 2)


@pytest.mark.parametrize("kind", ["sent", "delivered", "accepted", "refused"])
def test_any_contact_contaminates(kind: str) -> None:
    """Nobody answers what they weren't told."""
    rows = [decision(1, **LEFT_ALONE), decision(2, day=5, **OFF)]
    table = without_ids(joined(rows, [event(kind, 6, decision_id=f"{2:032x}")]).table)
    assert customers_of(table, START)["contaminated"].tolist() == [True]


def look_and_plan(day: float = 60.0) -> list[dict[str, Any]]:
    """Two customers of either group: one look, and a plan two months later."""
    look, plan = {"source": "command"}, {"day": day, "source": "campaign"}
    return [
        decision(1, "C1", **look),
        decision(2, "C2", **look, **LEFT_ALONE),
        decision(3, "C1", **plan),
        decision(4, "C2", **plan, **LEFT_ALONE),
    ]


def test_a_look_begins_no_horizon_where_a_plan_follows() -> None:
    """Why: a good campaign two months after one look was never measured."""
    events = [event("accepted", 61), event("churned", 70, "C2"), event("churned", 95, "Z")]
    table = without_ids(joined(look_and_plan(), events).table)
    found = customers_of(table, START).set_index("group")
    assert found["spend"].to_dict() == {"treated": 100, "control": 0}
    assert found["churned"].to_dict() == {"treated": False, "control": True}
    told = basis(table, START)
    assert (told["looks"], told["sources"]) == (2, {"campaign": 2})
    assert told["from"] == "2026-03-02"


def test_decisions_that_somebody_acted_upon_are_no_look() -> None:
    """Who was contacted before the plan isn't begun with anew: the others' time has begun, too."""
    table = without_ids(joined(look_and_plan(), [event("sent", 1)]).table)
    told = basis(table, START)
    assert (told["looks"], told["sources"]) == (0, {"command": 2})
    assert set(customers_of(table, START)["time"]) == {table["time"].min()}
    pruned = table[needed(table, table["time"].max())]
    assert basis(pruned, START)["sources"] == {"command": 2}


@pytest.mark.parametrize("kind", ["sent", "accepted"])
def test_an_event_after_the_plan_moves_no_horizon(kind: str) -> None:
    """One of a look's decision, a week after the plan, moved everybody's back to the look."""
    rows = look_and_plan(day=20.0)
    late = event(kind, 27, decision_id=f"{1:032x}")
    table = without_ids(joined(rows, [late]).table)
    assert table[f"{kind}_at"].notna().sum() == 1
    assert basis(table, START)["sources"] == {"campaign": 2}
    assert set(customers_of(table, START)["time"]) == {table["time"].max()}


def test_the_contact_that_was_made_first_is_kept() -> None:
    """Of two looks the first decision's contact was made after the plan, the other's before it:
    without that one the others would become looks once old days are removed."""
    rows = [decision(5, "C3", day=10, source="api"), decision(6, "C4", day=120, **PLAN)]
    events = [event("sent", 25, decision_id=f"{1:032x}"), event("sent", 12, "C3")]
    table = without_ids(joined([*look_and_plan(day=20.0), *rows], events).table)
    pruned = table[needed(table, table["time"].max())]
    for each in (table, pruned):
        assert basis(each, START)["sources"] == {"command": 2, "api": 1, "campaign": 1}
        assert basis(each, START)["from"] == "2026-01-01"


def test_a_share_that_was_only_looked_at_stays_so() -> None:
    """Answers that came after the share in force had begun are of its contacts."""
    rows = [decision(1, source="command"), decision(2, day=5, control_share=0.2, **PLAN)]
    for day, others in ((7, 0), (1, 1)):
        told = [event("sent", day, decision_id=f"{1:032x}")]
        table = without_ids(joined(rows, told).table)
        assert basis(table, Draw("start", 0.2))["other_share"] == others


def test_another_share_is_no_new_draw() -> None:
    """Who was decided on with the share before is in a group that was treated otherwise until then;
    a customer who came since, or a look or a stray program's before, are no matter."""
    rows = [
        decision(1, "C1", **PLAN),
        decision(2, "C2", **PLAN, **LEFT_ALONE),
        decision(3, "C1", day=40, **PLAN, **LEFT_ALONE | {"control_share": 0.2}),
        decision(4, "C2", day=40, **PLAN, **LEFT_ALONE | {"control_share": 0.2}),
        decision(5, "C3", day=40, control_share=0.2, **PLAN),
    ]
    table = without_ids(joined(rows, []).table)
    assert len(customers_of(table, START)) == 2
    found = customers_of(table, Draw("start", 0.2))
    assert found["customer"].tolist() == [2]
    assert basis(table, Draw("start", 0.2))["other_share"] == 2
    rotated = [
        row | ({"period": "2026-02-01"} if row["control_share"] == 0.2 else {}) for row in rows
    ]
    table = without_ids(joined(rotated, []).table)
    assert len(customers_of(table, Draw("2026-02-01", 0.2))) == 3
    looked = [row | {"source": "command"} if row["control_share"] == 0.1 else row for row in rows]
    table = without_ids(joined(looked, []).table)
    assert len(customers_of(table, Draw("start", 0.2))) == 3
    assert basis(table, Draw("start", 0.2))["other_share"] == 0


def test_where_everybody_had_another_share_nobody_is_compared_or_promised() -> None:
    """The report stopped with "Cannot mask with non-boolean array containing NA"; what it would
    have said is that the first outcome was to come."""
    rows = [decision(n, f"C{n}", **PLAN, **(LEFT_ALONE if n < 3 else {})) for n in range(1, 5)]
    later = [
        row | {"decision_id": f"{n:032x}", "time": row["time"] + timedelta(days=35)}
        for n, row in enumerate(rows, 11)
    ]
    changed = [row | {"control_share": 0.2} for row in later]
    table, draw = without_ids(joined(rows + changed, []).table), Draw("start", 0.2)
    found = customers_of(table, draw)
    assert found.empty
    assert not found["contaminated"].any()
    assert basis(table, draw)["other_share"] == 4
    settings = ExperimentConfig(enabled=True), OutcomesConfig(), draw, None, NOW
    said = no_outcome_yet(table, *settings)["sentence"]
    assert "share was changed" in said
    assert "CHURN_EXPERIMENT__ROTATION_DATES" in said
    risky = no_outcome_yet(table.assign(churn_risk=0.2), *settings)["needed"]
    safe = no_outcome_yet(table.assign(churn_risk=0.015), *settings)["needed"]
    # 20 who left of a tenth left alone, where it takes fewer to see a point more or less.
    assert (safe, risky) == (13_334, customers_needed(0.2, -0.01, 0.1))
    new = [*rows, *changed, decision(20, "C9", day=40, **PLAN | {"control_share": 0.2})]
    table = without_ids(joined(new, []).table).assign(known=False)
    said = no_outcome_yet(table, *settings)["sentence"]
    first = START_OF_THE_LOG + timedelta(days=70)
    assert f"the first outcome will be on {first:%Y-%m-%d}" in said
