"""Whether several files are one table, or tables of different things.

United, the columns of one are missing in all rows of the others, which then look like a sign of who
left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from churn_assets.customers.headings import Meaning, says
from churn_assets.customers.reading.table import ReadFile
from churn_assets.datasets.errors import DataError

_SHARED = 0.5  # of all columns of two files: fewer are of another table
_FEW = 5  # columns: a list of who left has hardly more than who, when and why
_LEAVING: Final[tuple[Meaning, ...]] = ("left", "end", "status")


def hold_together(files: Sequence[ReadFile]) -> None:
    """Check that the files are one table: that they share most columns, and all or none say who
    left.

    Raises:
        DataError: they are several; it says what each looks like.
    """
    leaving = _who_left(files)
    groups: list[list[ReadFile]] = []
    for file in files:
        for group in groups:
            if _alike(file, group[0], leaving):
                group.append(file)
                break
        else:
            groups.append([file])
    if len(groups) < 2:
        return
    said = "; ".join(f"{_names(group)}: {_looks_like(group[0], leaving)}" for group in groups)
    raise DataError(
        f"these are {len(groups)} different tables ({said}). Inspect each by itself, each with its "
        "--out, and put what was found into one contract: tables.history, tables.active, "
        "campaign.table"
    )


def _who_left(files: Sequence[ReadFile]) -> frozenset[str]:
    """The columns that say who left, by their names."""
    columns = dict.fromkeys(name for file in files for name in file.columns)
    found = ([name for name in columns if says(name, meaning)] for meaning in _LEAVING)
    return frozenset(next(filter(None, found), []))


def _alike(file: ReadFile, other: ReadFile, leaving: frozenset[str]) -> bool:
    mine, others = {*file.columns}, {*other.columns}
    same = bool(mine & leaving) == bool(others & leaving)
    return same and len(mine & others) >= _SHARED * len(mine | others)


def _names(group: Sequence[ReadFile]) -> str:
    more = f" and {len(group) - 1:,} more" if len(group) > 1 else ""
    return f"{group[0].name}{more}"


def _looks_like(file: ReadFile, leaving: frozenset[str]) -> str:
    if told := [name for name in file.columns if name in leaving]:
        if len(file.columns) <= _FEW:
            return (
                f"a list of who left, by {told[0]}: first join it to its customers "
                "(docs/own-data.md, One table of today)"
            )
        return f"a history, {told[0]} says who left"
    answer = next((name for name in file.columns if says(name, "answer")), None)
    offered = next((name for name in file.columns if says(name, "offered")), None)
    if answer and offered:
        return f"the log of a campaign, {answer} says what came of {offered}"
    return "customers of whom no column says who left, as the active ones"
