"""Pages of a large plan: the same rows as ever, without the work of all of them for each."""

from __future__ import annotations

import asyncio
import tracemalloc
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api import campaigns as desks
from api.campaigns import CampaignDesk
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.eligibility import EXCLUDED
from churn_assets.campaign.planning.pages import contacts_page, excluded_page
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.planning.promises import CONTACTS
from tests.campaign.test_workflow import NOW, Desk, desk

__all__ = ["desk"]  # a fixture

MANY = 20_000
FIRST = date(2026, 3, 10)
SORTS = ("day", "customer_id", "expected_value", "expected_cost", "churn_risk")


@pytest.fixture(scope="module")
def contacts() -> pa.Table:
    """Many contacts in several chunks, as a file of several row groups has; with equal figures."""
    rng = np.random.default_rng(5)
    names = [
        f"{'KU' if i % 3 else 'Mü'}-{number:05d}" for i, number in enumerate(rng.permutation(MANY))
    ]
    rows = {
        "decision_id": [f"p:{name}" for name in names],
        "customer_id": names,
        "day": [FIRST + timedelta(days=int(i)) for i in np.sort(rng.integers(0, 7, MANY))],
        "channel": [("email", "call")[i] for i in rng.integers(0, 2, MANY)],
        "offer_percentage": rng.choice([0, 5, 10, 15], MANY).tolist(),
        "expected_value": (rng.integers(0, 400, MANY) / 4).tolist(),
        "expected_cost": (rng.integers(0, 40, MANY) / 4).tolist(),
        "churn_risk": (rng.integers(0, 100, MANY) / 100).tolist(),
        "accept_prob": rng.random(MANY).tolist(),
        "promised": [False] * MANY,
        "propensity": [1.0] * MANY,
        "cost_of_percent": [1.0] * MANY,
    }
    table = pa.Table.from_pydict(rows, schema=CONTACTS)
    return pa.concat_tables([table.slice(i, 6_000) for i in range(0, MANY, 6_000)])


def as_rows(
    contacts: pa.Table, search: str, channel: str, day: date | None, sort: str, descending: bool
) -> list[dict[str, Any]]:
    """All contacts that match, in order, by Python's own sort."""
    rows = [
        row
        for row in contacts.to_pylist()
        if search.casefold() in row["customer_id"].casefold()
        and channel in ("", row["channel"])
        and day in (None, row["day"])
    ]
    return sorted(rows, key=lambda row: row[sort], reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    ("search", "channel", "day"),
    [
        ("", "", None),
        ("mÜ-01", "", None),
        ("", "call", FIRST + timedelta(days=3)),
        ("-1.*", "email", None),  # no expression
        ("nobody", "", None),
    ],
)
def test_a_page_is_what_sorting_all_rows_gives(
    contacts: pa.Table, search: str, channel: str, day: date | None, sort: str, descending: bool
) -> None:
    """Equal figures stay in the plan's order, also from the highest down."""
    wanted = as_rows(contacts, search, channel, day, sort, descending)
    for start in (0, 12, 6_500, len(wanted)):
        page = contacts_page(
            contacts,
            start,
            12,
            search=search,
            channel=channel,
            day=day,
            sort=sort,
            descending=descending,
        )
        assert page.rows == wanted[start : start + 12]
        assert page.total == len(wanted)
        assert page.expected_value == pytest.approx(sum(r["expected_value"] for r in wanted))
        assert page.expected_cost == pytest.approx(sum(r["expected_cost"] for r in wanted))


def test_who_is_left_out_is_paged_in_the_plan_s_order(contacts: pa.Table) -> None:
    """By rule and part of the id."""
    rules = ["opt_out" if i % 7 else "cooldown" for i in range(MANY)]
    excluded = pa.table({"customer_id": contacts["customer_id"], "rule": rules}, schema=EXCLUDED)
    rows = [
        r for r in excluded.to_pylist() if r["rule"] == "cooldown" and "KU-1" in r["customer_id"]
    ]
    page = excluded_page(excluded, 24, 12, search="ku-1", rule="cooldown")
    assert (page.rows, page.total) == (rows[24:36], len(rows))
    assert excluded_page(excluded, 0, 2).total == MANY


def test_a_page_makes_no_more_rows_than_it_has(contacts: pa.Table) -> None:
    """Counted by what Python allocates; Arrow's own memory isn't among it."""
    contacts_page(contacts, 0, 12)
    tracemalloc.start()
    try:
        contacts.slice(0, 200).to_pylist()
        _, two_hundred = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        contacts_page(contacts, 40, 12, search="ku", channel="email", sort="expected_value")
        excluded_page(contacts, 40, 12, search="ku")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < two_hundred


def test_a_plan_is_read_once_for_many_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each; its status is asked anew each time, and another plan is another one."""
    read: list[str] = []
    load = Plan.load

    def counted(folder: Any) -> Plan:
        plan = load(folder)
        read.append(plan.plan_id)
        return plan

    monkeypatch.setattr(Plan, "load", counted)
    at = CampaignDesk(CampaignConfig(), desk, "gs://bucket")

    async def look(plan_id: str | None = None) -> tuple[str, str]:
        plan, status = await at.run(lambda campaigns: at.show(campaigns, plan_id))
        return plan.plan_id, status

    async def day() -> None:
        first = (await at.run(lambda c: c.plan(NOW, "Ana", curves=False))).plan_id
        assert [await look(), await look(first), await look()] == [(first, "draft")] * 3
        assert read == [first]
        await at.run(lambda c: c.approve(first, "Eva", NOW))
        del read[:]
        assert await look() == (first, "approved")
        assert read == []
        second = (
            await at.run(lambda c: c.changed(budget=500.0).plan(NOW, "Ana", curves=False))
        ).plan_id
        del read[:]
        assert await look() == (second, "draft")
        assert await look(first) == (first, "approved")
        assert read == [second, first]
        monkeypatch.setattr(desks, "PLAN_LIVES", -1.0)  # it may have gone from the store
        await look(second)
        await look(second)
        assert read == [second, first, second, second]

    asyncio.run(day())
    at.close()
