"""What the columns of a table that nobody has described yet seem to be, by names and cells."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from churn_assets.customers.quality.columns import number, text, trimmed, word
from churn_assets.customers.quality.leakage import Candidate, Leak, comes_afterwards, find_leaks
from churn_assets.customers.quality.profile import MOST_LEVELS, ColumnProfile
from churn_assets.customers.reading.numbers import Marks
from churn_assets.domain.cells import as_word

_LABEL = re.compile(
    r"\b(churn(ed)?( (label|value|flag))?|attrition( flag)?|exited|left|is churn|cancell?ed)\b"
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
_FAMILY = re.compile(r"\b((last|family) name|surname|nachname|apellidos?)\b")
_FAIR = re.compile(r"\b(gender|sex|race|ethnicity|religion|nationality|birth\w*|marital)\b")
_OPT_OUT = re.compile(r"\b(opt(ed)? out|do not (contact|mail|call)|unsubscribed|dnc)\b")
_CONSENT = re.compile(r"\b(consent|opt(ed)? in|gdpr)\b")
_STATUS = re.compile(r"\b(status|churn\w*|state)\b")
_ZONE, _LANGUAGE = re.compile(r"\b(time ?zone|tz)\b"), re.compile(r"\b(language|locale)\b")
_LEFT = ("churned", "attrited customer", "left", "exited", "cancelled", "canceled", "former")
_YES = (*_LEFT, "yes", "true", "1", "y", "t")
_CODE = re.compile(r"\b(code|zip|post ?code)$")
_RANKED = re.compile(r"\b(group|band|class|grade|tier|level|rating|bracket|segment)$")
LEVELS = 12  # written out in the contract
_LONGEST_TENURE = 600  # months; more are days


def plain(name: str) -> str:
    """A column's name in lower case, its words apart."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+", " ", name).lower().split())


def _names_rows(column: ColumnProfile) -> bool:
    """Whether a column seems to name its row: some rows may be doubled or damaged."""
    words = column.guess == "text" or (column.guess == "number" and column.whole)
    return words and column.distinct >= 0.98 * column.rows


def _many_words(column: ColumnProfile) -> bool:
    """Whether a column may hold names: as a category does that is none of the small ones."""
    return column.guess in ("category", "text") and column.distinct > MOST_LEVELS


def _family(column: ColumnProfile) -> bool:
    """Whether a column holds names that nobody is greeted by."""
    return bool(_FAMILY.search(plain(column.name)))


def _says_who_left(column: ColumnProfile) -> bool:
    """Whether one of a few words, and one only, is of customers who left."""
    if column.missing or not 2 < column.distinct <= min(LEVELS, len(column.top)):
        return False
    return sum(cell.lower() in _LEFT for cell, _ in column.top) == 1


class Guess:
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
        self.value = self._named(_VALUE, [c for c in paid if c.distinct > LEVELS or not c.whole])
        self.tenure = self._named(_TENURE, paid)
        starts = [c for c in dates if c is not self.end]
        self.since = None if self.tenure else self._named(_SINCE, starts)
        self.first_name = self._named(
            _NAME, [c for c in columns if _many_words(c) and not _family(c)]
        )
        words = [c for c in columns if c.guess in ("category", "text")]
        self.zone, self.language = self._named(_ZONE, words), self._named(_LANGUAGE, words)
        flags = [c for c in columns if c.distinct == 2]
        self.opt_out, self.consent = self._named(_OPT_OUT, flags), self._named(_CONSENT, flags)
        self.no_features = {
            *(self.label, self.end, self.id, self.since),
            *(self.first_name, self.zone, self.language, self.opt_out, self.consent),
        }

    def kind(self, column: ColumnProfile) -> str:
        """The profile's guess; numbers are a code or in order where their name says so."""
        if column.guess != "number" or not column.whole or column in (self.value, self.tenure):
            return column.guess
        name, low, high = plain(column.name), column.low, column.high
        if _CODE.search(name):
            return "category"
        whole_range = low is not None and high is not None and column.distinct == high - low + 1
        ranked = _RANKED.search(name) and whole_range and column.distinct <= LEVELS
        return "ordered" if ranked else "number"

    def _named(
        self, pattern: re.Pattern[str], columns: Sequence[ColumnProfile]
    ) -> ColumnProfile | None:
        """The column whose name fits best: the whole of it before a part."""
        fitting = [c for c in columns if pattern.search(plain(c.name))]
        whole = [c for c in fitting if pattern.fullmatch(plain(c.name))]
        return next(iter(whole or fitting), None)

    def yes(self, column: ColumnProfile) -> str:
        """Which of two cells means yes: by its word, else the rarer one."""
        found = [cell for cell, _ in column.top]
        words = [cell for cell in found if _as_truth(cell) in _YES]
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
        used = {*self.no_features, self.value, self.tenure}
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
            elif _FAIR.search(plain(column.name)):
                reasons[column.name] = "not to be used, for fairness"
            elif _many_words(column) and (_family(column) or _NAME.search(plain(column.name))):
                reasons[column.name] = "a name"
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
        return {**{c.name: self.kind(c) for c in self.columns}, **left_out, **found}

    def decisions(self, leaks: Sequence[Leak]) -> dict[str, str]:
        """What a person must decide: key of the contract -> the question."""
        found: dict[str, str] = {}
        if any(c.unclear for c in self.columns if c.guess == "number"):
            found["tables.history.format"] = (
                "have numbers such as 1.250 decimals, or is it thousands: '.'?"
            )
        if not (self.label or self.end):
            found["identity.churned"] = "no column of two values is called churn or the like"
        elif self.label and self.label.distinct > 2:
            yes = self.yes(self.label)
            found["identity.churned"] = f"is whoever isn't {yes} in {self.label.name} there?"
        elif self.label and _as_truth(self.yes(self.label)) not in _YES:
            yes = self.yes(self.label)
            found["identity.churned"] = f"is {yes!r} of {self.label.name} yes?"
        if not self.id:
            found["identity.id"] = (
                "no column names a customer; without one, equal rows are one customer"
            )
        found["identity.horizon_months"] = "within how many months did they leave?"
        found |= self._paid() | self._stayed()
        for name in dict.fromkeys(leak.column for leak in leaks):
            why = "; ".join(leak.why for leak in leaks if leak.column == name)
            found[f"left_out.{name}"] = why
        used = {*self.no_features, self.value, self.tenure}
        left_out = self.left_out(leaks)
        for c in self.columns:
            if c.guess != "number" or c in used or c.name in left_out:
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
        return found

    def _paid(self) -> dict[str, str]:
        """Whether the monthly value is what it seems to be."""
        if self.value is None:
            return {"value.monthly": "what they pay in a month: a column, or '[A] / 12 + [B]'"}
        name = self.value.name
        if re.search(r"\bmonth|\bmrr\b|\barpu\b", plain(name)):
            return {}
        last = plain(name).split()[-1]
        alike = [c.name for c in self.columns if c.guess == "number"
                 and plain(c.name).split()[-1:] == [last]]  # fmt: skip
        question = f"is {name} what they pay in a month?"
        if len(alike) > 1:
            question += f" Or all of them: '{' + '.join(f'[{one}]' for one in alike)}'"
        return {"value.monthly": question}

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
        if "month" in plain(name) and most <= _LONGEST_TENURE:
            return {}
        return {"tenure.months": f"is {name} in months? Of days, write '[{name}] / 30.4'"}


def _as_truth(cell: str) -> str:
    """A cell as a word that may mean yes: `True.` is true."""
    return as_word(cell).rstrip(".")
