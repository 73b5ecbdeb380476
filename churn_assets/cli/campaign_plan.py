"""A plan of `churn campaign` on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from churn_assets.cli.answers import to_json
from churn_assets.cli.report_summary import simulated
from churn_assets.release.bundle import ReleaseError
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.planning.plan import Plan
    from churn_assets.storage.protocol import ArtifactStore

SHOWN_CONTACTS = 20
CENT = 0.01  # amounts are rounded


def words_of(rule: str) -> str:
    """Why customers are left out, in words."""
    from churn_assets.domain.contact_rules import RULES

    return RULES.get(rule, rule.replace("_", " "))


def cost_of(report: Mapping[str, Any]) -> str:
    """What a plan costs, of which budget; only promises, which are kept, can exceed it."""
    cost, budget, paid = report["expected_cost"], report["budget"], report.get("paid", 0.0)
    before = f" ({paid:,.2f} handed over before)" if paid else ""
    if not report["promised"] or cost + paid <= budget + CENT:
        return f"cost {cost:,.2f} of {budget:,.2f}{before}"
    return (
        f"cost {cost:,.2f}{before}, as promised already: more than the budget of {budget:,.2f}, "
        "so nothing is added that costs money"
    )


def show_plan(plan: Plan, status: str, as_json: bool, assumed: Iterable[str] = ()) -> None:
    """Print a plan's report: a summary, what of it is `assumed`, a line a day, and the first
    contacts; or as JSON."""
    report = plan.report
    if as_json:
        typer.echo(to_json(report | {"status": status}), nl=False)
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"Plan {plan.plan_id} ({status}), {report['days'][0]} to {report['days'][-1]}, "
        f"release {report['release_id']}"
    )
    for line in (*_summary(report), *assumed):
        console.print(line, markup=False)  # an id may have brackets in it
    columns = ["day", *report["contacts_a_day"]]
    days = Table(*columns)
    for row in report["by_day"]:
        days.add_row(*(f"{row[name]}" for name in columns))
    console.print(days)
    for rule, count in report["excluded"].items():
        console.print(f"{count:,} left out: {words_of(rule)}")
    console.print(_first_contacts(plan))
    if plan.contacts.num_rows > SHOWN_CONTACTS:
        console.print(
            f"… and {plan.contacts.num_rows - SHOWN_CONTACTS:,} more: churn campaign export"
        )


def assumed_by(store: ArtifactStore, release_id: str) -> Iterator[str]:
    """What of a release's figures rests on no customer's answer; nothing of one that is gone, and
    of one that can't be opened that it can't: its plan is to be seen all the same."""
    registry = ReleaseRegistry(store)
    try:
        if any(record.release_id == release_id for record in registry.records()):
            yield from simulated(registry.manifest(release_id).report)
    except (ReleaseError, ArtifactError) as error:
        yield f"what its release assumes can't be told: {error}"


def _summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Contacts, money and what one more of each would bring, in sentences."""
    yield (
        f"{report['contacts']:,} contacts of {report['customers']:,} customers "
        f"({report['promised']:,} promised before); expected value "
        f"{report['expected_value']:,.2f}, {cost_of(report)}; at most {100 * report['gap']:.2f} % "
        "below the best plan"
    )
    yield from report.get("warnings", ())
    if later := report.get("promised_later"):
        yield f"{later:,} more are promised for later days, and stay promised"
    if (price := report.get("budget_price")) is not None:
        yield f"By the month's budget a unit of money has the price {price:,.2f} (λ)"
    if (tried := report.get("exploration", {})).get("share"):
        yield (
            f"To learn from: {tried['tried']:,} contacts that wouldn't be made, "
            f"{tried['otherwise']:,} with another offer, {tried['left_out']:,} left out"
        )
    more = report["value_of_one_more"]
    yield "One more brings: " + ", ".join(f"{name} {value:,.2f}" for name, value in more.items())


def _first_contacts(plan: Plan) -> Table:
    table = Table("day", "customer", "channel", "offer", "leaves", "worth", "cost")
    for row in plan.contacts.slice(0, SHOWN_CONTACTS).to_pylist():
        table.add_row(
            f"{row['day']}",
            escape(row["customer_id"]),
            row["channel"],
            f"{row['offer_percentage']} %",
            f"{row['churn_risk']:.0%}",
            f"{row['expected_value']:.2f}",
            f"{row['expected_cost']:.2f}",
        )
    return table
