"""Columns of amounts in several currencies: their numbers can't be added up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import duckdb

from churn_assets.customers.headings import plain, says
from churn_assets.customers.quality.columns import is_missing, text, trimmed
from churn_assets.customers.quality.judging import Judged
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.numbers import AMOUNT, CURRENCY

_SIGNS = {"€": "EUR", "euro": "EUR", "euros": "EUR", "Euro": "EUR", "Euros": "EUR", "£": "GBP",
          "$": "USD", "US$": "USD"}  # fmt: skip
_RARER = (
    "AFN|ALL|AMD|AOA|AWG|AZN|BAM|BBD|BDT|BHD|BIF|BMD|BND|BOB|BSD|BTN|BWP|BYN|BZD|CDF|CRC|CUP|CVE|"
    "DJF|DOP|DZD|EGP|ERN|ETB|FJD|FKP|GEL|GHS|GIP|GMD|GNF|GTQ|GYD|HNL|HTG|IQD|IRR|JMD|JOD|KES|KGS|"
    "KHR|KMF|KPW|KWD|KYD|KZT|LAK|LBP|LKR|LRD|LSL|LYD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|MZN|"
    "NAD|NGN|NIO|NPR|OMR|PAB|PGK|PKR|PYG|QAR|RUB|RWF|SBD|SCR|SDG|SHP|SLE|SOS|SRD|SSP|STN|SYP|SZL|"
    "TJS|TMT|TOP|TTD|TZS|UGX|UZS|VES|VUV|WST|XCD|XPF|YER|ZMW|ZWG"
)
"""The other codes of ISO 4217: some are words (ALL, TOP), and tell nothing by themselves."""
_AT_ONCE = 50  # columns in a query


def mixed_currencies(connection: duckdb.DuckDBPyConnection, judged: Judged) -> Iterator[str]:
    """The problem that a column of numbers names more than one currency."""
    for column in judged.columns:
        if column.reads != "number" or column.name not in judged.read.columns:
            continue
        cell = trimmed(f"c{judged.read.columns.index(column.name)}")
        sign = f"regexp_extract({cell}, {text(CURRENCY)})"
        amounts = f"FILTER (regexp_full_match({cell}, {text(AMOUNT)}))"
        (found,) = one(connection, f"SELECT list(DISTINCT {sign}) {amounts} FROM {judged.name}")
        codes = sorted({_SIGNS.get(each, each) for each in found or ()})
        if len(codes) > 1:
            yield (
                f"{judged.name}: {column.name} is in several currencies ({', '.join(codes)}): "
                "write all of it in one"
            )


def mixed_beside(connection: duckdb.DuckDBPyConnection, judged: Judged) -> Iterator[str]:
    """The problem that a column beside those of money says that they are in several currencies."""
    money = [
        column.name
        for column in judged.columns
        if column.reads == "number"
        and ("value" in column.uses or says(column.name, "money"))
        and column.name in judged.read.columns
        and not names_currency(column.name)
    ]
    if not money:
        return
    cells = {name: f"c{i}" for i, name in enumerate(judged.read.columns)}
    for name, codes in currency_columns(connection, judged.name, cells).items():
        yield (
            f"{judged.name}: {name} has several currencies ({', '.join(codes)}), so {_and(money)} "
            "can't be added up: convert them in a query or a view, and name the currency in the "
            f"new column, as in '{money[0]} {codes[0]}'"
        )


def currency_columns(
    connection: duckdb.DuckDBPyConnection, table: str, cells: Mapping[str, str]
) -> dict[str, list[str]]:
    """The columns whose cells are codes or signs of currencies and nothing else, of which there is
    more than one, and their codes.

    Args:
        table: of the cells.
        cells: column -> SQL of its cell.
    """
    names, found = list(cells), dict[str, list[str]]()
    for start in range(0, len(names), _AT_ONCE):
        asked = names[start : start + _AT_ONCE]
        other = [
            f"count(*) FILTER (NOT {is_missing(cells[name], ())} AND NOT "
            f"regexp_full_match({trimmed(cells[name])}, {text(f'{CURRENCY}|{_RARER}')}))"
            for name in asked
        ]
        counts = one(connection, f"SELECT {', '.join(other)} FROM {table}")
        for name in (n for n, count in zip(asked, counts, strict=True) if not count):
            cell = trimmed(cells[name])
            known = f"FILTER (NOT {is_missing(cell, ())})"
            (signs,) = one(connection, f"SELECT list(DISTINCT {cell}) {known} FROM {table}")
            codes = sorted({_SIGNS.get(sign, sign) for sign in signs or ()})
            if len(codes) > 1 and any(re.fullmatch(CURRENCY, code) for code in codes):
                found[name] = codes
    return found


def names_currency(column: str) -> bool:
    """Whether a column's name says its currency, as MRR EUR does: it is all in that one."""
    words = (*column.split(), *plain(column).upper().split())
    return any(re.fullmatch(CURRENCY, word.strip("()[]")) for word in words)


def _and(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
