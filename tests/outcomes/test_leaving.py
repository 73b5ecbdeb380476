"""An outcome is known once leaving has been reported up to its end, for both groups alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.outcomes import leaving
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.lift import Customers, lift_report, no_outcome_yet
from churn_assets.serving.decision_log.parts import SCHEMA
from tests.outcomes.test_joining import CONFIG, LEFT_ALONE, START, decision, event

JANUARY = datetime(2027, 1, 15, 8, tzinfo=UTC)
DAYS = timedelta(days=1)


def company(customers: int, seed: int) -> tuple[pd.DataFrame, list[dict[str, Any]], Any]:
    """Decisions of one morning, what is known of them at once, and who leaves when (NaN: stays).

    40 % leave, of those who are contacted 20: 120 of 600 are kept, for a discount of 90."""
    rng = np.random.default_rng(seed)
    treated = rng.random(customers) < 0.5
    leaves = rng.random(customers) < np.where(treated, 0.2, 0.4)
    when = np.where(leaves, rng.uniform(0.5, 29.9, customers), np.nan)
    row = decision(0, customer_value=600.0, churn_risk=0.4, time=JANUARY, control_share=0.5)
    log = pd.DataFrame([row] * customers).reindex(columns=SCHEMA.names)
    ids = [f"{number:032x}" for number in range(customers)]
    log = log.assign(
        decision_id=ids,
        customer_id=ids,
        group=np.where(treated, "treated", "control"),
        contact=treated,
        offer_level=np.where(treated, 3, 0),
    )
    told = {"kind": "accepted", "occurred_at": (JANUARY + DAYS).isoformat()}
    accepted = [
        told | {"event_id": f"a{each}", "customer_id": each, "decision_id": each}
        for each in np.array(ids)[treated].tolist()
    ]
    return log, accepted, when


def left(log: pd.DataFrame, when: Any, until: datetime) -> list[dict[str, Any]]:
    """What a file of all who left before `until` says."""
    days = zip(log["customer_id"], when, strict=True)
    times = [(each, JANUARY + timedelta(days=float(day))) for each, day in days if day == day]
    return [
        {"event_id": f"c{each}", "customer_id": each, "kind": "churned"}
        | {"occurred_at": time.isoformat()}
        for each, time in times
        if time < until
    ]


def test_leavers_who_are_imported_by_the_month_are_no_harm() -> None:
    """A good campaign, whose discounts are known at once and half of whose leavers aren't: on 20
    February it has cost 90 a customer and seems to have kept 60; it keeps 120."""
    log, told, when = company(10_000, 0)
    february, march = datetime(2027, 2, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    config = OutcomesConfig()
    found = {}
    for day, until in ((20, february), (30, march)):
        now = february + timedelta(days=day)
        elsewhere = event("churned", 0, "Z", occurred_at=(until - DAYS).isoformat())
        joined = join(log, [*told, *left(log, when, until), elsewhere], config, now)
        customers = customers_of(without_ids(joined.table))
        found[day] = (len(customers), lift_report(Customers.of(customers), config)["verdict"])
    assert found == {20: (0, "not known yet"), 30: (10_000, "helps")}
    too_early = without_ids(joined.table).assign(churned=when < (february - JANUARY) / DAYS)
    assert lift_report(Customers.of(customers_of(too_early)), config)["verdict"] == "hurts"


@pytest.mark.parametrize("who", ["C1", "C2", "elsewhere"])
def test_it_is_known_for_both_groups_at_once(who: str) -> None:
    """Whoever it is that was reported: who left says nothing of whose outcome is known."""
    rows = [decision(1), decision(2, "C2", **LEFT_ALONE), decision(3, "C3", day=1)]
    log = pd.DataFrame(rows).reindex(columns=SCHEMA.names)
    now = START + timedelta(days=40)
    for day, known in ((29.9, [False] * 3), (30, [True, True, False]), (31, [True] * 3)):
        table = join(log, [event("churned", day, who)], CONFIG, now).table
        assert table["known"].tolist() == known


def test_where_nobody_is_reported_it_is_known_some_weeks_later() -> None:
    """As in an installation that nobody has left yet; also where reports come in no order."""
    log = pd.DataFrame([decision(1)]).reindex(columns=SCHEMA.names)
    unordered = CONFIG.model_copy(update={"reported_in_order": False})
    for events, config in (([], CONFIG), ([event("churned", 60, "C9")], unordered)):
        for day, known in ((74, False), (75, True)):
            joined = join(log, events, config, START + timedelta(days=day))
            assert joined.table["known"].tolist() == [known]
    at_once = CONFIG.model_copy(update={"report_days": 0})
    assert join(log, [], at_once, START + timedelta(days=30)).table["known"].all()


def test_an_end_that_is_still_to_come_says_nothing() -> None:
    """A contract that was ended by a day to come: those of the days until then aren't reported."""
    log = pd.DataFrame([decision(1)]).reindex(columns=SCHEMA.names)
    joined = join(log, [event("churned", 100, "C9")], CONFIG, START + timedelta(days=40))
    assert joined.leaving.last is None
    assert not joined.table["known"].any()


@pytest.mark.parametrize("in_order", [True, False])
def test_reports_that_have_stopped_end_what_is_known(in_order: bool) -> None:
    """Why: those of later cohorts would all seem to stay, beside what was spent on the treated. The
    comparison alone left them out: policies, risks and what is learnt went by `known`."""
    config = CONFIG.model_copy(update={"reported_in_order": in_order})
    rows = [decision(n, f"C{n}", day=n) for n in range(100)]
    log, now = pd.DataFrame(rows).reindex(columns=SCHEMA.names), START + timedelta(days=300)
    table = join(log, [event("churned", 60, "C9")], config, now).table
    assert table["known"].tolist() == [n <= 30 for n in range(100)]
    assert join(log, [], config, now).table["known"].all()
    said = leaving.sentence(pd.Timestamp(START + timedelta(days=60)), config, now)
    assert (
        "after 2026-03-02 12:00 UTC, so outcomes that ended later aren't known: report who" in said
    )


def test_a_list_of_old_leavers_is_named_where_no_outcome_is_known() -> None:
    """Imported once, before the first decision. The report promised that 45 days would do."""
    rows = [decision(1), decision(2, "C2", **LEFT_ALONE)]
    log, old = pd.DataFrame(rows).reindex(columns=SCHEMA.names), event("churned", -20, "Z")
    said = {}
    for day in (31, 76):
        now = START + timedelta(days=day)
        joined = join(log, [old], CONFIG, now)
        settings = ExperimentConfig(enabled=True), CONFIG, None, joined.leaving.last, now
        said[day] = no_outcome_yet(without_ids(joined.table), *settings)["sentence"]
        assert not joined.table["known"].any()
    assert "is known once leaving has been reported up to then. " in said[31]
    assert "reports of leavers have stopped" in said[76]
    assert "after 2025-12-12 12:00 UTC. Report who has left since" in said[76]


def test_a_day_of_the_company_s_zone_isn_t_told_as_the_one_before() -> None:
    """Why: leavers of up to 30 December, as Berlin has it, were told as of up to the 29th."""
    midnight = pd.Timestamp("2026-12-30", tz="Europe/Berlin").tz_convert("UTC")
    said = leaving.sentence(midnight, OutcomesConfig(), datetime(2027, 1, 5, tzinfo=UTC))
    assert "up to 2026-12-29 23:00 UTC; " in said


def test_the_report_says_up_to_when() -> None:
    config, now = OutcomesConfig(), datetime(2027, 2, 20, tzinfo=UTC)
    last = leaving.from_json(leaving.as_json(pd.Timestamp("2027-01-31", tz="UTC")))
    said = leaving.sentence(last, config, now)
    assert said == (
        "Leaving has been reported up to 2027-01-31 00:00 UTC; outcomes that ended later aren't "
        "known yet."
    )
    assert "only 45 days after they end" in leaving.sentence(None, config, now)
    unordered = config.model_copy(update={"reported_in_order": False})
    assert "outcomes are known 45 days after" in leaving.sentence(last, unordered, now)


def test_decisions_are_kept_until_their_outcome_is_known() -> None:
    """Where reports come in no order each waits for all of `report_days`."""
    assert OutcomesConfig(keep_days=32).keep_days == 32
    assert OutcomesConfig(keep_days=77, reported_in_order=False).keep_days == 77
    with pytest.raises(
        ValueError, match=r"keep_days \(76\) is less than .* and report_days \(45\)"
    ):
        OutcomesConfig(keep_days=76, reported_in_order=False)
