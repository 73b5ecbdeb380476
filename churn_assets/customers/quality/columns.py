"""From text cells to values, in SQL: what each column that a contract names has to be.

A cell that is not certainly a value of its column gets a problem, in words that begin with a verb;
nothing is guessed. Blanks around a value and the case of words make no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from churn_assets.customers.contract.expression import columns_of
from churn_assets.customers.contract.model import (
    Campaign,
    Churned,
    Contract,
    Feature,
)
from churn_assets.customers.contract.people import Contact, Flag, YesNo
from churn_assets.customers.contract.tables import DateOrder
from churn_assets.customers.reading.dates import (
    DATED,
    DOTTED,
    ISO_OF,
    NO_DATE,
    SLASHED,
    TO_COME,
    slashed_otherwise,
)
from churn_assets.customers.reading.numbers import AMOUNT, Marks, number_pattern, unclear
from churn_assets.domain.cells import MISSING, TRUTHS, as_word

NONE_OF = "is none of"
Reads = Literal["number", "flag", "words", "levels", "date", "date_or_blank"]

# As the ledger and requests have it: `serving.requests.shared.CustomerId`.
LONGEST_ID = 64
_UNSEEN = r"[\p{C}\p{Zl}\p{Zp}\x{A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]"
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239)"
_DATES = "['%Y-%m-%d', '%Y-%m-%d %H:%M:%S', '%d.%m.%Y']"
_OFFSET = "(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)"
_TIMED = "^([0-9-]+)[T ]([0-9:]+)([.][0-9]+)? ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?$"
_MOMENT = f"[0-9-]+[T ][0-9:]+([.][0-9]+)? ?{_OFFSET}"


OTHER_NO = ("nein", "non", "nee", "nej", "nei", "não", "nao", "nie", "ne", "ei")
"""No in other languages, as companies write it; yes differs too much to be guessed."""


@dataclass(frozen=True)
class Column:
    """How one column of a table is read.

    Attributes:
        name: in the table.
        reads: what its cells are.
        required: whether a cell may not be missing.
        may_lack: whether the table may be without it.
        low, high: of a number.
        yes, no: of a flag, as `as_word` has them; every other cell is no where `no` is empty.
        unclear: of a contact's flag, what a cell that is neither counts as: it costs no row.
        levels: in order, as `as_word` has them.
        aliases: another word -> the level that it means, both so.
        uses: what it is for, for reports.
    """

    name: str
    reads: Reads
    required: bool = True
    low: float | None = None
    high: float | None = None
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    unclear: bool | None = None
    levels: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    may_lack: bool = False
    uses: tuple[str, ...] = field(default=(), compare=False)


def one_spaced(name: str) -> str:
    """A column's name without blanks around it and doubled within: exports add and lose them."""
    return " ".join(name.split())


def _words(cells: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(as_word, cells))


def _feature(name: str, feature: Feature) -> Column:
    match feature.kind:
        case "number":
            low, high = feature.range or (None, None)
            return Column(name, "number", feature.required, low, high, uses=("feature",))
        case "flag":
            yes = _words(feature.yes) or tuple(k for k, v in TRUTHS.items() if v)
            no = _words(feature.no) or tuple(k for k, v in TRUTHS.items() if not v)
            return Column(name, "flag", feature.required, yes=yes, no=no, uses=("feature",))
        case _:
            reads: Reads = "levels" if feature.levels else "words"
            return Column(
                name, reads, feature.required, levels=_words(feature.levels),
                aliases=tuple((as_word(a), as_word(b)) for a, b in feature.aliases.items()),
                uses=("feature",),
            )  # fmt: skip


def _yes_no(column: YesNo, use: str) -> Column:
    yes, no = _words(column.yes), _words(column.no)
    return Column(column.column, "flag", bool(no), yes=yes, no=no, uses=(use,))


def contact_flags(contact: Contact) -> Iterator[tuple[Flag, Column]]:
    """What the contract says and how it is read: of every flag of who may be contacted.

    A cell that is neither yes nor no must not pass for a permission: it counts as opted out, or as
    no consent, and the row is used all the same. Where `no` isn't said, the plain words for it are
    no, unless `yes` is one of them, and a blank is unknown.
    """
    plain_no = {*(cell for cell, truth in TRUTHS.items() if not truth), *OTHER_NO}
    for flag in contact.flags():
        yes = _words(flag.said.yes)
        no = _words(flag.said.no) or (() if plain_no & {*yes} else tuple(sorted(plain_no)))
        yield flag, Column(
            one_spaced(flag.said.column), "flag", bool(flag.said.no), yes=yes, no=no,
            unclear=flag.forbids, uses=(flag.use,),
        )  # fmt: skip


def _numbers(expression: str, use: str) -> Iterator[Column]:
    names = columns_of(expression)
    low = 0.0 if len(names) == 1 and names[0] == expression else None
    return (Column(name, "number", low=low, uses=(use,)) for name in names)


def customer_columns(contract: Contract, labelled: bool) -> list[Column]:
    """The columns that a table of customers needs; with the label where it is the history.

    How to address somebody, and whether, is asked of the table of who is active, where there is
    one: nobody need keep names and consents of years. That one is of today, with a snapshot's date
    or without. None where the contract has no customers.
    """
    if contract.customers is None:
        return []
    found: list[Column] = []
    tables, identity, monthly, tenure = contract.customers
    if identity.id:
        found.append(Column(identity.id, "words", uses=("id",)))
    if identity.snapshot:
        found.append(Column(identity.snapshot, "date", may_lack=not labelled, uses=("snapshot",)))
    if labelled:
        found.append(label_column(identity.churned))
    found += _numbers(monthly.monthly, "value")
    if tenure.months:
        found += _numbers(tenure.months, "tenure")
    if tenure.since:
        found.append(Column(tenure.since, "date", uses=("tenure",)))
    found += [_feature(name, feature) for name, feature in contract.features.items()]
    if not (labelled and tables.active):
        found += _people(contract)
    return _each_once(found)


def _people(contract: Contract) -> Iterator[Column]:
    people = contract.people
    for name in (people.first_name, people.language, people.zone):
        if name:
            yield Column(name, "words", required=False, uses=("people",))
    for _, column in contact_flags(contract.contact):
        yield column


def label_column(churned: Churned) -> Column:
    """The column that says who left."""
    if churned.column is None:
        name = churned.end_date or ""
        return Column(name, "date_or_blank", required=False, uses=("label",))
    yes, no = _words(churned.yes), _words(churned.no)
    return Column(churned.column, "flag", yes=yes, no=no, uses=("label",))


def campaign_columns(campaign: Campaign) -> list[Column]:
    """The columns that a campaign's log needs."""
    levels = _words(campaign.offer.levels)
    found = [
        Column(campaign.offer.column, "levels", levels=levels, uses=("offer",)),
        _yes_no(campaign.outcome, "label"),
        *(_feature(name, feature) for name, feature in campaign.features.items()),
    ]
    if campaign.customer:
        found.append(Column(campaign.customer, "words", uses=("id",)))
    if isinstance(campaign.propensity, str):
        found.append(Column(campaign.propensity, "number", low=0.0, high=1.0, uses=("propensity",)))
    return _each_once(found)


def _each_once(columns: Iterable[Column]) -> list[Column]:
    """Columns of the same name and kind as one, with the tighter needs and all uses; a contact's
    flag by itself, whose yes may be a feature's no, or another channel's."""
    found: dict[tuple[Any, ...], Column] = {}
    for column in columns:
        name = one_spaced(column.name)
        key: tuple[Any, ...] = (name, column.reads)
        if column.unclear is not None:
            key += (column.unclear, column.yes, column.no)
        if before := found.get(key):
            lows = [low for low in (before.low, column.low) if low is not None]
            column = replace(
                before,
                required=before.required or column.required,
                may_lack=before.may_lack and column.may_lack,
                low=max(lows, default=None),
                high=before.high if column.high is None else column.high,
                uses=(*before.uses, *column.uses),
            )
        found[key] = replace(column, name=name)
    return list(found.values())


# --- SQL -----------------------------------------------------------------------------------------


def text(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def listed(values: Iterable[str]) -> str:
    """Strings for SQL's IN."""
    return "(" + ", ".join(map(text, values)) + ")"


def trimmed(cell: str) -> str:
    """The cell without blanks around it."""
    return f"trim({cell}, {_BLANKS})"


def word(cell: str) -> str:
    """The cell as words are compared; `as_word` is the same for a contract's."""
    return rf"regexp_replace(lower({trimmed(cell)}), '^([+-]?[0-9]+)[.]0+$', '\1')"


def is_missing(cell: str, missing: Iterable[str], spelled: Iterable[str] = ()) -> str:
    """Whether the cell holds no value; what is `spelled` out as one isn't missing."""
    blanks = sorted({*MISSING, *_words(missing)} - {*spelled})
    return f"({cell} IS NULL OR {word(cell)} IN {listed(blanks)})"


def is_blank(column: Column, cell: str, missing: Iterable[str]) -> str:
    """Whether the cell holds no value of the column.

    Of a contact's flag an empty cell alone does, where `no` isn't said: a word that the contract
    calls missing, as "n/a", must not pass for a permission.
    """
    if column.unclear is None:
        return is_missing(cell, missing, spelled(column))
    silent = silent_words(column)
    return f"({cell} IS NULL OR {word(cell)} IN {listed(silent)})" if silent else "false"


def silent_words(column: Column) -> list[str]:
    """Of a contact's flag the cells that say nothing, as words are compared (`is_blank`)."""
    return [] if column.required or "" in spelled(column) else [""]


def amount(cell: str) -> str:
    """The cell without blanks around it, and without a currency's sign or code."""
    return rf"regexp_replace({trimmed(cell)}, {text(AMOUNT)}, '\1\2\3')"


def number(cell: str, marks: Marks) -> str:
    """The cell's number, or NULL where it isn't certainly one."""
    plain = amount(cell)
    digits = f"replace({plain}, {text(marks.thousands)}, '')" if marks.thousands else plain
    digits = f"replace({digits}, ',', '.')" if marks.decimal == "," else digits
    fits = f"regexp_full_match({plain}, {text(number_pattern(marks))})"
    return f"CASE WHEN {fits} THEN try_cast({digits} AS DOUBLE) END"


def date(cell: str, written: DateOrder | None, zone: str | None = None) -> str:
    """The cell's date, or NULL where it isn't certainly one; of a time with its offset the day in
    the `zone`, or without one that which is written."""
    plain = rf"regexp_replace({trimmed(cell)}, '{_TIMED}', '\1 \2')"
    plain = rf"regexp_replace({plain}, '^{DOTTED}$', '\1')"
    if written:
        plain = f"regexp_replace({plain}, '^{SLASHED}$', '{ISO_OF[written]}')"
    fits = f"regexp_full_match({plain}, '{DATED}')"
    day = f"CASE WHEN {fits} THEN CAST(try_strptime({plain}, {_DATES}) AS DATE) END"
    if zone is None:
        return day
    moment = f"regexp_full_match({trimmed(cell)}, '{_MOMENT}') AND {day} IS NOT NULL"
    # With a blank before its offset DuckDB takes it for no moment.
    numbered = f"regexp_replace({trimmed(cell)}, '(Z|UTC)$', '+00')"
    close = rf"regexp_replace({numbered}, ' ([+-][0-9:]+)$', '\1')"
    there = f"CAST(timezone({text(zone)}, try_cast({close} AS TIMESTAMPTZ)) AS DATE)"
    return f"CASE WHEN {moment} THEN {there} ELSE {day} END"


def slashed(cell: str) -> str:
    """Whether the cell looks like a date that begins with its day or its month: 01/09/2025."""
    return f"regexp_full_match({trimmed(cell)}, '{SLASHED}')"


def value(column: Column, cell: str, marks: Marks) -> str:
    """The typed value of a cell that isn't missing: DOUBLE, BOOLEAN, DATE or VARCHAR.

    NULL where the cell is none.
    """
    match column.reads:
        case "number":
            return number(cell, marks)
        case "flag" if column.unclear is not None:
            said = word(f"coalesce({cell}, '')")
            return (
                f"CASE WHEN {said} IN {listed(column.yes)} THEN true "
                f"{_is_no(column, said)} ELSE {column.unclear} END"
            )
        case "flag":
            no = (
                f"WHEN {word(cell)} IN {listed(column.no)} THEN false"
                if column.no
                else "ELSE false"
            )
            return f"CASE WHEN {word(cell)} IN {listed(column.yes)} THEN true {no} END"
        case "date" | "date_or_blank":
            return date(cell, marks.dates, marks.zone)
        case "levels":
            also = " ".join(
                f"WHEN {word(cell)} = {text(alias)} THEN {text(level)}"
                for alias, level in column.aliases
            )
            return f"CASE WHEN {word(cell)} IN {listed(column.levels)} THEN {word(cell)} {also} END"
        case "words":
            return trimmed(cell)


def _is_no(column: Column, said: str) -> str:
    return f"WHEN {said} IN {listed(column.no)} THEN false" if column.no else ""


def unclear_cell(column: Column, cell: str) -> str:
    """Whether a cell of a contact's flag is neither yes, no nor unknown."""
    said = word(f"coalesce({cell}, '')")
    known = f"{said} IN {listed((*column.yes, *column.no))}"
    return f"NOT ({is_blank(column, cell, ())} OR {known})"


def as_level(value: str, levels: Iterable[str]) -> str:
    """Of a value as words are compared, the level as the contract writes it."""
    said = " ".join(f"WHEN {text(as_word(one))} THEN {text(one)}" for one in levels)
    return f"CASE {value} {said} END"


def spelled(column: Column) -> tuple[str, ...]:
    """Cells that are values of the column even where they usually mean "missing", as "none"."""
    return (*column.yes, *column.no, *column.levels, *(alias for alias, _ in column.aliases))


def problem(column: Column, typed: str, missing: str, cell: str, marks: Marks) -> str:
    """What is wrong with a cell, or NULL, from its `typed` value and whether it is `missing`."""
    if column.unclear is not None:
        return "NULL"
    blank = text("is blank") if column.required else "NULL"
    cases = [f"WHEN {missing} THEN {blank}"]
    match column.reads:
        case "number":
            for pattern, said in unclear(marks):
                cases.append(f"WHEN {is_amount(cell, pattern)} THEN {text(said)}")
            infinite = f"regexp_full_match(lower({trimmed(cell)}), '[+-]?inf(inity)?')"
            cases.append(
                f"WHEN isinf({typed}) OR ({typed} IS NULL AND {infinite}) THEN 'is infinite'"
            )
            cases.append(f"WHEN {typed} IS NULL THEN 'is not a number'")
            if column.low is not None:
                cases.append(f"WHEN {typed} < {column.low} THEN 'is below {column.low:g}'")
            if column.high is not None:
                cases.append(f"WHEN {typed} > {column.high} THEN 'is above {column.high:g}'")
        case "words" if "id" in column.uses:
            long = f"length({trimmed(cell)}) > {LONGEST_ID}"
            cases.append(f"WHEN {long} THEN 'is longer than {LONGEST_ID} characters'")
            unseen = f"regexp_matches({trimmed(cell)}, {text(_UNSEEN)})"
            cases.append(f"WHEN {unseen} THEN 'has a character that isn''t printable'")
            quoted = f"starts_with({trimmed(cell)}, chr(39))"
            cases.append(f"WHEN {quoted} THEN 'begins with an apostrophe'")
        case "flag" | "levels":
            needed = f"{NONE_OF} {', '.join(spelled(column))}"
            cases.append(f"WHEN {typed} IS NULL THEN {text(needed)}")
        case "date" | "date_or_blank":
            otherwise = text(slashed_otherwise(marks.dates))
            cases.append(f"WHEN {typed} IS NULL AND {slashed(cell)} THEN {otherwise}")
            cases.append(f"WHEN {typed} IS NULL THEN {text(NO_DATE)}")
            if "tenure" in column.uses:  # it is tomorrow already, further east
                cases.append(f"WHEN {typed} > current_date + 1 THEN {text(TO_COME)}")
    return f"CASE {' '.join(cases)} END"


def is_amount(cell: str, pattern: str) -> str:
    """Whether the cell, without blanks and a currency around it, is all of the pattern."""
    return f"regexp_full_match({amount(cell)}, {text(pattern)})"
