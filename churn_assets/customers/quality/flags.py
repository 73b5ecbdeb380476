"""Flags whose cells mean yes and no in words that nobody said: what to write in the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import duckdb

from churn_assets.customers.contract.features import Feature
from churn_assets.customers.headings import NO, YES, folded
from churn_assets.customers.quality.columns import (
    OTHER_NO,
    is_missing,
    listed,
    one_spaced,
    trimmed,
    word,
)
from churn_assets.customers.quality.judging import Judged
from churn_assets.customers.quality.said import Said, customers_in, levels
from churn_assets.domain.cells import TRUTHS, listed_cells


def unread_flags(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    features: Mapping[str, Feature],
    missing: Iterable[str],
) -> Iterator[str]:
    """The problem of each flag of whose cells none is understood, as where it says ja and nee, or
    one of two, as where it says j and n.

    A few strange cells are refused, and nothing is wrong with the contract.
    """
    for name, feature in features.items():
        column = one_spaced(name)
        if feature.kind != "flag" or feature.yes or column not in judged.read.columns:
            continue
        cell = f"c{judged.read.columns.index(column)}"
        found = connection.execute(
            f"SELECT min({trimmed(cell)}), count(*), {customers_in(judged)}, "
            f"{word(cell)} IN {listed(TRUTHS)} FROM {judged.name} "
            f"WHERE NOT {is_missing(cell, missing)} GROUP BY {word(cell)} ORDER BY 2 DESC, 1"
        ).fetchall()
        words = [shown for shown, *_ in found]
        strange = [each[:3] for each in found if not each[3]]
        one_of_two = len(words) == 2 and all(len(said) == 1 for said in _two_words(words))
        if strange and (len(strange) == len(words) or one_of_two):
            where = f"{judged.name}: {name}:"
            asked = (
                "neither yes nor no: write in the contract what they mean: "
                f"features.{name}: {{kind: flag, {_proposed(words)}}}"
            )
            yield Said(
                f"{where} {listed_cells([each[:2] for each in strange])} {asked}",
                f"{where} {levels(connection, strange)} {asked}",
            )


def _two_words(cells: list[str]) -> tuple[list[str], list[str]]:
    """Those of two cells that mean yes, and that mean no, in a language that we know."""
    no = [cell for cell in cells if folded(cell) in {*NO, *map(folded, OTHER_NO)}]
    return [cell for cell in cells if folded(cell) in YES], no


def _proposed(cells: list[str]) -> str:
    """What to write of cells: of two whose meanings are known, these; quoted, as any may be what
    YAML reads otherwise. One that is known doesn't tell the other: it may be "unknown"."""
    yes, no = _two_words(cells)
    if len(cells) == 2 and len(yes) == len(no) == 1:
        quoted = (json.dumps(cell, ensure_ascii=False) for cell in (*yes, *no))
        return "yes: {}, no: {}".format(*quoted)
    return "yes: [...], no: [...]"
