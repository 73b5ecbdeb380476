"""`churn outcomes import|report|erase`: what happened after the decisions, and what it proves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn_assets.cli.errors import PlainErrors, fail
from churn_assets.cli.imports import (
    Force,
    Noted,
    fields_named,
    importing,
    noting,
    refuse_nobodys,
    report_import,
)
from churn_assets.cli.releases import begun_store, open_registry
from churn_assets.domain.events import EventKind
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.feed import LedgerFeed
    from churn_assets.storage.protocol import ArtifactStore

SOURCES = {"campaign": "of plans", "api": "of the API", "command": "of churn predict"}
"""What a decision's `source` is called."""

app = typer.Typer(cls=PlainErrors, help=__doc__, no_args_is_help=True)


@contextmanager
def _feedback() -> Iterator[LedgerFeed]:
    """Reported events, of which the contact ledger is told, too."""
    from churn_assets.campaign.contacts.feed import LedgerFeed
    from churn_assets.campaign.contacts.opening import LateLedger
    from churn_assets.campaign.errors import LedgerError
    from churn_assets.serving.feedback import open_feedback_log

    settings = load_settings()
    try:
        ledger = LateLedger(settings.campaign.ledger.get_secret_value(), settings.home)
        try:
            log = LedgerFeed(open_feedback_log(open_registry().store, settings.home), ledger)
            with closing(log):
                yield log
        finally:
            ledger.close()
    except LedgerError as error:
        raise fail(error) from error


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="a .csv, .csv.gz or .parquet file of events")],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=NAME where the file names a field of the event otherwise; before what the "
            "contract's `events` says"
        ),
    ] = None,
    kind: Annotated[
        EventKind | None,
        typer.Option(help="of a file without a kind, as churned for a list of who left"),
    ] = None,
    force: Force = False,
) -> None:
    """Add the events of a file to those of POST /feedback.

    Columns are the fields of POST /feedback: customer_id, kind (or --kind), occurred_at and, where
    known, event_id, channel, decision_id and offer_percentage; others are passed over. A row
    without an event_id is known by what it says. What a file calls them otherwise, and its kinds,
    stands in the contract (`events`). A day alone counts from its midnight, in the contract's
    `people.default_zone`, else the service's. Encoding and delimiter are found out. An answer may
    speak of what an earlier release offered. Reading a file again changes nothing. A file half of
    whose ids or more are nobody's, and half of those nearly a customer's, is refused whole: a
    spreadsheet may have taken their zeros.
    """
    # Imported here: other commands need no pandas.
    from churn_assets.campaign.opening import under_contract
    from churn_assets.customers.contract.events import Events
    from churn_assets.customers.contract.model import load_contract
    from churn_assets.customers.reading.days import Days, date_order_of
    from churn_assets.outcomes.importing import event_rows, record
    from churn_assets.release.offers import offers_in_service, percent_offered
    from churn_assets.serving.zones import zone_info

    settings = load_settings()
    contract = None if settings.customers is None else load_contract(settings.customers)
    said = Events() if contract is None else contract.events
    _, zone = under_contract(settings.campaign, contract, settings.api.default_time_zone)
    days = Days(None if contract is None else date_order_of(contract), zone_info(zone))
    noted = Noted(set(), Counter())
    given = fields_named(column)
    names: dict[str, str] = dict(said.columns.items()) | given
    store = open_registry().store
    if "://" in store.url:  # with a folder, events are kept in the home folder, wherever that is
        store = begun_store()
    percent = tuple(sorted({*offers_in_service(store).percent, *percent_offered(store)}))
    with _feedback() as log, importing(file) as progress:
        agreed = said.columns.keys() - given.keys()
        if not force:
            refuse_nobodys(event_rows(file, names, progress, agreed, kind), store)
        rows = event_rows(file, names, progress, agreed, kind)
        result = record(noting(rows, noted), log, percent, said, days, kind, rows.has("event_id"))
    report_import(rows, "events", result, noted, store, settings.campaign.channels)


@app.command()
def report() -> None:
    """Say what contacting brought until now: the latest `lift_report`."""
    from churn_assets.storage.current import current_artifact, read_report

    store = open_registry().store
    found = read_report(store, current_artifact(store, "lift_report"))
    if later := _reported_since(store):
        typer.echo(
            f"{later:,} events were reported since this was made: `churn materialize --job "
            "measure_outcomes` takes them in"
        )
    typer.echo(found["sentence"])
    if "foretold" in found:  # nobody reported a contact as sent, or it is an older report
        typer.echo(found["foretold"]["sentence"])
    if "counted" in found:  # not in reports of before it was said
        typer.echo(found["counted"])
    if "leaving" in found:  # likewise
        typer.echo(found["leaving"])
    typer.echo(
        f"{found['customers']:,} customers with a known outcome: {found['treated']:,} treated, "
        f"{found['control']:,} control"
    )
    if "effects" in found:
        typer.echo(
            "Side by side as they are (what stands above allows for how the groups differ, and "
            "holds however often one looks):"
        )
    for name, effect in found.get("effects", {}).items():
        typer.echo(
            f"{name:>14}: treated {effect['treated']:.4g}, control {effect['control']:.4g}, "
            f"difference {effect['effect']:+.4g} "
            f"({effect['effect_lower']:+.4g} to {effect['effect_upper']:+.4g})"
        )
    if "by_customer" in found:  # not in reports of before it was asked
        typer.echo(found["by_customer"]["sentence"])
    if sources := found.get("basis", {}).get("sources"):  # likewise
        largest = sorted(sources.items(), key=lambda source: -source[1])
        said = ", ".join(f"{count:,} {SOURCES.get(name, name)}" for name, count in largest)
        typer.echo(
            f"Decisions count from {found['basis']['from']} on; customers' first ones are: {said}"
        )
    for line in _not_counted(store, found):
        typer.echo(line)


def _reported_since(store: ArtifactStore) -> int:
    """How many more events there are than the report has read; 0 where it had some that were
    erased since, and where an earlier version made it, which didn't say how many it had read."""
    import json

    from churn_assets.serving.feedback import open_feedback_log
    from churn_assets.storage.current import current_artifact

    told = store.read(current_artifact(store, "campaign_outcomes"), "report.json")
    if not told:
        return 0
    [content] = told.values()
    read: int = json.loads(content)["events"]
    ids: list[str] = []

    def counted(part: Collection[str]) -> Collection[str]:
        ids.extend(part)
        return part  # all are known: no content is fetched

    with closing(open_feedback_log(store, load_settings().home)) as log:
        for _ in log.unknown(counted):
            pass
    return max(0, len(ids) - read)


def _not_counted(store: ArtifactStore, found: Mapping[str, Any]) -> Iterator[str]:
    """What the report doesn't rest on, though it was decided or reported."""
    import json

    from churn_assets.storage.current import current_artifact

    basis = found.get("basis", {})  # not in reports of before it was said
    if looks := basis.get("looks"):
        yield (
            f"{looks:,} decisions of before {basis['from']} aren't counted: they were looks, after "
            "which nobody was reported as contacted before the first plan"
        )
    if others := found.get("of_other_draws"):
        yield (
            f"{others:,} decisions aren't counted: they were made with another control group, as "
            "CHURN_EXPERIMENT__… was another for a time, or is elsewhere"
        )
    if others := basis.get("other_share"):
        yield (
            f"{others:,} customers aren't compared: they were decided on before with another "
            "CHURN_EXPERIMENT__CONTROL_SHARE, and no draw has been made since. To compare "
            "everybody again, draw anew: CHURN_EXPERIMENT__ROTATION_DATES"
        )
    if undrawn := basis.get("without_draw"):
        yield (
            f"{undrawn:,} decisions were made while the experiment was off, "
            f"{basis['control_decided']:,} of them to contact customers of the control group: what "
            "came of them counts, and makes the groups more alike"
        )
    if contaminated := found.get("contaminated"):
        yield f"{contaminated:,} customers of the control group were contacted within their horizon"
    told = store.read(current_artifact(store, "campaign_outcomes"), "report.json")
    for content in told.values():  # none where it was made by an earlier version
        outcomes = json.loads(content)
        if left_out := outcomes["left_out"]:
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in left_out.items())
            yield f"Of {outcomes['events']:,} reported events are left out: {reasons}"


@app.command()
def erase(
    customer_ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="your own keys of the customers")
    ],
) -> None:
    """Remove everything that decision log, feedback and contact ledger hold about customers.

    Exits with 1 where nothing at all is kept about one of them, no customer has the id, and it was
    never erased: it may be misspelt. The others are erased.
    """
    from churn_assets.cli.proof.erasing import erase_all

    with _feedback() as log:
        erase_all(dict.fromkeys(customer_ids), log)
