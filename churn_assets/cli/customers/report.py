"""What `churn customers` found, for a person or a program."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from churn_assets.customers.contract.model import Contract
from churn_assets.customers.inspection.inspect import Inspection
from churn_assets.customers.quality.columns import NONE_OF
from churn_assets.customers.quality.drift import NOTABLE
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.quality.report import QualityReport, TableReport

WITHOUT_ID = (
    "Your customers have no id: a row's number is somebody else in the next file, so a control "
    "group would be drawn anew with every file. `churn experiment` needs `identity.id`."
)
MEND = "Mend them in {file}, and name that file in the table's path as well."
MEND_QUERIED = (
    "{file} shows them. They come from a query: mend them in the database, or have the query "
    "({table}'s sql) write them otherwise or leave them out."
)
MEANT = (
    "Of words that are meant, such as a plan's new name, mend the contract: `aliases` of the "
    "feature ({new name: level}), another of its `levels`, or a flag's `yes` and `no`."
)
_MOST_KINDS = 20
_MOST_WORDS = 28  # characters of the values shown


def inspection_json(found: Inspection, out: Path) -> dict[str, Any]:
    """The profile for a program."""
    columns = [{**asdict(c), "guess": found.guesses[c.name]} for c in found.columns]
    for column in columns:
        if why := found.hidden.get(column["name"]):
            column |= {"top": [], "low": None, "high": None, "mean": None, "hidden": why}
    return {
        "contract": str(out),
        "files": found.written,
        "columns": columns,
        "decide": found.decide,
    }


def show_inspection(found: Inspection, out: Path, console: Console) -> None:
    """The profile as a table, and what is to be decided."""
    for line in found.written:
        console.print(line, markup=False, highlight=False)
    table = Table("column", "seems to be", "missing", "distinct", "values")
    for column in found.columns:
        table.add_row(
            escape(column.name),
            found.guesses[column.name],
            f"{column.missing_share:.1%}" if column.missing else "",
            f"{column.distinct:,}",
            escape(_values(column, found.hidden.get(column.name, ""))),
        )
    console.print(table)
    console.print("To decide:", style="bold")
    for line in found.decide:
        console.print(f"  - {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Wrote {out}. Then: churn customers check --contract {out}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def without_id(contract: Contract) -> bool:
    """Whether nobody can be told from one file to the next, which is what `WITHOUT_ID` says."""
    return contract.customers is not None and contract.customers.identity.id is None


def _values(column: ColumnProfile, hidden: str) -> str:
    """What a column holds, or why that isn't shown."""
    if hidden:
        return f"not shown: {hidden}"
    if column.guess == "number":
        return f"{column.low:g} … {column.high:g}, mean {column.mean:.4g}"
    said = ", ".join(cell for cell, _ in column.top)
    return said if len(said) <= _MOST_WORDS else said[: _MOST_WORDS - 1] + "…"


def by_query(contract: Contract) -> set[str]:
    """The contract's tables that a query gives."""
    tables, campaign = contract.tables, contract.campaign
    found = {"history": tables.history, "active": tables.active} if tables else {}
    if campaign:
        found["campaign"] = campaign.table or found.get("history")
    return {name for name, table in found.items() if table and table.sql}


def show_report(
    report: QualityReport, contract: Path, console: Console, queried: Collection[str] = ()
) -> None:
    """The report as tables, the problems last.

    Args:
        contract: its file.
        queried: tables whose rows a query gives (`by_query`).
    """
    console.print(f"{report.contract} ({contract})", style="bold", markup=False, highlight=False)
    for table in report.tables:
        _show_table(table, console, table.name in queried)
    if report.leaks:
        leaks = Table("leak", "contract", "why", title="Leakage", title_justify="left")
        for leak in report.leaks:
            leaks.add_row(escape(leak.column), leak.role, escape(leak.why))
        console.print(leaks)
    _show_drift(report, console)
    for note in report.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if not report.problems:
        console.print("No problems.", style="green")
        return
    console.print(f"{len(report.problems)} to mend:", style="bold red")
    for problem in report.problems:
        console.print(f"  - {problem}", markup=False, highlight=False, soft_wrap=True)


def _show_table(table: TableReport, console: Console, queried: bool) -> None:
    said = [f"{table.rows:,} rows", f"{table.used:,} used"]
    if table.positives is not None and table.used:
        who = "accepted" if table.name == "campaign" else "left"
        said.append(f"{table.positives / table.used:.1%} of them {who}")
    if table.refused:
        said.append(f"{table.refused:,} refused")
    if table.doubled:
        said.append(f"{table.doubled:,} doubled")
    said += [f"{rows:,} left out ({reason})" for reason, rows in table.left_out.items()]
    console.print(f"{table.name}: {', '.join(said)}", markup=False, highlight=False, soft_wrap=True)
    for file in table.files:
        written = f", {file.written}" if file.written else ""
        console.print(
            f"  {file.name}: {file.rows:,} rows{written}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    columns = Table("column", "used as", "missing", "distinct")
    for column in table.columns:
        share = f"{column.missing:.1%}" if column.missing else ""
        columns.add_row(
            escape(column.column), ", ".join(column.uses), share, f"{column.distinct:,}"
        )
    console.print(columns)
    if table.unmentioned:
        names = ", ".join(table.unmentioned)
        console.print(
            f"  Not in the contract, not used: {names}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if table.refusals:
        _show_refusals(table, console, queried)


def _show_refusals(table: TableReport, console: Console, queried: bool) -> None:
    refusals = Table(
        "column", "problem", "rows", "for example", title="Refused", title_justify="left"
    )
    for kind in table.refusals[:_MOST_KINDS]:
        examples = "\n".join(
            f"{_place(table, place, queried)} {'' if cell is None else repr(cell)}".rstrip()
            for place, cell in kind.examples
        )
        refusals.add_row(
            escape(kind.column), escape(kind.problem), f"{kind.rows:,}", escape(examples)
        )
    console.print(refusals)
    if len(table.refusals) > _MOST_KINDS:
        console.print(f"  and {len(table.refusals) - _MOST_KINDS:,} other kinds: see --json")
    mend = MEND_QUERIED if queried else MEND
    console.print(
        f"  {mend.format(file=table.refused_file, table=table.name)}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if any(kind.problem.startswith(NONE_OF) for kind in table.refusals):
        console.print(f"  {MEANT}", markup=False, highlight=False, soft_wrap=True)


def _place(table: TableReport, place: str, queried: bool) -> str:
    """Where a refused row stands; of a query that is its number, the database's URL is long."""
    return f"{table.name}:{place.rpartition(':')[2]}" if queried else place


def _show_drift(report: QualityReport, console: Console) -> None:
    moved = [one for one in report.drift if one.psi >= NOTABLE]
    if not moved:
        return
    table = Table("drift", "stability index", "missing before", "missing now", "unseen words")
    for one in moved:
        table.add_row(
            escape(one.column),
            f"{one.psi:.2f}",
            f"{one.missing_before:.1%}",
            f"{one.missing_now:.1%}",
            f"{one.unseen:.1%}",
        )
    console.print(table)
