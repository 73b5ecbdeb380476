"""`churn feedback FILE`: what callers reported, as a campaign log for `accept_model`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.domain.words import counted
from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.log import CampaignRows
    from churn_assets.storage.protocol import ArtifactStore


def register(app: typer.Typer) -> None:
    app.command()(feedback)


def feedback(
    file: Annotated[Path, typer.Argument(help="the .parquet, .csv or .csv.gz file to write")],
) -> None:
    """Write the contacts of POST /feedback as a campaign log, with whether they were accepted.

    An offer that no report names is that of the decision. Contacts that nobody has answered within
    CHURN_OUTCOMES__ANSWER_DAYS weren't accepted; younger ones are left out. Features are those of
    the latest predictions. Name the file in CHURN_ACCEPT__CAMPAIGN_LOG to have the next accept
    model learn from it. Answers to what an earlier release offered are counted and left out: a
    level of the model means one percentage.
    """
    # Imported here: other commands need neither pyarrow nor the API's modules.
    from churn_assets.campaign.contacts.log import campaign_rows
    from churn_assets.datasets.errors import DataError
    from churn_assets.predictors.training.campaign_log import write_log
    from churn_assets.release.offers import offers_in_service
    from churn_assets.serving.feedback import open_feedback_log, read_events

    store, settings = open_registry().store, load_settings()
    customers = _customers(store)
    with contextlib.closing(open_feedback_log(store, settings.home)) as log:
        events = read_events(log)
    found = campaign_rows(
        events,
        customers,
        datetime.now(UTC),
        offers_in_service(store).percent,
        _offered(store),
        settings.outcomes.answer_days,
    )
    for said in _left_out(found):
        typer.echo(said, err=True)
    if found.early:
        typer.echo(
            f"{counted(found.early, 'contact')} of the last "
            f"{counted(settings.outcomes.answer_days, 'day')} left out: can still be answered",
            err=True,
        )
    if not found.rows:
        raise fail(
            ValueError(
                f"none of {len(events)} events answers a contact with a present offer: "
                "nothing to write"
            )
        )
    try:
        write_log(found.rows, file)
    except (DataError, OSError) as error:
        raise fail(error) from error
    answered = len(found.rows) - found.unanswered
    silent = f", {found.unanswered} that nobody answered" if found.unanswered else ""
    typer.echo(f"{answered} answered contacts{silent} of {len(events)} events are in {file}")


def _customers(store: ArtifactStore) -> dict[str, dict[str, Any]]:
    """Customer id -> what the latest predictions have of the log's features."""
    import pyarrow.parquet as pq

    from churn_assets.campaign.contacts.log import FEATURES

    file = store.get(current_artifact(store, "predictions")) / "predictions.parquet"
    there = set(pq.read_schema(file).names)  # a contract's customers may have no `partner`
    columns = [name for name in ("customer_id", *FEATURES) if name in there]
    table = pq.read_table(file, columns=columns)
    return {row["customer_id"]: row for row in table.to_pylist()}


def _offered(store: ArtifactStore) -> dict[str, int]:
    """Decision id -> the percentage that it offered, of all contacts in the decision log."""
    from churn_assets.domain.offers import Offers
    from churn_assets.release.offers import offers_by_release
    from churn_assets.serving.decision_log import parts

    log = parts.read(store)
    log = log.filter(log["contact"]).select(["decision_id", "release_id", "offer_level"])
    offers, built_in = offers_by_release(store), Offers()
    return {
        row["decision_id"]: offers.get(row["release_id"], built_in).percent[row["offer_level"]]
        for row in log.to_pylist()
    }


def _left_out(found: CampaignRows) -> Iterator[str]:
    """What of the events is in no row, and why."""
    from churn_assets.serving.events import EARLIEST

    if found.misdated:
        yield (
            f"{counted(len(found.misdated), 'event')} left out: before {EARLIEST:%Y} or in the "
            f"future (first: event {found.misdated[0]})"
        )
    if found.unoffered:
        which = ", ".join(f"{each} %" for each in sorted({*found.unoffered}))
        yield (
            f"{counted(len(found.unoffered), 'answer')} left out: to {which}, which none of "
            "the present offers is, so that the accept model has no level for it"
        )
    if found.untold:
        yield (
            f"{counted(found.untold, 'contact')} left out: nobody said which offer was made, and "
            "no decision of the log names it"
        )
    if found.strangers:
        yield (
            f"{counted(found.strangers, 'answer')} left out: of customers whom the latest "
            "predictions don't have; if they have left, what is learnt is of those who stayed"
        )
