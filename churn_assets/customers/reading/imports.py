"""Rows of a file into a log: what the imports of outcomes and of contacts have in common.

A row that can't be read is refused with its number and why; the others are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from churn_assets.customers.reading.rows import BrokenRow, Rows
from churn_assets.domain.plain_errors import own_words
from churn_assets.stages.spec import Progress, silent

Refused = list[tuple[int, str]]
"""Row number from 1, reason."""
T = TypeVar("T")


class Imported(NamedTuple):
    """What became of a file's rows: how many are new, how many were there, which are refused (row
    number from 1, reason), how many are left out as their customers were erased since."""

    stored: int
    known: int
    refused: Refused
    erased: int = 0


def rows_of(
    model: type[BaseModel],
    file: Path,
    columns: Mapping[str, str] | None = None,
    progress: Progress = silent,
    agreed: Collection[str] = (),
    spared: Collection[str] = (),
) -> Rows:
    """The rows of a file with the model's fields; raises what `Rows` raises.

    Args:
        columns: the field -> the file's name of it, where it has another.
        agreed: of these fields, those that are named once and for all files: where a row need not
            say them, a file need not have them.
        spared: fields that the model needs and a file doesn't.
    """
    fields = model.model_fields
    needed = [name for name, f in fields.items() if f.is_required() and name not in spared]
    optional = {*agreed}.difference(needed)
    return Rows(file, needed, tuple(fields), columns, progress, optional=optional)


def in_parts(
    rows: Iterable[Mapping[str, Any] | BrokenRow], read: Callable[[Mapping[str, Any]], T], size: int
) -> Iterator[tuple[list[tuple[int, T]], Refused]]:
    """Of each part of at most `size` rows: those that `read` takes, with their numbers, and those
    that it refuses by a ValueError, whose words are the reason."""
    numbered = enumerate(rows, start=1)
    while part := list(islice(numbered, size)):
        taken: list[tuple[int, T]] = []
        refused: Refused = []
        for number, row in part:
            if isinstance(row, BrokenRow):
                refused.append((number, row.problem))
                continue
            try:
                taken.append((number, read(row)))
            except ValidationError as error:
                refused.append((number, _reasons(error)))
            except ValueError as error:
                refused.append((number, str(error)))
        yield taken, refused


def clash(event_id: str) -> str:
    """Why a row is refused whose id another event has that says something else."""
    return f"another event has the id {event_id}; it stays"


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {own_words(e['msg'])}" for e in found)
