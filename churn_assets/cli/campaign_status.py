"""`churn campaign status` on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from churn_assets.customers.strangers import first_of
from churn_assets.domain.words import counted

COLUMNS = {
    "\nday": "day",
    "\nplanned": "planned",
    "handed\nover": "handed_over",
    "\nsent": "sent",
    "not\nsent": "not_sent",
    "not\nreported": "unreported",
    "\naccepted": "accepted",
    "\nrefused": "refused",
    "opted\nout": "opted_out",
    "\nexpected": "expected",
    "\ntaken": "taken",
}
"""A column's head -> the day's figure in it."""
WIDEST = 120  # of a narrower screen the lines are longer, and whole
MISSED = {
    "none": "no list went out",
    "exported": "the list was exported and not handed over",
}
"""What became of a day's list -> in words, where somebody has to look."""


def show_status(report: Mapping[str, Any]) -> None:
    """Print `status.status_of`'s report: a table with a line a day, and sentences."""
    screen = Console()
    console = Console(highlight=False, width=max(WIDEST, screen.width))
    table = Table(box=None, pad_edge=False)
    for head, name in COLUMNS.items():
        table.add_column(head, justify="left" if name == "day" else "right")
    for day in report["days"]:
        table.add_row(*(_cell(day[name]) for name in COLUMNS.values()))
    console.print(table)
    for day in report["days"]:
        if (said := MISSED.get(day["list"])) is not None:
            planned = counted(day["planned"], "contact was", "contacts were")
            typer.echo(f"{day['day']}: {planned} approved, and {said}")
    if (never := sum(day["not_sent"] for day in report["days"])) > 0:
        typer.echo(f"Handed over and reported as not sent: {never:,}")
    if (silent := sum(day["unreported"] for day in report["days"])) > 0:
        typer.echo(f"Handed over and not reported as sent: {silent:,}")
    if problem := report.get("problem"):
        typer.echo(f"What discounts cost isn't known, nor the month's budget: {problem}", err=True)
    if others := report["other_discounts"]:
        typer.echo(f"Discounts accepted besides, of no contact of a plan: {others:,.2f}")
    if strangers := report["discounts_of_strangers"]:
        first = first_of(report["strangers"])
        typer.echo(
            f"{strangers:,.2f} of them under ids that the latest predictions don't have, as "
            f"{first}, at the mean of the bills: of who has left since, or of nobody. They count "
            "as spent; of a misspelt id `churn campaign forget` takes it out, then import it anew"
        )
    for name in ("unknown_opt_outs", "answers_missing"):
        if said := report.get(name):
            typer.echo(said)
    if month := report["month"]:
        typer.echo(_month(month))


def _cell(value: Any) -> str:
    if value is None:
        return "?"  # the plan's contacts aren't kept any more, or nobody knows the bills
    return f"{value:,.2f}" if isinstance(value, float) else f"{value}"


def _month(month: Mapping[str, Any]) -> str:
    """The month's budget in a sentence."""
    strangers = month["of_strangers"]
    among = (
        f" ({strangers:,.2f} of it under ids that the predictions don't have)" if strangers else ""
    )
    spent = (
        f"Month {month['month']}: {month['spent']:,.2f} of {month['budget']:,.2f} spent{among}, "
        f"{month['left']:,.2f} left"
    )
    if month["price"] is None:
        return f"{spent}; no price of money is in force"
    return f"{spent}; a unit of money has the price {month['price']:,.2f} (λ)"
