"""`churn campaign`: who is contacted in the next days, from draft to hand-over."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from churn_assets.campaign.config import MOST_MONEY
from churn_assets.cli.answers import to_json
from churn_assets.cli.campaign_plan import assumed_by, show_plan, words_of
from churn_assets.cli.errors import PlainErrors
from churn_assets.cli.imports import (
    Force,
    Noted,
    fields_named,
    importing,
    noting,
    refuse_nobodys,
    report_import,
)
from churn_assets.cli.releases import open_registry
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    from churn_assets.campaign.sending import HandOver
    from churn_assets.campaign.workflow import Campaigns

LONGEST_NAME = 128  # as the ledger keeps it
STILL = {
    "approved": "approved: its lists go out",
    "draft": "a draft: nobody is contacted by it",
}

app = typer.Typer(
    cls=PlainErrors,
    help="Who is contacted in the next days, with what and when: plan, approve, export, hand over.",
    no_args_is_help=True,
)

PlanId = Annotated[str | None, typer.Argument(help="a plan's id; default: the newest plan")]
APPROVED = "default: the approved plan, or the newest where none is approved"
InForce = Annotated[str | None, typer.Argument(help=f"a plan's id; {APPROVED}")]

Day = Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="default: today")]
Json = Annotated[bool, typer.Option("--json", help="for programs")]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _named(who: str) -> str:
    if not 0 < len(who.strip()) <= LONGEST_NAME:
        raise typer.BadParameter(f"write a name of up to {LONGEST_NAME} letters")
    return who.strip()


By = Annotated[
    str,
    typer.Option(
        "--by", default_factory=_me, callback=_named, help="who decides it, for the record"
    ),
]


@contextmanager
def _campaigns(*, to_send: bool = False, **changes: Any) -> Iterator[Campaigns]:
    """The settings' campaigns with some limits changed; where somebody is to be contacted by what
    comes of it (`to_send`), on a ledger that knows all that the feedback log does."""
    from churn_assets.campaign.contacts.opening import LateLedger
    from churn_assets.campaign.opening import contract_named, open_campaigns, tell_again

    settings = load_settings()
    config = settings.campaign.model_copy(
        update={name: value for name, value in changes.items() if value is not None}
    )
    ledger = LateLedger(config.ledger.get_secret_value(), settings.home)
    try:
        store, zone = open_registry().store, settings.api.default_time_zone
        if to_send:
            tell_again(store, settings.home, ledger, lambda line: typer.echo(line, err=True))
        yield open_campaigns(
            store,
            ledger.opened(),
            config,
            contract_named(settings.customers),
            zone,
            settings.experiment,
            learn_from_answers=bool(settings.messages.learn_from_answers),
        )
    finally:
        ledger.close()


@app.command()
def plan(
    *,
    budget: Annotated[
        float | None, typer.Option(min=0, max=MOST_MONEY, help="money for the whole plan")
    ] = None,
    contacts: Annotated[
        list[str] | None,
        typer.Option(help="contacts a day, as 800 (all channels in proportion) or email=500"),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=31, help="of the plan")] = None,
    by: By,
    as_json: Json = False,
) -> None:
    """Plan the next days from the latest predictions: a draft, until somebody approves it.

    What isn't given is taken from the settings (CHURN_CAMPAIGN__…).
    """
    limits = {"budget": budget, "days": days, "channels": _channels(contacts)}
    with _campaigns(to_send=True, **limits) as campaigns:
        with Console(stderr=True).status("planning, at most a few minutes …"):
            made = campaigns.plan(campaigns.now(), by)
        assumed = assumed_by(campaigns.store, made.report["release_id"])
        show_plan(made, "draft", as_json, assumed)
        for warning in made.report["warnings"] if as_json else ():
            typer.echo(warning, err=True)


@app.command()
def show(plan_id: PlanId = None, as_json: Json = False) -> None:
    """What a plan holds, what it leaves out and why, and what happened to it."""
    with _campaigns() as campaigns:
        found, status = campaigns.show(plan_id)
        assumed = assumed_by(campaigns.store, found.report["release_id"])
        show_plan(found, status, as_json, assumed)
        if not as_json:
            for step in campaigns.ledger.steps(found.plan_id):
                typer.echo(f"{step.at:%Y-%m-%d %H:%M} UTC  {step.step} by {step.who}")


@app.command()
def status(
    days: Annotated[int, typer.Option(min=1, max=366, help="that are over, and today")] = 14,
    as_json: Json = False,
) -> None:
    """What became of the last days' contacts, and what is promised: a line a day."""
    # Imported here: other commands need nothing of it.
    from churn_assets.campaign.status import status_of
    from churn_assets.cli.campaign_status import show_status

    with _campaigns() as campaigns:
        report = status_of(campaigns, campaigns.now(), days)
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        show_status(report)


@app.command()
def approve(*, plan_id: PlanId = None, by: By) -> None:
    """Approve a draft: its contacts can be exported, and later plans keep them."""
    from churn_assets.campaign.lapsing import lapses

    with _campaigns() as campaigns:
        approved = campaigns.approve(plan_id, by, campaigns.now())
        steps = [step for step in campaigns.ledger.steps(approved) if step.step == "approved"]
        told = lapses(campaigns.show(approved)[0], campaigns.config.max_age_hours)
    typer.echo(f"plan {approved} is approved by {steps[-1].who}")
    if told:
        typer.echo(told)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="the .csv, .parquet or .jsonl file to write")],
    plan_id: Annotated[str | None, typer.Option("--plan", help=APPROVED)] = None,
    day: Day = None,
) -> None:
    """Write a day's contact list, with messages, of those that aren't handed over yet."""
    from churn_assets.campaign.contact_list import FORMATS, write_list

    if file.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"{file}: name it {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    with _campaigns(to_send=True) as campaigns:
        now = campaigns.now()
        found = campaigns.export(plan_id, _day(day, now), now)
        write_list(found.rows, file)
    named = f"contacts of plan {found.plan_id} for {_day(day, now)}"
    typer.echo(f"{len(found.rows)} {named} are in {file}")
    _show_left_out(found.already, found.dropped)


@app.command(name="handed-over")
def handed_over(
    *,
    plan_id: InForce = None,
    day: Day = None,
    by: By,
) -> None:
    """Record that a day's contacts went to the sending system; again, it changes nothing.

    Where the day's list was exported, that is who was in it, at whatever hour.
    """
    with _campaigns(to_send=True) as campaigns:
        now = campaigns.now()
        done = campaigns.hand_over(plan_id, _day(day, now), now, by)
    _show_hand_over(done)


@app.command()
def deliver(*, day: Day = None, by: By) -> None:
    """Put a day's list of the approved plan into CHURN_CAMPAIGN__DELIVER_TO, and hand it over."""
    with _campaigns(to_send=True) as campaigns:
        now = campaigns.now()
        done = campaigns.deliver(_day(day, now), now, by)
    typer.echo(f"plan {done.plan_id}: {done.file or 'nothing is left to send'}")
    _show_hand_over(done.handed_over)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="a .csv, .csv.gz or .parquet file of contacts")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=NAME where the file names a field otherwise"),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            help="of times without an offset; default: the contract's people.default_zone, "
            "else the service's"
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Tell the ledger of contacts that your own system made, so that caps and cooldowns count them.

    Columns: customer_id, occurred_at and, where known, channel, offer_percentage, kind (sent,
    not_sent, accepted, refused, complained, unsubscribed, opted_in, churned; default: sent),
    event_id and decision_id. Reading a file again changes nothing. A file half of whose ids or more
    are nobody's, and half of those nearly a customer's, is refused whole: a spreadsheet may have
    taken their zeros.
    """
    # Imported here: other commands need no pandas.
    from churn_assets.campaign.contacts.importing import ContactRow, import_rows
    from churn_assets.customers.reading.imports import rows_of
    from churn_assets.serving.zones import known_zone, zone_info

    names, noted = fields_named(column), Noted(set(), Counter())
    try:
        zone = zone and known_zone(zone)
    except ValueError as error:
        raise typer.BadParameter(f"--zone: {error}") from error
    with _campaigns() as campaigns, importing(file) as progress:
        now = campaigns.now()
        place = zone_info(zone or campaigns.default_zone)
        if not force:
            refuse_nobodys(rows_of(ContactRow, file, names, progress), campaigns.store)
        rows = rows_of(ContactRow, file, names, progress)
        done = import_rows(noting(rows, noted), campaigns.ledger, place, now)
    report_import(rows, "contacts", done, noted, campaigns.store, campaigns.config.channels)


@app.command()
def cancel(*, plan_id: InForce = None, by: By) -> None:
    """Take a plan back; what was handed over stays in the ledger."""
    with _campaigns() as campaigns:
        typer.echo(f"plan {campaigns.cancel(plan_id, by)} is cancelled")
        for other, status in campaigns.open_plans():
            typer.echo(f"plan {other} is still there, {STILL[status]}")


@app.command()
def forget(
    customer_ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="your own keys of the customers")
    ],
) -> None:
    """Erase customers from ledger, feedback and decision log, as `churn outcomes erase`."""
    from churn_assets.cli.proof.outcomes import erase

    erase(customer_ids)


def _channels(contacts: list[str] | None) -> dict[str, Any] | None:
    """The settings' channels with other contacts a day; None where none are given."""
    from churn_assets.campaign.planning.limits import with_contacts

    if contacts is None:
        return None
    try:
        return with_contacts(load_settings().campaign.channels, contacts)
    except ValueError as error:
        raise typer.BadParameter(f"--contacts: {error}") from error


def _day(day: datetime | None, now: datetime) -> date:
    return now.date() if day is None else day.date()


def _show_hand_over(done: HandOver) -> None:
    typer.echo(f"{done.new} contacts are in the ledger now, {done.already} were there already")
    if done.cancelled:
        typer.echo(f"they are those of plan {done.cancelled}, which is cancelled: its list was out")
    if earlier := done.not_in_newest_list:
        typer.echo(
            f"{earlier} of them only an earlier list of the day had, not the newest: if the newest "
            "alone was sent, report these as not_sent (churn campaign import)"
        )
    _show_left_out(0, done.dropped)


def _show_left_out(already: int, dropped: dict[str, int]) -> None:
    if already:
        typer.echo(f"{already} left out: handed over already")
    for rule, count in sorted(dropped.items()):
        typer.echo(f"{count} left out: {words_of(rule)}")
