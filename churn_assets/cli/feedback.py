"""`churn feedback FILE`: what callers reported, as a campaign log for `accept_model`."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact


def register(app: typer.Typer) -> None:
    app.command()(feedback)


def feedback(
    file: Annotated[Path, typer.Argument(help="the .parquet, .csv or .csv.gz file to write")],
) -> None:
    """Write the answered contacts of POST /feedback as a campaign log.

    Features are those of the latest predictions. Name the file in CHURN_ACCEPT__CAMPAIGN_LOG to
    have the next accept model learn from it. Answers to what an earlier release offered are counted
    and left out: a level of the model means one percentage.
    """
    # Imported here: other commands need neither pyarrow nor the API's modules.
    import pyarrow.parquet as pq

    from churn_assets.campaign.contacts.log import FEATURES, campaign_rows
    from churn_assets.datasets.errors import DataError
    from churn_assets.predictors.training.campaign_log import write_log
    from churn_assets.release.offers import offers_in_service
    from churn_assets.serving.events import EARLIEST
    from churn_assets.serving.feedback import open_feedback_log

    store = open_registry().store
    folder = store.get(current_artifact(store, "predictions"))
    with contextlib.closing(open_feedback_log(store, load_settings().home)) as log:
        events = [json.loads(event) for event in log.events()]
    file_of = folder / "predictions.parquet"
    there = set(pq.read_schema(file_of).names)  # a contract's customers may have no `partner`
    columns = [name for name in ("customer_id", *FEATURES) if name in there]
    table = pq.read_table(file_of, columns=columns)
    customers = {row["customer_id"]: row for row in table.to_pylist()}
    rows, misdated, unoffered, strangers = campaign_rows(
        events, customers, datetime.now(UTC), offers_in_service(store).percent
    )
    if misdated:
        typer.echo(
            f"{len(misdated)} events left out: before {EARLIEST:%Y} or in the future "
            f"(first: event {misdated[0]})",
            err=True,
        )
    if unoffered:
        which = ", ".join(f"{each} %" for each in sorted({*unoffered}))
        typer.echo(
            f"{len(unoffered)} answers left out: to {which}, which none of the present offers is, "
            "so that the accept model has no level for it",
            err=True,
        )
    if strangers:
        typer.echo(
            f"{strangers} answers left out: of customers whom the latest predictions don't have; "
            "if they have left, what is learnt is of those who stayed",
            err=True,
        )
    if not rows:
        raise fail(
            ValueError(
                f"none of {len(events)} events answers a contact with a present offer: "
                "nothing to write"
            )
        )
    try:
        write_log(rows, file)
    except (DataError, OSError) as error:
        raise fail(error) from error
    typer.echo(f"{len(rows)} answered contacts of {len(events)} events are in {file}")
