"""`churn campaign status` on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

COLUMNS = {
    "day": "day",
    "planned": "planned",
    "handed over": "handed_over",
    "sent": "sent",
    "not reported": "unreported",
    "accepted": "accepted",
    "refused": "refused",
    "opted out": "opted_out",
    "expected": "expected",
    "taken": "taken",
    "list": "list",
}
"""A column's head -> the day's figure in it."""
LISTS = {
    "none": "never handed over",
    "exported": "exported, not handed over",
    "due": "not handed over yet",
}
"""What became of a day's list -> in words, where they are others."""


def show_status(report: Mapping[str, Any]) -> None:
    """Print `status.status_of`'s report: a table with a line a day, and sentences."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table()
    for head, name in COLUMNS.items():
        table.add_column(head, justify="left" if name in ("day", "list") else "right")
    for day in report["days"]:
        table.add_row(*(_cell(name, day[name]) for name in COLUMNS.values()))
    console.print(table)
    missed = [d["day"] for d in report["days"] if d["list"] in ("none", "exported")]
    if missed:
        typer.echo(
            f"Approved, and not handed over: {', '.join(missed)}. If a list went out: "
            "churn campaign handed-over --day DAY"
        )
    if (silent := sum(day["unreported"] for day in report["days"])) > 0:
        typer.echo(f"{silent:,} contacts were handed over and aren't reported as sent")
    if others := report["other_discounts"]:
        typer.echo(f"{others:,.2f} of discounts were accepted besides, of no contact of a plan")
    if month := report["month"]:
        typer.echo(_month(month))


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "?"  # the plan's contacts aren't kept any more
    if name == "list":
        return LISTS.get(value, value)
    return f"{value:,.2f}" if isinstance(value, float) else f"{value}"


def _month(month: Mapping[str, Any]) -> str:
    """The month's budget in a sentence."""
    spent = (
        f"Month {month['month']}: {month['spent']:,.2f} of {month['budget']:,.2f} spent, "
        f"{month['left']:,.2f} left"
    )
    if month["price"] is None:
        return f"{spent}; no price of money is in force"
    return f"{spent}; a unit of money has the price {month['price']:,.2f} (λ)"
