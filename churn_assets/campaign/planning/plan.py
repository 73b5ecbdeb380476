"""A campaign's plan for the next days: `make_plan(sources, config, ...) -> Plan`.

Eligible customers, what each contact would bring, and the allocation under all limits; what an
approved plan has promised already is kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.history import Erasure, History
from churn_assets.campaign.eligibility import NOBODY, Crowd, Terms, eligible, on_the_list
from churn_assets.campaign.people import Person
from churn_assets.campaign.planning.allocation import Allocation, Floats, Problem, solve
from churn_assets.campaign.planning.certificate import CERTIFIED, linear_bound
from churn_assets.campaign.planning.contacts import contacts_of
from churn_assets.campaign.planning.exploring import (
    DRAWS,
    Drawn,
    counts_of,
    draws_of,
    explored,
    set_aside,
)
from churn_assets.campaign.planning.marginal import with_first_units
from churn_assets.campaign.planning.options import Options, in_turn, kept
from churn_assets.campaign.planning.promises import CONTACTS, Promises, places_taken
from churn_assets.campaign.planning.warnings import gone_of, warnings_of
from churn_assets.campaign.silence import missing_answers
from churn_assets.campaign.spending import plan_money
from churn_assets.messages.shield.rules import QuietHours
from churn_assets.release.switches.budget_price import BudgetPrice
from churn_assets.serving.assessment import Assessor
from churn_assets.storage.tables import ordered, read_parquet

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Shares of a limit that the Pareto curves are drawn at."""

Group = Callable[[str], bool]
"""Customer id -> whether they are in the control group."""


@dataclass(frozen=True)
class Sources:
    """What a plan is made from.

    Attributes:
        table: the latest predictions. baseline: whether rules decided them.
        budget_a_period: what the release's environment allows, for `period_days` days.
        price: of money in force, where a month's budget is followed; None: nothing is.
        promises: contacts of approved plans that are still to come, columns as in `CONTACTS`.
        erased: customers whom the ledger has forgotten -> what it still knows.
        unknown_ids: says which ids of the suppression list (`suppressed`) no customer has, if any.
        unknown_opt_outs: says which ids that opted out (`histories`) look misspelt, if any.
        quiet, zones: see `eligibility.Terms`.
        in_control: whom nobody contacts.
        exploration: share of the customers for whom something else is tried.
        draw: customer id -> a number from [0, 1) that decides it.
        fewer: what is to be said of an active table that lost many of its rows (`counted`).
    """

    table: pa.Table
    assessor: Assessor
    release_id: str
    baseline: bool
    budget_a_period: float
    price: BudgetPrice | None = field(default=None, kw_only=True)
    quiet: QuietHours
    zones: Sequence[str]
    people: Mapping[str, Person] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    erased: Mapping[str, Erasure] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    unknown_ids: Callable[[], str | None] = lambda: None
    unknown_opt_outs: Callable[[], str | None] = lambda: None
    promises: pa.Table = field(default_factory=CONTACTS.empty_table)
    in_control: Group = lambda _: False
    exploration: float = 0.0
    draw: Callable[[str], float] = lambda _: 1.0
    fewer: str | None = None


@dataclass(frozen=True)
class Plan:
    """Contacts, exclusions, figures about both, and what was drawn (`DRAWS`)."""

    plan_id: str
    contacts: pa.Table
    excluded: pa.Table
    report: dict[str, Any]
    draws: pa.Table = field(default_factory=DRAWS.empty_table)

    def save(self, folder: Path) -> None:
        """Write `contacts`, `excluded` and `draws` (.parquet) and `report.json`."""
        pq.write_table(self.contacts, folder / "contacts.parquet")
        pq.write_table(self.draws, folder / "draws.parquet")
        pq.write_table(self.excluded, folder / "excluded.parquet")
        text = json.dumps(self.report, indent=1) + "\n"
        (folder / "report.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read what `save` wrote, now or before anything was drawn."""
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        contacts = read_parquet(folder / "contacts.parquet", schema=CONTACTS)
        excluded = read_parquet(folder / "excluded.parquet")
        drawn = folder / "draws.parquet"
        draws = read_parquet(drawn) if drawn.exists() else DRAWS.empty_table()
        return cls(report["plan_id"], contacts, excluded, report, draws)


class Planner:
    """Everything about a plan that doesn't depend on its limits, so that it can be made again for
    others at once."""

    def __init__(self, sources: Sources, config: CampaignConfig, now: datetime) -> None:
        self.sources = sources
        self.config = config
        self.now = now
        self.channels = tuple(config.channels)
        self.days = [now.date() + timedelta(days=i) for i in range(config.days)]
        table, rules = sources.table, config.rules
        self.ids: list[str] = table["customer_id"].to_pylist()
        promises = Promises.of(sources.promises, self.days, set(self.ids))
        crowd = Crowd(
            self.ids,
            table["tenure"].to_numpy(),
            table["monthly_charges"].to_numpy(),
            sources.people,
            sources.histories,
            np.array([sources.in_control(customer) for customer in self.ids], dtype=bool),
            sources.erased,
        )
        terms = Terms(
            rules,
            config.channels,
            self.days,
            sources.suppressed,
            sources.quiet,
            rules.zones or sources.zones,
            now,
        )
        self.eligibility = eligible(crowd, terms)
        self.on_the_list = on_the_list(sources.suppressed, self.ids)
        out = np.flatnonzero(self.eligibility.rule >= 0).tolist()
        self.promises = promises.without({self.ids[i] for i in out})
        promised = self.promises.customers
        self.allowed = self.eligibility.open.copy()
        self.allowed[[customer in promised for customer in self.ids]] = False
        self.taken = self.promises.places(self.days, self.channels)
        self.made = self._made_already(terms.zones[0])
        self.paid = self._paid_already(terms.zones[0])
        self.options = Options.of(
            table, sources.histories, sources.assessor, config.days, now, baseline=sources.baseline
        )
        self.nobody_gains = self.options.nobody_gains(config.channels, self.allowed)
        if self.nobody_gains:  # nothing is planned, so that these are the options of what is tried
            self.options, self.allowed = self.options.at_any_time(), in_turn(self.allowed)

    @cached_property
    def uniform(self) -> Floats:
        """(N,) what decides for whom something else is tried."""
        return np.array([self.sources.draw(customer) for customer in self.ids])

    @cached_property
    def warnings(self) -> list[str]:
        """What somebody has to look at before the plan is approved, in sentences."""
        sources, listed, known = self.sources, self.on_the_list, set(self.ids)
        gone = gone_of(sources.promises["customer_id"].to_pylist(), known)
        return warnings_of(
            listed,
            sources.unknown_ids,
            sources.price,
            self.nobody_gains,
            gone,
            sources.unknown_opt_outs(),
            missing_answers(sources.histories, known, self.now),
            sources.fewer,
        )

    @property
    def budget(self) -> float:
        """Money for any so many days in a row: the plan's contacts, and those handed over on the
        days that share such a time with it (`paid`), together."""
        own, price = self.config.budget, self.sources.price
        if price is not None:
            aimed = plan_money(price, self.days, self.paid)
            return aimed if own is None else min(own, aimed)
        if own is not None:
            return own
        period = self.sources.assessor.params.period_days
        return self.sources.budget_a_period * self.config.days / period

    def places(self, contacts_a_day: Mapping[str, int] | None = None) -> Floats:
        """(days x channels,) contacts a day of each channel, those included that are promised or
        made already."""
        a_day = {name: channel.contacts_a_day for name, channel in self.config.channels.items()}
        a_day |= dict(contacts_a_day or {})
        return np.tile([float(a_day[name]) for name in self.channels], len(self.days))

    def allocate(
        self, budget: float | None = None, contacts_a_day: Mapping[str, int] | None = None
    ) -> Allocation:
        """The best plan under these limits, or under the settings', with what is tried in it."""
        return self.drawn(budget, contacts_a_day)[0]

    def drawn(
        self, budget: float | None = None, contacts_a_day: Mapping[str, int] | None = None
    ) -> tuple[Allocation, Drawn | None]:
        """`allocate`, and between what its contacts were drawn; None where nothing is tried."""
        places, money = self._free(self.budget if budget is None else budget, contacts_a_day)
        problem = self._problem(places, money)
        share = self.sources.exploration
        rest, aside = set_aside(problem, share) if share else (problem, None)
        found, drawn = solve(rest), None
        if aside is not None:
            found, drawn = explored(problem, aside, found, share, self.uniform)
        return replace(found, prices=with_first_units(problem, found.prices)), drawn

    def sums(self, allocation: Allocation) -> dict[str, Any]:
        """What a plan comes to, promises included."""
        value, cost = self.promises.value_and_cost()
        used = allocation.used + self.taken
        by_channel = used.reshape(len(self.days), len(self.channels))
        prices = allocation.prices
        return {
            "contacts": int(used.sum()),
            "promised": self.promises.now.num_rows,
            "promised_later": self.promises.later.num_rows,
            "paid": round(self.paid, 2),
            "expected_value": round(allocation.value + value, 2),
            "expected_cost": round(allocation.money + cost, 2),
            "bound": round(allocation.bound + value, 2),
            "gap": replace(
                allocation, value=allocation.value + value, bound=allocation.bound + value
            ).gap,
            "by_day": [
                {"day": day.isoformat(), **dict(zip(self.channels, row, strict=True))}
                for day, row in zip(self.days, by_channel.tolist(), strict=True)
            ],
            "value_of_one_more": {
                "money": round(prices.money, 4),
                **{
                    name: round(float(prices.places[c :: len(self.channels)].sum()), 4)
                    for c, name in enumerate(self.channels)
                },
            },
        }

    def pareto(self, as_set: Allocation) -> dict[str, list[dict[str, float]]]:
        """Value against money, and against contacts a day, each with the other limit as set;
        promises are kept at every level. `as_set` is the plan at level 1 of both."""
        kept_value, kept_cost = self.promises.value_and_cost()
        base = {name: channel.contacts_a_day for name, channel in self.config.channels.items()}
        money, contacts = [], []
        for level in LEVELS:
            found = as_set if level == 1 else self.allocate(level * self.budget)
            spent, value = found.money + kept_cost, found.value + kept_value
            money.append({"budget": level * self.budget, "spent": spent, "value": value})
        for level in LEVELS:
            a_day = {name: int(level * n) for name, n in base.items()}
            found = as_set if level == 1 else self.allocate(contacts_a_day=a_day)
            value = found.value + kept_value
            contacts.append({"a_day": sum(a_day.values()), "value": value})
        return {"money": _rounded(money), "contacts": _rounded(contacts)}

    def plan(self, *, curves: bool = True) -> Plan:
        """The plan under the settings' limits, with the bound that no plan exceeds.

        Args:
            curves: False leaves the Pareto curves out.
        """
        found, drawn = self.drawn()
        plan_id = self._plan_id(found)
        own, kept_ones = contacts_of(self, found, drawn, plan_id), self.promises
        contacts = pa.concat_tables([kept_ones.now, kept_ones.later, own])
        contacts = ordered(
            contacts,
            [("day", "ascending"), ("expected_value", "descending"), ("customer_id", "ascending")],
        )
        excluded = self.eligibility.left_out(self.ids)
        sources = self.sources
        report = {
            "plan_id": plan_id,
            "created": self.now.isoformat(),
            "days": [day.isoformat() for day in self.days],
            "release_id": sources.release_id,
            "customers": len(self.ids),
            "excluded": self.eligibility.counts(),
            "on_suppression_list": self.on_the_list,
            "warnings": self.warnings,
            "promises": sorted(sources.promises["decision_id"].to_pylist()),
            "budget": round(self.budget, 2),
            "contacts_a_day": {n: c.contacts_a_day for n, c in self.config.channels.items()},
            "budget_price": None if sources.price is None else sources.price.price,
            "overspent": 0.0 if sources.price is None else round(sources.price.overspent, 2),
            "exploration": counts_of(drawn, self.sources.exploration),
            **self.sums(found),
            "linear_bound": self._certificate(found),
            "pareto": self.pareto(found) if curves else {"money": [], "contacts": []},
        }
        return Plan(plan_id, contacts, excluded, report, draws_of(drawn, self.ids))

    def _certificate(self, found: Allocation) -> float | None:
        """The linear program's value, promises included; None for too many customers."""
        if len(self.ids) > CERTIFIED:
            return None
        return round(
            linear_bound(self.problem, found.prices) + self.promises.value_and_cost()[0], 2
        )

    @property
    def problem(self) -> Problem:
        """Under the settings' limits."""
        return self._problem(*self._free(self.budget, None))

    def _problem(self, places: Floats, money: float) -> Problem:
        return replace(self._whole, places=places, budget=money)

    @cached_property
    def _whole(self) -> Problem:
        """Everybody's options, whatever the limits."""
        known = self.sources.price
        price = known.price if known and not self.nobody_gains else 0.0
        channels, places = self.config.channels, self.places()
        return kept(self.options.problem(channels, self.allowed, places, self.budget, price))

    def _free(
        self, budget: float, contacts_a_day: Mapping[str, int] | None
    ) -> tuple[Floats, float]:
        """Places and money that promises and what was handed over have left."""
        left = self.places(contacts_a_day) - self.taken - self.made
        money = budget - self.promises.value_and_cost()[1] - self.paid
        return np.maximum(left, 0.0), max(0.0, money)

    def _made_already(self, zone: str) -> NDArray[np.int64]:
        """(days x channels,) contacts on the plan's days that the ledger has, whoever made them; by
        the customers' own calendars.

        Args:
            zone: of customers whose zone nobody knows.
        """
        people, since = self.sources.people, self.now - timedelta(days=2)
        made = (
            (contact.day(people.get(customer, NOBODY).zone or zone), contact.channel)
            for customer, history in self.sources.histories.items()
            for contact in history.contacts
            if contact.when > since
        )
        return places_taken(made, self.days, self.channels)

    def _paid_already(self, zone: str) -> float:
        """What plans expected contacts to cost that they have handed over: of the plan's days, and
        of as many before but one, so that no time of the plan's length costs more than its budget.

        Args:
            zone: of customers whose zone nobody knows.
        """
        people, length = self.sources.people, timedelta(days=len(self.days))
        first, since = self.days[0] - length, self.now - length - timedelta(days=1)
        return math.fsum(
            contact.expected_cost
            for customer, history in self.sources.histories.items()
            for contact in history.contacts
            if contact.expected_cost is not None
            and contact.when > since
            and first < contact.day(people.get(customer, NOBODY).zone or zone) <= self.days[-1]
        )

    def _plan_id(self, found: Allocation) -> str:
        """The first day, and what tells this plan from another of that day."""
        facts = hashlib.sha256(found.choice.tobytes())
        facts.update(json.dumps([self.now.isoformat(), self.config.model_dump_json()]).encode())
        return f"{self.days[0]:%Y%m%d}-{facts.hexdigest()[:10]}"


def _rounded(points: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: round(value, 2) for name, value in point.items()} for point in points]
