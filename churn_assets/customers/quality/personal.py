"""Columns whose cells are about single people, whatever their heading: none of them is shown.

E-mail addresses, phone numbers and postal addresses are known by their form, names by nearly all
of them being different. A surname that many bear, in a large table, is like any category: only its
heading tells (`headings`). Days written as whole numbers (19850312) have the calendar's gaps, which
no amount has; whose birthdays or last calls they are, their heading need not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from churn_assets.customers.headings import says
from churn_assets.customers.quality.columns import is_missing, listed, slashed, text, trimmed
from churn_assets.customers.quality.profile import MOST_LEVELS, ColumnProfile
from churn_assets.customers.quality.workspace import one

_LOOKED_AT = 5_000  # cells of a column of many different ones, none of which is shown anyway
_MOST = 0.5  # of the cells have the form: a column of nothing else, but for blanks and remarks
_LONG = 0.9  # of a column's numbers are as long as phone numbers
_LONGEST_NUMBER = 1e8  # nine digits: shorter ones are no phone numbers, or amounts as well...
_CALLED_PHONE = 1e6  # ...but where the heading says so
_NEARLY_ALL = 2 / 3  # of the cells are different
_FEWEST_ROWS = 5  # of a sign: what stands in fewer may be a remark about one customer
_SHORT = r"^[^\s]{1,20}(\s[^\s]{1,20})?$"  # two words, as "not known"; a remark has more
_FIRST_DAY, _LAST_DAY = 18_500_101, 21_001_231  # of whole numbers that are days
_NO_DAYS = ("0", "00000000", "99991231")  # where there is no day, as some systems export it
_ALL_DAYS = 0.99  # of the others: of other numbers as large not one in twenty is a day
_FEW_EACH, _MANY = 5, 12  # rows of a word, on average, where there are many words

_EMAIL = r"(?i)(^|[\s<;,(:])[^\s@<>;,]+@[^\s@<>;,]+[.]\p{L}{2,}"
_ABROAD = r"^\(?\+[0-9][0-9()/. -]{5,}$"
_TRUNK = r"^\(?0[0-9(][0-9()/. -]{5,}$"
_GROUPS = r"^(\([0-9]{2,4}\) ?|[0-9]{2,4}[ ./-])[0-9]{2,4}([ .-][0-9]{2,4}){1,3}$"
_DAY = r"^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"
_LONG_NUMBER, _SHORT_NUMBER = r"^\+?[0-9]{9,15}$", r"^\+?[0-9]{7,15}$"
_STREETS = (  # with a number: "Spring 2024" and "Plan 5" are none
    r"(stra(ss|ß)e|str[.]?|gasse|weg|allee|platz|chaussee|straat|laan|plein|gracht) ?[0-9]+",
    r"(^|[ ,])(rue|avenue|av[.]?|boulevard|bd|chemin|impasse|all(e|é)e|quai|calle|c/|avenida"
    r"|avda[.]?|plaza|paseo|via|viale|piazza|vicolo|rua|travessa|pra(c|ç)a|estrada|alameda)"
    r"[ .]*(\p{L}+[. '-]+)*\p{L}+[ ,]+(n[.°º]? ?)?[0-9]+",
    r"(^|[ ,])[0-9]+( ?[a-z]| bis| ter)?[ ,]+(rue|avenue|av[.]?|boulevard|bd|chemin|impasse|quai)"
    r" \p{L}",
    r"(^|[ ,])[0-9]+[a-z]? (\p{L}+[.]? ){1,4}(street|st|road|rd|avenue|ave|lane|ln|drive|dr|court"
    r"|ct|square|terrace|close|crescent|boulevard|blvd)([., ]|$)",
    r"(^|[ ,])(p[.]? ?o[.]? ?box|postfach|postbus|bo(i|î)te postale|apartado|casella postale)"
    r" ?[0-9]+",
)

EMAILS, PHONES, ADDRESSES = "e-mail addresses", "phone numbers", "postal addresses"
DAYS = "days written as whole numbers"
NAMES = "words that nearly all differ, as names do"


@dataclass(frozen=True)
class Personal:
    """What of a column's cells is about single people.

    Attributes:
        what: in words.
        mostly: whether the column holds little else, so that nothing is to be learnt from it.
    """

    what: str
    mostly: bool


NOBODY: Mapping[str, Personal] = MappingProxyType({})


def find_personal(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile]
) -> dict[str, Personal]:
    """Column of the table `cells` -> what of it is personal; column i is `c{i}`."""
    found = {}
    for i, column in enumerate(columns):
        cell = f"c{i}"
        by_form = _days(connection, column, cell) or _by_form(connection, column, cell)
        if personal := by_form or _by_number(column):
            found[column.name] = personal
    return found


def is_email() -> str:
    """SQL: whether a cell `t` holds an e-mail address."""
    return _has(_EMAIL)


def is_personal() -> str:
    """SQL: whether a cell `t` has the form of an e-mail address, phone number or postal address."""
    forms = (is_email(), *_phone_forms().values(), *_addresses().values())
    return " OR ".join(f"({form})" for form in forms)


def is_sign() -> str:
    """SQL: whether a cell `t` that `n` rows have is a short word of many customers, which says
    nothing about a single one: "unknown", or a level of a category."""
    return f"n >= {_FEWEST_ROWS} AND regexp_matches(t, '{_SHORT}') AND NOT ({is_personal()})"


def _days(
    connection: duckdb.DuckDBPyConnection, column: ColumnProfile, cell: str
) -> Personal | None:
    if column.guess != "number" or not column.whole or (column.high or 0) < _FIRST_DAY:
        return None
    digits = f"regexp_replace({trimmed(cell)}, '[.]0+$', '')"
    within = f"try_cast({digits} AS BIGINT) BETWEEN {_FIRST_DAY} AND {_LAST_DAY}"
    day = f"{within} AND try_strptime({digits}, '%Y%m%d') IS NOT NULL"
    days, none = one(
        connection,
        f"""SELECT count(*) FILTER ({day}), count(*) FILTER ({digits} IN {listed(_NO_DAYS)})
        FROM cells""",
    )
    all_days = days and days >= _ALL_DAYS * (column.known - none)
    return Personal(DAYS, mostly=True) if all_days else None


def _by_form(
    connection: duckdb.DuckDBPyConnection, column: ColumnProfile, cell: str
) -> Personal | None:
    numeric = column.guess == "number"
    if column.guess in ("empty", "flag", "date") or (numeric and not _may_be_phones(column)):
        return None
    most = f"LIMIT {_LOOKED_AT}" if column.guess in ("text", "number") else ""
    forms = _phone_forms() if numeric else {EMAILS: is_email(), **_phone_forms(), **_addresses()}
    counts = ", ".join(f"coalesce(sum(n) FILTER ({form}), 0)" for form in forms.values())
    homes = f"count(*) FILTER ({forms.get(ADDRESSES, 'false')})"
    called = numeric and says(column.name, "call")
    long = f"coalesce(sum(n) FILTER ({_has(_SHORT_NUMBER if called else _LONG_NUMBER)}), 0)"
    rows, long_ones, different, *fitting = one(
        connection,
        f"""SELECT coalesce(sum(n), 0), {long}, {homes}, {counts} FROM
            (SELECT t, count(*) AS n FROM (SELECT {trimmed(cell)} AS t FROM cells
             WHERE NOT {is_missing(cell, ())} {most}) GROUP BY t)""",
    )
    if not rows:
        return None
    rarely_twice = column.distinct >= column.known / 2
    if (rarely_twice or called) and long_ones >= _LONG * rows:
        return Personal(PHONES, mostly=True)
    found = dict(zip(forms, fitting, strict=True))
    many = different > MOST_LEVELS  # as in snapshots, where each stands in several rows
    if not many and found.get(ADDRESSES, 0) >= _FEW_EACH * different:
        found.pop(ADDRESSES, None)  # of products: "Stellplatz 1", "100 GB Drive"
    what, count = max(found.items(), key=lambda each: each[1])
    mostly = count >= _MOST * rows and (what != ADDRESSES or different > _MANY)
    return Personal(what, mostly=mostly) if count else None


def _by_number(column: ColumnProfile) -> Personal | None:
    """By how many of its words are different. Nothing is learnt from a word of one or two rows."""
    if column.guess != "category" or column.distinct <= 2:
        return None
    differ = column.distinct >= _NEARLY_ALL * column.known
    few_each = column.distinct > _MANY and column.known < _FEW_EACH * column.distinct
    return Personal(NAMES, mostly=differ) if differ or few_each else None


def _may_be_phones(column: ColumnProfile) -> bool:
    fewest = _CALLED_PHONE if says(column.name, "call") else _LONGEST_NUMBER
    return column.whole and column.high is not None and column.high >= fewest


def _has(pattern: str) -> str:
    return f"regexp_matches(t, {text(pattern)})"


def _phone_forms() -> dict[str, str]:
    digits = "length(regexp_replace(t, '[^0-9]', '', 'g'))"
    apart = "regexp_matches(t, '[()/. -]')"
    forms = (
        f"{_has(_ABROAD)} AND {digits} BETWEEN 7 AND 15",
        f"{_has(_TRUNK)} AND {digits} BETWEEN (CASE WHEN {apart} THEN 7 ELSE 9 END) AND 15",
        f"{_has(_GROUPS)} AND {digits} BETWEEN 9 AND 13",
    )
    day = f"({slashed('t')} OR {_has(_DAY)})"
    return {PHONES: f"({' OR '.join(f'({form})' for form in forms)}) AND NOT {day}"}


def _addresses() -> dict[str, str]:
    return {ADDRESSES: " OR ".join(_has(f"(?i){street}") for street in _STREETS)}
