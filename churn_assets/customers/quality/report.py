"""What a check of own tables found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from churn_assets.customers.quality.drift import Drift
from churn_assets.customers.quality.judging import Refusals
from churn_assets.customers.quality.leakage import Leak
from churn_assets.customers.quality.said import WITHOUT_CELLS, recorded


@dataclass(frozen=True)
class FileReport:
    """One file: its name, rows, and how it is written (in words; empty for typed tables)."""

    name: str
    rows: int
    written: str


@dataclass(frozen=True)
class ColumnReport:
    """One column of the rows that are used, or whose outcome isn't known yet.

    Attributes:
        column: its name.
        uses: what the contract makes of it.
        missing: share of rows, 0 to 1.
        distinct: different values.
        constant: whether there is one value only.
    """

    column: str
    uses: tuple[str, ...]
    missing: float
    distinct: int
    constant: bool


@dataclass(frozen=True)
class TableReport:
    """One table: `rows` = used + refused + doubled + all that is left out.

    Attributes:
        name: `history`, `active` or `campaign`.
        files: that were read.
        rows, used, refused: counts; of a history, used to learn from and to try on.
        doubled: rows equal to an earlier one in every cell; counted once.
        conflicting: ids in rows that differ; those are refused.
        left_out: reason -> rows, by a rule of the contract or for want of a known outcome.
        refusals: every kind.
        refused_file: where refused rows were written.
        positives: customers who left, or answers to the campaign; None without a label.
        columns: of the contract.
        unmentioned: columns that the contract doesn't speak of; they aren't used.
    """

    name: str
    files: tuple[FileReport, ...]
    rows: int
    used: int
    refused: int
    doubled: int
    conflicting: int
    left_out: dict[str, int]
    refusals: tuple[Refusals, ...]
    refused_file: Path | None
    positives: int | None
    columns: tuple[ColumnReport, ...]
    unmentioned: tuple[str, ...]


@dataclass
class QualityReport:
    """All that a check found; `problems` is empty where nothing needs mending, `notes` are what is
    worth knowing and needs none.

    `still_listed` are the ids of active customers who have left, says the history."""

    contract: str
    tables: list[TableReport] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    still_listed: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def refused(self) -> int:
        """Rows refused in all tables."""
        return sum(table.refused for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        """The report for a program."""
        return self._facts() | {"still_listed": self.still_listed}

    def _facts(self) -> dict[str, Any]:
        tables = {table.name: asdict(table) for table in self.tables}
        for table in tables.values():
            table["refused_file"] = table["refused_file"] and str(table["refused_file"])
        return {
            "contract": self.contract,
            "rows": self.rows,
            "refused": self.refused,
            "leaks": [asdict(leak) for leak in self.leaks],
            "problems": self.problems,
            "notes": self.notes,
            "drift": [asdict(one) for one in self.drift],
            "tables": tables,
        }

    def stored(self, rates: Mapping[str, float] | None) -> dict[str, Any]:
        """The report as it lies beside the typed table, with the label's rates and without the
        list of ids; sound tables' is as that of earlier versions, to the byte."""
        without = {WITHOUT_CELLS: recorded(self.problems)} if self.problems else {}
        return self._facts() | {"positive_rate": rates} | without
