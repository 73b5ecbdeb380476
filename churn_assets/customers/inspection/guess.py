"""What the columns of a table that nobody has described yet seem to be, by names and cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import duckdb

from churn_assets.customers.departures import LEFT
from churn_assets.customers.headings import Meaning, folded, plain, says
from churn_assets.customers.inspection.answered import accepted_in, is_it_a_log
from churn_assets.customers.inspection.dates import Written
from churn_assets.customers.inspection.flags import find_flags
from churn_assets.customers.inspection.keys import Keys, is_about_people
from churn_assets.customers.inspection.names import LEVELS, is_name, may_be_first_name
from churn_assets.customers.inspection.paid import Unpaid
from churn_assets.customers.inspection.totals import Totals
from churn_assets.customers.inspection.unknown import Unknown, what_of
from churn_assets.customers.inspection.words import (
    means_yes,
    named,
    one_word,
    says_yes_or_no,
    yes_of,
)
from churn_assets.customers.quality.columns import date, number, text, trimmed, word
from churn_assets.customers.quality.contact import UNDECIDED
from churn_assets.customers.quality.currencies import names_currency
from churn_assets.customers.quality.hindsight import first_rows
from churn_assets.customers.quality.leakage import Candidate, Leak, comes_afterwards, find_leaks
from churn_assets.customers.quality.personal import NOBODY, Personal
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.reading.dates import DAYS_OF_A_MONTH
from churn_assets.customers.reading.numbers import Marks

NOTHING_UNKNOWN: Mapping[str, Unknown] = MappingProxyType({})
_LEAST_POSTCODE = 10_000  # of Italy, but for Rome's, which begin with zeros
_LONGEST_TENURE = 600  # months; more are days


def _says_who_left(column: ColumnProfile) -> bool:
    """Whether one of a few words, and one only, is of customers who left."""
    if column.missing or not 1 < column.distinct <= min(LEVELS, len(column.top)):
        return False
    return sum(folded(cell) in LEFT for cell, _ in column.top) == 1


def _is_limit(column: ColumnProfile) -> bool:
    """Whether "Cap" is a limit, as of gigabytes, rather than Italian for a postcode: five digits,
    and many of them."""
    few = column.distinct <= LEVELS and (column.high or 0) < _LEAST_POSTCODE
    return folded(plain(column.name)) == "cap" and few


def _best(meaning: Meaning, columns: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """The column whose name fits best."""
    return next(iter(named(meaning, columns)), None)


class Guess:
    """What the columns of a table seem to be."""

    def __init__(
        self,
        columns: Sequence[ColumnProfile],
        keys: Keys,
        unknown: Mapping[str, Unknown] = NOTHING_UNKNOWN,
        personal: Mapping[str, Personal] = NOBODY,
        moving: Collection[str] = (),
    ) -> None:
        self.columns, self.keys, self.personal = columns, keys, personal
        self.unknown = unknown  # column -> what stands among its numbers
        self.places = {column.name: i for i, column in enumerate(columns)}
        self.unpaid: Unpaid | None = None  # of `value`, once somebody has looked
        self.currencies: Mapping[str, Sequence[str]] = {}  # column of several -> codes, likewise
        self.dates: Written | None = None  # of the table, likewise
        self.totals: Totals | None = None  # likewise; no profile counts those lines
        two = [c for c in columns if c.distinct == 2 and not c.missing]
        marked = [c for c in columns if one_word(c)]
        self.label = _best("left", two)
        dates = [c for c in columns if c.guess == "date" and c is not keys.snapshot]
        ends = [c for c in dates if c.missing]
        self.end = None if self.label else _best("end", ends)
        if not (self.label or self.end):
            self.label = _best("left", marked)
        if not (self.label or self.end):
            self.label = _best("status", [c for c in columns if _says_who_left(c)])
        self.id, self.snapshot = keys.id, keys.snapshot
        numbers = [c for c in columns if c.guess == "number" and c is not self.id]
        paid = [c for c in numbers if c.mean is not None and c.mean > 0]  # but for a damaged cell
        self.value = _best("value", [c for c in paid if c.distinct > LEVELS or not c.whole])
        self.tenure = _best("tenure", paid)
        starts = [c for c in dates if c is not self.end and c.name not in moving]
        self.since = None if self.tenure else _best("since", starts)
        self.first_name = _best("first_name", [c for c in columns if may_be_first_name(c)])
        words = [c for c in columns if c.guess in ("category", "text")]
        self.zone, self.language = _best("zone", words), _best("language", words)
        used = {self.label, self.end, self.id, self.snapshot, self.value, self.tenure, self.since}
        self.flags = find_flags([c for c in columns if c not in used])
        self.answer = self.offered = self.whom = None
        if not (self.label or self.end):
            rest = [c for c in columns if c not in (*used, *self.flags.columns())]
            of_few = [c for c in rest if c in two or c in marked or accepted_in(c)]
            self.answer = _best("answer", of_few)
            few = [c for c in rest if 1 < c.distinct <= LEVELS and c is not self.answer]
            self.offered = _best("offered", few) if self.answer else None
            again = [c for c in rest if c.guess == "text"]  # an id that names no row
            self.whom = _best("id", again) if self.answer else None
        self.no_features = {
            *(self.answer, self.offered),
            *(self.label, self.end, self.id, self.snapshot, self.since),
            *(self.first_name, self.zone, self.language, *self.flags.columns()),
        }

    def kind(self, column: ColumnProfile) -> str:
        """The profile's guess; numbers are a code or in order where their name says so."""
        if says_yes_or_no(column) or one_word(column):
            return "flag"
        if column.guess != "number" or not column.whole or column in (self.value, self.tenure):
            return column.guess
        low, high = column.low, column.high
        if says(column.name, "code") and not _is_limit(column):
            return "category"
        whole_range = low is not None and high is not None and column.distinct == high - low + 1
        ranked = says(column.name, "ranked") and whole_range and column.distinct <= LEVELS
        return "ordered" if ranked else "number"

    def leaks(self, connection: duckdb.DuckDBPyConnection, marks: Marks) -> list[Leak]:
        """Columns that seem to know the outcome; by their names alone where it isn't known.

        With snapshots by another half of the customers, not of the rows: else whatever names a
        customer would know from their other rows who leaves.
        """
        label = self.label or self.end
        candidates, values = [], ["row"]
        several = bool(self.id and self.snapshot)
        if self.id and self.snapshot:
            values = [f"{word(self._cell(self.id))} AS row"]
        known = (self.label, self.end, self.id, self.snapshot)
        for column in self.columns:
            if column in known or column.guess == "empty":
                continue
            if column.guess == "constant" and not one_word(column):
                continue
            i, numeric = self.places[column.name], column.guess == "number"
            candidates.append(Candidate(column.name, f"u{i}", numeric, "unused"))
            cell = f"nullif({trimmed(f'c{i}')}, '')"
            value = number(f"c{i}", marks.of(column.name)) if numeric else cell
            values.append(f"{value} AS u{i}")
        reasons = [
            Leak(c.name, c.role, "name", "it may be why they left")
            for c in candidates
            if says(c.name, "reason", whole=True)
        ]
        if label is None:
            return reasons + [
                Leak(c.name, c.role, "name", "its name says that it comes afterwards")
                for c in candidates
                if comes_afterwards(c.name)
            ]
        cell = self._cell(label)
        yes = f"{trimmed(cell)} <> ''"
        if label is not self.end:
            yes = f"{word(cell)} = {word(text(yes_of(label)))}"
        elif self.snapshot:  # within the horizon that the draft has
            seen = date(self._cell(self.snapshot), marks.dates)
            yes = f"{date(cell, marks.dates)} <= {seen} + INTERVAL 1 MONTH"
        left = f"coalesce({yes}, false)"
        values.append(f"{left} AS outcome")
        if self.id and self.snapshot:
            who, seen = word(self._cell(self.id)), date(self._cell(self.snapshot), marks.dates)
            end = date(cell, marks.dates) if label is self.end else None
            values += first_rows(who, seen, left, end)
        connection.execute(f"CREATE TABLE values AS SELECT {', '.join(values)} FROM cells")
        found = find_leaks(
            connection, "values", "outcome", candidates, several=several, snapshots=several
        )
        return [*found, *reasons]

    def _cell(self, column: ColumnProfile) -> str:
        return f"c{self.places[column.name]}"

    def left_out(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """Column -> why the first contract leaves it out."""
        reasons: dict[str, str] = {}
        used = {*self.no_features, self.value, self.tenure}
        for leak in leaks:
            how = "leaks" if leak.certain else "may leak"
            reasons.setdefault(leak.column, f"{how}: {leak.why}")
        for column in self.columns:
            if column in used:
                reasons.pop(column.name, None)
            elif column in self.flags.unsure:
                reasons[column.name] = UNDECIDED
            elif column.name in reasons:
                continue
            elif column.guess == "empty":
                reasons[column.name] = "empty"
            elif column.guess == "constant" and not one_word(column):
                where = "wherever it is known" if column.missing else "in every row"
                reasons[column.name] = f"the same {where}"
            elif says(column.name, "unfair"):
                reasons[column.name] = "not to be used, for fairness"
            elif column.guess == "date":
                reasons[column.name] = "a date: write what it says about them as a number"
            elif is_name(column, self.personal):
                reasons[column.name] = "a name"
            elif column in self.keys.naming:
                reasons[column.name] = "an identifier"
            elif column.name in self.personal and self.personal[column.name].mostly:
                reasons[column.name] = f"personal: {self.personal[column.name].what}"
            elif column.guess == "text":
                reasons[column.name] = f"text of {column.distinct:,} different values"
        return reasons

    def roles(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """Column -> what it seems to be."""
        one_each = {
            "label": self.label or self.end, "id": self.id, "snapshot": self.snapshot,
            "monthly value": self.value, "tenure": self.tenure or self.since,
            "answer": self.answer, "offer": self.offered,
            "first name": self.first_name, "time zone": self.zone, "language": self.language,
        }  # fmt: skip
        found = {column.name: role for role, column in one_each.items() if column}
        left_out = dict.fromkeys(self.left_out(leaks), "left out")
        kinds = {c.name: self.kind(c) for c in self.columns}
        return {**kinds, **left_out, **self.flags.roles(), **found}

    def hidden(self) -> dict[str, str]:
        """Column -> why none of its cells is shown: they are about single people."""
        found: dict[str, str] = {}
        for column in self.columns:
            if column in (self.label, self.value, self.tenure):
                continue
            if column is self.id:
                found[column.name] = "they name customers"
            elif column is self.first_name or is_name(column, self.personal):
                found[column.name] = "names"
            elif column.name in self.personal:
                found[column.name] = self.personal[column.name].what
            elif column in self.keys.naming:
                found[column.name] = "an identifier"
            elif column.guess == "text":
                found[column.name] = "many different words"
            elif column.guess != "number" and column.name in self.unknown:
                found[column.name] = "remarks among numbers"
            elif column.guess == "date" and column not in (self.snapshot, self.since, self.end):
                born = says(column.name, "unfair")
                found[column.name] = "days of birth" if born else "days in single people's lives"
        return found

    @property
    def which_point(self) -> str:
        """What to decide about points that may be either mark; empty for nothing."""
        unclear = any(c.unclear for c in self.columns if c.guess == "number")
        return "have numbers such as 1.250 decimals, or is it thousands: '.'?" if unclear else ""

    @property
    def which_date(self) -> str:
        """What to decide about how dates are written; empty for nothing."""
        return self.dates.question if self.dates else ""

    def decisions(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """What a person must decide: key of the contract -> the question."""
        found: dict[str, str] = {}
        if asked := "; ".join(filter(None, (self.which_point, self.which_date))):
            found["tables.history.format"] = asked
        if self.unknown:
            found["tables.history.missing"] = what_of(self.unknown)
        if self.totals:
            found["tables.history.leave_out"] = self.totals.question
        if self.answer:
            found["campaign"] = is_it_a_log(self.answer, self.offered, self.whom)
        if not (self.label or self.end):
            found["identity.churned"] = "no column of two values is called churn or the like"
        elif self.label and self.label.distinct > 2:
            yes = yes_of(self.label)
            found["identity.churned"] = f"is whoever isn't {yes} in {self.label.name} there?"
        elif self.label and not means_yes(yes_of(self.label)):
            yes = yes_of(self.label)
            found["identity.churned"] = f"is {yes!r} of {self.label.name} yes?"
        elif self.end:
            found["identity.churned"] = (
                f"did they leave on the day in {self.end.name}, and stay where it is blank?"
            )
        if not self.id:
            found["identity.id"] = (
                "no column names a customer; without one, equal rows are one customer"
            )
        elif is_about_people(self.id, self.personal):
            what = self.personal[self.id.name].what
            found["identity.id"] = f"{what} change: does another column name customers?"
        if self.id and self.snapshot and not self.keys.told:
            found["identity.snapshot"] = (
                f"is each row as of this day? {self.id.name} has one row on each of "
                f"{self.snapshot.distinct:,} days"
            )
        found["identity.horizon_months"] = "within how many months did they leave?"
        found |= self._paid() | self._stayed()
        for name in dict.fromkeys(leak.column for leak in leaks):
            why = "; ".join(leak.why for leak in leaks if leak.column == name)
            found[f"left_out.{name}"] = why
        used = {*self.no_features, self.value, self.tenure}
        left_out = self.left_out(leaks)
        for c in self.columns:
            if c.guess != "number" or c in used or c.name in left_out or c.name in self.personal:
                continue
            if self.kind(c) == "ordered":
                question = f"in order, {c.high:g} the highest? Otherwise kind: category"
            elif self.kind(c) == "category":
                question = "a code by its name; if it counts or measures something, kind: number"
            elif c.whole and c.distinct <= LEVELS:
                question = (
                    f"{c.distinct} numbers from {c.low:g} to {c.high:g}; if they're a code, "
                    "kind: category, or ordered with levels"
                )
            else:
                continue
            found[f"features.{c.name}"] = question
        unsure = {f"left_out.{c.name}": said for c, said in self.flags.unsure.items()}
        return found | self.flags.asked | unsure

    def _paid(self) -> dict[str, str]:
        """Whether the monthly value is what it seems to be."""
        if self.value is None:
            return {"value.monthly": "what they pay in a month: a column, or '[A] / 12 + [B]'"}
        name = self.value.name
        without = self.unpaid.question(name) if self.unpaid else ""
        without = " ".join(filter(None, (self._several(name), without)))
        if says(name, "monthly"):
            return {"value.monthly": without} if without else {}
        last = plain(name).split()[-1]
        alike = [c.name for c in self.columns if c.guess == "number"
                 and plain(c.name).split()[-1:] == [last]]  # fmt: skip
        question = f"is {name} what they pay in a month?"
        if len(alike) > 1:
            question += f" Or all of them: '{' + '.join(f'[{one}]' for one in alike)}'"
        return {"value.monthly": f"{question} {without}".rstrip()}

    def _several(self, name: str) -> str:
        """Whether an amount's column may be in the currencies that another column has."""
        if names_currency(name):
            return ""
        asked = (
            f"{column} has several currencies ({', '.join(codes)}): if {name} is in these, convert "
            "it in a query or a view, or its amounts can't be added up;"
            for column, codes in self.currencies.items()
        )
        return " ".join(asked).removesuffix(";")

    def _stayed(self) -> dict[str, str]:
        """Whether the tenure is in months."""
        if self.tenure is None:
            if self.since:
                return {}
            return {
                "tenure.months": "how long they have been customers: a column of months, or "
                "tenure: {since: a column of dates}"
            }
        name, most = self.tenure.name, self.tenure.high or 0.0
        if says(name, "months") and most <= _LONGEST_TENURE:
            return {}
        in_months = f"'[{name}] / {DAYS_OF_A_MONTH:.2f}'"
        return {"tenure.months": f"is {name} in months? Of days, write {in_months}"}
