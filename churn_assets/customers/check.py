"""A contract's tables against the contract: everything is read, nothing is half imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import duckdb

from churn_assets.customers.contract.model import Campaign, Contract, CustomerPart, Identity
from churn_assets.customers.contract.tables import Table
from churn_assets.customers.quality.columns import (
    Column,
    campaign_columns,
    customer_columns,
    one_spaced,
)
from churn_assets.customers.quality.contact import judge_flags
from churn_assets.customers.quality.currencies import mixed_beside, mixed_currencies
from churn_assets.customers.quality.dates import dates_unmentioned, dates_unread
from churn_assets.customers.quality.drift import Drift, drift
from churn_assets.customers.quality.flags import unread_flags
from churn_assets.customers.quality.ids import named_by, other_ids
from churn_assets.customers.quality.judging import USED, Judged, judge
from churn_assets.customers.quality.languages import unserved_languages
from churn_assets.customers.quality.leaks import Sought, leaks_of
from churn_assets.customers.quality.leaving import (
    gone_by_now,
    leavings_to_come,
    unlike_leavings,
)
from churn_assets.customers.quality.offers import chosen_said, unlike_said
from churn_assets.customers.quality.outcome import Outcome, outcome_of
from churn_assets.customers.quality.refused import write_refused
from churn_assets.customers.quality.report import (
    ColumnReport,
    FileReport,
    QualityReport,
    TableReport,
)
from churn_assets.customers.quality.tenure import (
    NOT_LEARNT,
    moving_starts,
    no_tenures,
    not_long_enough,
)
from churn_assets.customers.quality.value import judge_value
from churn_assets.customers.quality.workspace import one, workspace
from churn_assets.customers.quality.zones import unknown_zones
from churn_assets.customers.reading.numbers import Marks, worded
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.reading.table import ReadFile, read_table
from churn_assets.customers.splits import snapshot_split
from churn_assets.customers.still_listed import still_listed
from churn_assets.datasets.errors import DataError

Told = Callable[[str, int, int], None]
"""Told what is being done, how far it is, and of how much (0 where that isn't known)."""


def quiet(what: str, step: int, total: int) -> None:
    """A `Told` that says nothing."""


Take = Callable[[duckdb.DuckDBPyConnection, Judged], None]
"""Given every table once it is judged, with the data base that holds its rows."""

Part = Literal["customers", "campaign"]
PARTS: tuple[Part, ...] = get_args(Part)
CUSTOMERS, CAMPAIGN = ((part,) for part in PARTS)


def check(
    contract: Contract,
    places: Places,
    refused: Path,
    told: Told = quiet,
    take: Take | None = None,
    parts: Collection[Part] = PARTS,
) -> QualityReport:
    """Read every table of a contract and report on all of it.

    Args:
        contract: what the tables should be.
        places: where their files come from.
        refused: folder for the files of refused rows.
        told: how far it is.
        take: takes the rows that are used.
        parts: of the contract, to look at those alone.

    Raises:
        DataError: a table can't be read as a whole, or changed meanwhile.
        SourceUnavailableError, ArtifactError: it can't be fetched.
    """
    report = QualityReport(contract.name)
    with workspace() as (connection, folder):
        checking = _Checking(contract, places, refused, told, connection, folder, report)
        if contract.customers and "customers" in parts:
            checking.customers(contract.customers)
        if contract.campaign and "campaign" in parts:
            checking.campaign(contract.campaign)
        if take is not None:
            for judged in checking.judged:
                take(connection, judged)
    return report


class _Checking:
    """One check under way."""

    def __init__(
        self,
        contract: Contract,
        places: Places,
        refused: Path,
        told: Told,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        report: QualityReport,
    ) -> None:
        self.contract, self.refused, self.told = contract, refused, told
        self.places = replace(places, zone=contract.own_zone)
        self.connection, self.folder, self.report = connection, folder, report
        self.mentioned = _mentioned(contract)
        self.left_out = {one_spaced(name) for name in contract.left_out}
        self.judged: list[Judged] = []

    def customers(self, part: CustomerPart) -> None:
        """The history, and the active customers where they're a table of their own."""
        tables, identity = part.tables, part.identity
        key = [one_spaced(n) for n in (identity.id, identity.snapshot) if n] if identity.id else []
        columns = customer_columns(self.contract, True)
        history = self._judged("history", tables.history, columns, key)
        label = one_spaced(identity.churned.column or identity.churned.end_date or "")
        told = {label, one_spaced(identity.snapshot or label)}
        known = told <= {*history.read.columns}
        outcome = outcome_of(self.connection, history, identity) if known else None
        self._reported(history, tables.history, outcome)
        if outcome:
            whose = named_by(history, identity.id if identity.snapshot else None)
            seen = history.value(identity.snapshot, "snapshot") if identity.snapshot else None
            self._leaks(history, tables.history, outcome, whose, seen)
            self._split(history, identity, outcome)
            self.report.problems += unlike_leavings(self.connection, history, identity)
            self.report.problems += outcome.problems
            self.report.notes += leavings_to_come(self.connection, history, identity)
            self.report.notes += outcome.notes
        judge_value(self.connection, history, part.value.monthly, self.report)
        self._tenure(history, part)
        if tables.active is None:
            self._people(history)
            return
        active = self._judged("active", tables.active, customer_columns(self.contract, False), key)
        self._reported(active, tables.active, None)
        judge_value(self.connection, active, part.value.monthly, self.report)
        self._tenure(active, part)
        self._people(active)
        self._drift(history, active)
        problems, notes = other_ids(self.connection, history, active, identity)
        self.report.problems += problems
        self.report.notes += notes
        if outcome:
            self._still_active(history, active, identity, outcome)

    def campaign(self, campaign: Campaign) -> None:
        """The logged campaign."""
        tables = self.contract.tables
        table = campaign.table or (tables.history if tables else Table())
        log = self._judged("campaign", table, campaign_columns(campaign), once=False)
        known = one_spaced(campaign.outcome.column) in log.read.columns
        outcome = Outcome(log.value(campaign.outcome.column, "label")) if known else None
        self._reported(log, table, outcome)
        if outcome:
            self._leaks(log, table, outcome, named_by(log, campaign.customer))
        self.report.problems += unlike_said(self.connection, log, campaign)
        self.report.problems += chosen_said(self.connection, log, campaign)

    def _judged(
        self,
        name: str,
        table: Table,
        columns: list[Column],
        key: Sequence[str] = (),
        once: bool = True,
    ) -> Judged:
        folder = self.folder / name
        folder.mkdir()
        self.told(f"reading {name}", 0, 0)
        read = read_table(table, self.places, folder, partial(self.told, f"reading {name}"))
        self.told(f"checking {name}", 0, 0)
        judged = judge(
            self.connection, name, table, read, columns, key, once, self.places.zone,
            self.mentioned,
        )  # fmt: skip
        self.judged.append(judged)
        return judged

    def _reported(self, judged: Judged, table: Table, outcome: Outcome | None) -> None:
        report, name = self.report, judged.name
        columns = tuple(self._columns(judged))
        used, positives, left_out = judged.used, None, judged.left_out
        if outcome:
            counts = f"count(*), count(*) FILTER ({outcome.left})"
            query = f"SELECT {counts} FROM {name} WHERE {outcome.rows}"
            used, positives = map(int, one(self.connection, query))
            left_out = left_out | dict(outcome.left_out)
        unmentioned = [c for c in judged.read.columns if c not in self.mentioned]
        path = write_refused(self.connection, judged, table.format, self.refused)
        report.tables.append(
            TableReport(
                name, tuple(map(_file, judged.read.files, judged.marks)), judged.read.rows,
                used, judged.refused, judged.doubled, judged.conflicting, left_out,
                judged.kinds, path, positives, columns, tuple(unmentioned),
            )
        )  # fmt: skip
        report.problems += [f"{name}: {problem}" for problem in judged.problems]
        report.notes += [f"{name}: {note}" for note in judged.notes]
        report.problems += mixed_currencies(self.connection, judged)
        report.problems += mixed_beside(self.connection, judged)
        report.problems += dates_unread(self.connection, judged, table)
        report.notes += dates_unmentioned(self.connection, judged, self.mentioned)
        if judged.refused > table.most_refused * judged.read.rows:
            report.problems.append(
                f"{name}: {judged.refused:,} of {judged.read.rows:,} rows are refused; see {path}"
            )
        if name != "campaign":
            features, missing = self.contract.features, table.missing
            report.problems += unread_flags(self.connection, judged, features, missing)
        if judged.conflicting:
            report.problems.append(f"{name}: {judged.conflicting:,} ids are in rows that differ")
        if outcome and not judged.used:
            report.problems.append(f"{name}: no row can be used")
        elif outcome and not outcome.problems and used and positives in (0, used):
            report.problems.append(f"{name}: all rows that are used have the same outcome")
        if name != "active":
            report.problems += [
                f"{name}: {column.column} has the same value in every row: leave it out"
                for column in columns
                if column.constant and "feature" in column.uses and judged.used > 1
            ]

    def _columns(self, judged: Judged) -> Iterator[ColumnReport]:
        for i, column in enumerate(judged.columns):
            missing, distinct = one(
                self.connection,
                f"""SELECT count(*) FILTER (v{i} IS NULL), count(DISTINCT v{i})
                FROM {judged.name} WHERE {USED}""",
            )
            share = missing / judged.used if judged.used else 0.0
            constant = distinct + (missing > 0) <= 1
            yield ColumnReport(column.name, column.uses, share, distinct, constant)

    def _leaks(
        self, judged: Judged, table: Table, outcome: Outcome, row: str, seen: str | None = None
    ) -> None:
        """Look at features, at what is left out, and at what the contract doesn't speak of."""
        self.told(f"looking for leaks in {judged.name}", 0, 0)
        sought = Sought(outcome.left, outcome.rows, row, seen, outcome.end)
        leaks = leaks_of(
            self.connection, judged, table.missing, sought, self.left_out, self.mentioned
        )
        for leak in leaks:
            self.report.leaks.append(leak)
            if leak.role == "feature":
                where = f"{judged.name}: the feature {leak.column}"
                if leak.certain:
                    self.report.problems.append(f"{where} leaks: {leak.why}")
                else:
                    self.report.notes.append(f"{where} may leak: {leak.why}")

    def _tenure(self, judged: Judged, part: CustomerPart) -> None:
        """The tenure has to be months that somebody may have been a customer."""
        if part.tenure.since and not part.identity.snapshot and judged.name == "history":
            self.report.notes.append(NOT_LEARNT)
        self.report.problems += no_tenures(self.connection, judged, part)
        self.report.notes += not_long_enough(self.connection, judged, part)
        if moving := moving_starts(self.connection, judged, part):
            said, to_mend = moving
            (self.report.problems if to_mend else self.report.notes).append(said)

    def _people(self, judged: Judged) -> None:
        """Zones have to be known, and who may be contacted has to be said so that it can be read;
        what is written to in English is worth knowing."""
        people = self.contract.people
        self.report.problems += unknown_zones(self.connection, judged, people)
        self.report.notes += unserved_languages(self.connection, judged, people)
        judge_flags(self.connection, judged, self.contract, self.mentioned, self.report)

    def _split(self, history: Judged, identity: Identity, outcome: Outcome) -> None:
        """Customers with snapshots have to fall into three splits."""
        try:
            who = history.value(identity.id or "", "id")
            seen = history.value(identity.snapshot or "", "snapshot")
        except KeyError:
            return  # no snapshots, or a column is missing: said already
        what = f"{who} AS ids, {seen} AS days, {outcome.left} AS gone"
        rows = self.connection.execute(f"SELECT {what} FROM history WHERE {outcome.rows}").df()
        ids, days, left = (rows[name].to_numpy() for name in ("ids", "days", "gone"))
        if 0 < left.sum() < len(left):  # said already otherwise
            try:
                found = snapshot_split("history", ids, left, days, identity.horizon_months)
                self.report.notes += found.notes
            except DataError as error:
                self.report.problems.append(str(error))

    def _drift(self, history: Judged, active: Judged) -> None:
        self.told("comparing history and active", 0, 0)
        for i, column in enumerate(history.columns):
            if "feature" not in column.uses or column.name not in active.read.columns:
                continue
            found = drift(
                self.connection,
                column.name,
                (f"history WHERE {USED}", f"v{i}"),
                (f"active WHERE {USED}", active.value(column.name, "feature")),
                column.reads == "number",
            )
            self.report.drift.append(found)
            if gone := _gone(found):
                self.report.problems.append(f"active: {gone}")

    def _still_active(
        self, history: Judged, active: Judged, identity: Identity, outcome: Outcome
    ) -> None:
        name = one_spaced(identity.id or "")
        if name not in history.read.columns or name not in active.read.columns:
            return
        gone = gone_by_now(identity, history) if identity.snapshot else outcome.left
        if gone:
            said, who = still_listed(self.connection, history, active, name, gone)
            self.report.problems += said
            self.report.still_listed += who


def _gone(found: Drift) -> str:
    """A column that can't be used any more, in words."""
    if found.missing_now > 0.5 and found.missing_now > 2 * found.missing_before:
        return f"{found.column} is missing for {found.missing_now:.0%} of the customers"
    if found.unseen > 0.5:
        return f"{found.column} has words that the history doesn't for {found.unseen:.0%}"
    return ""


def _file(file: ReadFile, marks: Marks) -> FileReport:
    written = ""
    if file.dialect:
        guessed = " (a guess)" if file.dialect.guessed else ""
        mark = {"\t": "tab"}.get(file.dialect.delimiter, repr(file.dialect.delimiter))
        written = f"{file.dialect.encoding}{guessed}, delimiter {mark}, {worded([marks])}"
    elif marks.in_text:
        written = f"text with {worded([marks])}"
    return FileReport(file.name, file.rows + file.broken, written)


def _mentioned(contract: Contract) -> set[str]:
    """Every column that the contract speaks of."""
    names = set(contract.left_out)
    if contract.tables:
        for labelled in (True, False):
            names |= {column.name for column in customer_columns(contract, labelled)}
        for table in filter(None, (contract.tables.history, contract.tables.active)):
            names |= {rule.column for rule in table.leave_out}
    if contract.campaign:
        names |= {column.name for column in campaign_columns(contract.campaign)}
    return {one_spaced(name) for name in names}
