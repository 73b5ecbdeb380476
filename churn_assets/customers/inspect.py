"""A first contract for tables that nobody has described yet, and what a person must decide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml

from churn_assets.customers.contract.tables import Table
from churn_assets.customers.quality.columns import number, text, trimmed, word
from churn_assets.customers.quality.leakage import Candidate, Leak, comes_afterwards, find_leaks
from churn_assets.customers.quality.profile import ColumnProfile, profile
from churn_assets.customers.quality.workspace import cell_of, cells_of, marks_in, workspace
from churn_assets.customers.reading.dialect import Marks, worded
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.reading.table import ReadTable, read_table
from churn_assets.datasets.errors import DataError
from churn_assets.domain.cells import TRUTHS
from churn_assets.domain.contracts import CONTRACTS
from churn_assets.stages.spec import Progress, silent

_LABEL = re.compile(
    r"\b(churn(ed)?( (label|value|flag))?|attrition( flag)?|exited|left|is churn)\b"
)
_ID = re.compile(r"\b(id|key|number|nr|no|uuid|code|msisdn)\b")
_VALUE = re.compile(
    r"\b(monthly (charges?|fee|bill|revenue|amount)|mrr|price|arpu|revenue|charges?)\b"
)
_TENURE = re.compile(
    r"\b(tenure( in)?( months)?|months (as|with|since)|subscription length|account length)\b"
    r"|^months( active)?$"
)
_SINCE = re.compile(
    r"\b(since|start( date)?|joined|join date|signup|signed up|created|registration)\b"
)
_END = re.compile(
    r"\b(end( date)?|churn date|cancel\w*( date)?|terminat\w*( date)?|left (at|on))\b"
)
_NAME = re.compile(r"\b((first|given) name|name|vorname|prenom|nombre)\b")
_FAIR = re.compile(r"\b(gender|sex|race|ethnicity|religion|nationality|birth\w*|marital)\b")
_OPT_OUT = re.compile(r"\b(opt(ed)? out|do not (contact|mail|call)|unsubscribed|dnc)\b")
_CONSENT = re.compile(r"\b(consent|opt(ed)? in|gdpr)\b")
_STATUS = re.compile(r"\b(status|churn\w*|state)\b")
_ZONE, _LANGUAGE = re.compile(r"\b(time ?zone|tz)\b"), re.compile(r"\b(language|locale)\b")
_LEFT = ("churned", "attrited customer", "left", "exited", "cancelled", "canceled", "former")
_YES = (*_LEFT, "yes", "true", "1", "y", "t")
_LEVELS = 12  # written out in the contract


@dataclass(frozen=True)
class Inspection:
    """What was found in tables, and the contract that follows.

    Attributes:
        contract: YAML, with guesses.
        written: how the files are written, a line each.
        columns: profiles.
        guesses: column -> what it seems to be.
        decide: what a person must decide, one line each.
    """

    contract: str
    written: tuple[str, ...]
    columns: tuple[ColumnProfile, ...]
    guesses: dict[str, str]
    decide: tuple[str, ...]


def inspect_tables(paths: Sequence[str], places: Places, progress: Progress = silent) -> Inspection:
    """Profile a table (one or more files of the same columns) and guess its contract.

    Raises:
        DataError: it can't be read.
    """
    table = Table(path=tuple(paths))
    with workspace() as (connection, folder):
        cells = folder / "cells"
        cells.mkdir()
        read = read_table(table, places, cells, progress)
        marks = [marks_in(connection, read, f, list(f.columns), table.format) for f in read.files]
        _unite(connection, read)
        columns = tuple(
            profile(connection, "cells", name, f"c{i}", marks[0])
            for i, name in enumerate(read.columns)
        )
        if not columns:
            raise DataError(f"{paths[0]}: it has no columns")
        guess = _Guess(columns)
        leaks = guess.leaks(connection, marks[0])
    written = [
        f"{file.name}: {file.rows + file.broken:,} rows"
        + (f", {file.dialect.encoding}, delimiter {file.dialect.delimiter!r}, {worded([mark])}"
           if file.dialect else "")
        + (f"; {file.broken:,} lines are no rows" if file.broken else "")
        for file, mark in zip(read.files, marks, strict=True)
    ]  # fmt: skip
    contract = guess.contract(list(paths), leaks)
    return Inspection(
        contract, tuple(written), columns, guess.roles(leaks), tuple(guess.decisions(leaks))
    )


def _unite(connection: duckdb.DuckDBPyConnection, read: ReadTable) -> None:
    parts = [
        "SELECT file, row, "
        + ", ".join(f"{cell_of(file, name)} AS c{i}" for i, name in enumerate(read.columns))
        + f" FROM {cells_of(read, file)}"
        for file in read.files
    ]
    connection.execute(f"CREATE VIEW cells AS {' UNION ALL '.join(parts)}")


def _plain(name: str) -> str:
    """A column's name in lower case, its words apart."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+", " ", name).lower().split())


def _names_rows(column: ColumnProfile) -> bool:
    """Whether a column seems to name its row: some rows may be doubled or damaged."""
    words = column.guess == "text" or (column.guess == "number" and column.whole)
    return words and column.distinct >= 0.98 * column.rows


def _says_who_left(column: ColumnProfile) -> bool:
    """Whether one of a few words, and one only, is of customers who left."""
    if column.missing or not 2 < column.distinct <= min(_LEVELS, len(column.top)):
        return False
    return sum(cell.lower() in _LEFT for cell, _ in column.top) == 1


class _Guess:
    """What the columns of a table seem to be."""

    def __init__(self, columns: Sequence[ColumnProfile]) -> None:
        self.columns = columns
        self.places = {column.name: i for i, column in enumerate(columns)}
        two = [c for c in columns if c.distinct == 2 and not c.missing]
        self.label = self._named(_LABEL, two)
        dates = [c for c in columns if c.guess == "date"]
        ends = [c for c in dates if c.missing]
        self.end = None if self.label else self._named(_END, ends)
        if not (self.label or self.end):
            self.label = self._named(_STATUS, [c for c in columns if _says_who_left(c)])
        unique = [c for c in columns if _names_rows(c)]
        self.id = self._named(_ID, unique) or next((c for c in unique if c.guess == "text"), None)
        numbers = [c for c in columns if c.guess == "number" and c is not self.id]
        paid = [c for c in numbers if c.mean is not None and c.mean > 0]  # but for a damaged cell
        self.value = self._named(_VALUE, [c for c in paid if c.distinct > _LEVELS or not c.whole])
        self.tenure = self._named(_TENURE, paid)
        starts = [c for c in dates if c is not self.end]
        self.since = None if self.tenure else self._named(_SINCE, starts)
        self.first_name = self._named(_NAME, [c for c in columns if c.guess == "text"])
        words = [c for c in columns if c.guess in ("category", "text")]
        self.zone, self.language = self._named(_ZONE, words), self._named(_LANGUAGE, words)
        flags = [c for c in columns if c.distinct == 2]
        self.opt_out, self.consent = self._named(_OPT_OUT, flags), self._named(_CONSENT, flags)

    def _named(
        self, pattern: re.Pattern[str], columns: Sequence[ColumnProfile]
    ) -> ColumnProfile | None:
        """The column whose name fits best: the whole of it before a part."""
        fitting = [c for c in columns if pattern.search(_plain(c.name))]
        whole = [c for c in fitting if pattern.fullmatch(_plain(c.name))]
        return next(iter(whole or fitting), None)

    def yes(self, column: ColumnProfile) -> str:
        """Which of two cells means yes: by its word, else the rarer one."""
        found = [cell for cell, _ in column.top]
        words = [cell for cell in found if cell.lower() in _YES]
        return words[0] if len(words) == 1 else found[-1]

    def leaks(self, connection: duckdb.DuckDBPyConnection, marks: Marks) -> list[Leak]:
        """Columns that seem to know the outcome; by their names alone where it isn't known."""
        label = self.label or self.end
        candidates, values = [], ["row"]
        for column in self.columns:
            if column in (self.label, self.end, self.id) or column.guess in ("empty", "constant"):
                continue
            i, numeric = self.places[column.name], column.guess == "number"
            candidates.append(Candidate(column.name, f"u{i}", numeric, "unused"))
            cell = f"nullif({trimmed(f'c{i}')}, '')"
            values.append(f"{number(f'c{i}', marks) if numeric else cell} AS u{i}")
        if label is None:
            return [
                Leak(c.name, c.role, "name", "its name says that it comes afterwards")
                for c in candidates
                if comes_afterwards(c.name)
            ]
        cell = f"c{self.places[label.name]}"
        yes = f"{trimmed(cell)} <> ''"
        if label is not self.end:
            yes = f"{word(cell)} = {word(text(self.yes(label)))}"
        values.append(f"coalesce({yes}, false) AS outcome")
        connection.execute(f"CREATE TABLE values AS SELECT {', '.join(values)} FROM cells")
        return list(find_leaks(connection, "values", "outcome", candidates))

    def left_out(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """Column -> why the first contract leaves it out."""
        reasons: dict[str, str] = {}
        used = [self.label, self.end, self.id, self.value, self.tenure, self.since]
        used += [self.first_name, self.zone, self.language, self.opt_out, self.consent]
        for leak in leaks:
            reasons.setdefault(leak.column, f"leaks: {leak.why}")
        for column in self.columns:
            if column in used:
                reasons.pop(column.name, None)
            elif column.name in reasons:
                continue
            elif column.guess == "empty":
                reasons[column.name] = "empty"
            elif column.guess == "constant":
                reasons[column.name] = "the same in every row"
            elif column.guess == "date":
                reasons[column.name] = "a date: write what it says about them as a number"
            elif _FAIR.search(_plain(column.name)):
                reasons[column.name] = "not to be used, for fairness"
            elif _names_rows(column):
                reasons[column.name] = "an identifier"
            elif column.guess == "text":
                reasons[column.name] = f"text of {column.distinct:,} different values"
        return reasons

    def roles(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """Column -> what it seems to be."""
        named = {
            "label": self.label or self.end, "id": self.id, "monthly value": self.value,
            "tenure": self.tenure or self.since, "first name": self.first_name,
            "time zone": self.zone, "language": self.language,
            "opt-out": self.opt_out, "consent": self.consent,
        }  # fmt: skip
        found = {column.name: role for role, column in named.items() if column}
        left_out = dict.fromkeys(self.left_out(leaks), "left out")
        return {**{c.name: c.guess for c in self.columns}, **left_out, **found}

    def contract(self, paths: list[str], leaks: Sequence[Leak]) -> str:
        """The contract as YAML, with a comment where a person has to decide."""
        left_out = self.left_out(leaks)
        others = {
            self.label,
            self.end,
            self.id,
            self.since,
            self.first_name,
            self.zone,
            self.language,
            self.opt_out,
            self.consent,
        }
        features = [c for c in self.columns if c not in others and c.name not in left_out]
        lines = [
            "# Made by `churn customers inspect`: guesses. Look at every line that says DECIDE.",
            f"name: {_quoted(Path(paths[0]).name.split('.')[0])}   # DECIDE: your company's name",
            "",
            "tables:",
            "  history:",
            f"    path: {_quoted(paths[0]) if len(paths) == 1 else _flow(paths)}",
            "",
            "identity:",
            *self._identity(),
            "  horizon_months: 1   # DECIDE: within which time they left",
            "",
            self._or_decide("value", "monthly", self.value, "what a customer pays in a month"),
            self._tenure(),
            "",
            "features:",
            *(f"  {_quoted(c.name)}: {_feature(c)}" for c in features),
        ]
        if left_out:
            lines += ["", "left_out:"]
            lines += [f"  {_quoted(name)}: {_quoted(why)}" for name, why in left_out.items()]
        lines += self._messages(features)
        addressed = {"first_name": self.first_name, "zone": self.zone, "language": self.language}
        people = [f"{key}: {_quoted(c.name)}" for key, c in addressed.items() if c]
        if people:
            lines += ["", f"people: {{{', '.join(people)}}}"]
        contact = [
            f"  {key}: {{column: {_quoted(c.name)}, yes: {_quoted(self.yes(c))}}}"
            for key, c in (("opt_out", self.opt_out), ("consent", self.consent))
            if c
        ]
        if contact:
            lines += ["", "contact:", *contact]
        return "\n".join(lines) + "\n"

    def _identity(self) -> list[str]:
        lines = [f"  id: {_quoted(self.id.name)}"] if self.id else [
            "  # DECIDE id: no column names a customer; without one, equal rows are one customer"
        ]  # fmt: skip
        if self.end:
            return [*lines, f"  churned: {{end_date: {_quoted(self.end.name)}}}"]
        if not self.label:
            return [*lines, "  # DECIDE churned: {column: ..., yes: ..., no: ...}"]
        yes = self.yes(self.label)
        others = [cell for cell, _ in self.label.top if cell != yes]
        no = _quoted(others[0]) if len(others) == 1 else _flow(others)
        said = f"{{column: {_quoted(self.label.name)}, yes: {_quoted(yes)}, no: {no}}}"
        return [*lines, f"  churned: {said}"]

    def _messages(self, features: Sequence[ColumnProfile]) -> list[str]:
        """The kinds of contract that the language model knows, where a column has them."""
        for column in features:
            cells = {cell: _plain(cell) for cell, _ in column.top}
            said = {cell: kind for cell, plain in cells.items() for kind in CONTRACTS
                    if plain == _plain(kind)}  # fmt: skip
            if len(said) == len(CONTRACTS) == column.distinct:
                told = ", ".join(f"{_quoted(cell)}: {_quoted(kind)}" for cell, kind in said.items())
                return ["", f"messages: {{{_quoted(column.name)}: {{contract: {{{told}}}}}}}"]
        return []

    def _tenure(self) -> str:
        if self.since:
            return f"tenure: {{since: {_quoted(self.since.name)}}}"
        return self._or_decide("tenure", "months", self.tenure, "how long they have been customers")

    def _or_decide(self, part: str, key: str, column: ColumnProfile | None, what: str) -> str:
        if column:
            return f"{part}: {{{key}: {_quoted(column.name)}}}"
        return f"# DECIDE {part}: {{{key}: ...}}   # {what}"

    def decisions(self, leaks: Sequence[Leak]) -> list[str]:
        """What a person must decide."""
        found = []
        if not (self.label or self.end):
            found.append("identity.churned: no column of two values is called churn or the like")
        elif self.label and self.label.distinct > 2:
            yes = self.yes(self.label)
            found.append(f"identity.churned: is whoever isn't {yes} in {self.label.name} there?")
        elif self.label and self.yes(self.label).lower() not in _YES:
            found.append(f"identity.churned: is {self.yes(self.label)!r} of {self.label.name} yes?")
        if not self.id:
            found.append("identity.id: no column names a customer")
        found.append("identity.horizon_months: within which time they left")
        if not self.value:
            found.append("value.monthly: no column is called monthly charges or the like")
        elif not re.search(r"\bmonth|\bmrr\b|\barpu\b", _plain(self.value.name)):
            found.append(f"value.monthly: is {self.value.name} what they pay in a month?")
        if not (self.tenure or self.since):
            found.append("tenure: no column is called tenure, or is a start date")
        elif self.tenure and "day" in _plain(self.tenure.name):
            found.append(f"tenure.months: is {self.tenure.name} in days? Then write [..] / 30.4")
        for name in dict.fromkeys(leak.column for leak in leaks):
            why = "; ".join(leak.why for leak in leaks if leak.column == name)
            found.append(f"left_out.{name}: {why}")
        found += [
            f"features.{c.name}: {c.distinct} numbers from {c.low:g} to {c.high:g}, or a code?"
            for c in self.columns
            if c.guess == "number" and c.whole and c.distinct <= _LEVELS
            and c not in (self.value, self.tenure, self.label)
        ]  # fmt: skip
        return found


def _feature(column: ColumnProfile) -> str:
    label = f"label: {_quoted(_plain(column.name))}"
    required = ", required: false" if column.missing else ""
    if column.guess == "flag":
        return f"{{kind: flag, {label}{required}}}"
    if column.guess == "number":
        low = "0" if column.low is not None and column.low >= 0 else "null"
        return f"{{kind: number, {label}, range: [{low}, null]{required}}}"
    if column.distinct <= len(column.top) and not all(c.lower() in TRUTHS for c, _ in column.top):
        levels = f", levels: {_flow(sorted(cell for cell, _ in column.top))}"
        return f"{{kind: category, {label}{levels}{required}}}"
    return f"{{kind: category, {label}{required}}}"


def _quoted(word: str) -> str:
    """A word as YAML writes it within braces."""
    return yaml.safe_dump([word], default_flow_style=True, allow_unicode=True, width=10_000)[1:-2]


def _flow(words: Sequence[str]) -> str:
    return "[" + ", ".join(map(_quoted, words)) + "]"
