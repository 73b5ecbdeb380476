"""`churn`: the command line of the product. One file per group of commands."""

from __future__ import annotations

import typer

from churn_assets.cli import (
    arena,
    baseline,
    campaign,
    data,
    feedback,
    materialize,
    predict,
    releases,
    report,
    serve,
)
from churn_assets.cli.customers import commands as customers
from churn_assets.cli.errors import PlainErrors
from churn_assets.cli.proof import experiment, outcomes, simulate

app = typer.Typer(
    name="churn",
    cls=PlainErrors,
    help="Customer retention: materialize the asset graph, look at releases, ask for decisions.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals could hold customers' data
)
materialize.register(app)
predict.register(app)
serve.register(app)
report.register(app)
releases.register(app)
arena.register(app)
baseline.register(app)
feedback.register(app)
experiment.register(app)
app.add_typer(campaign.app, name="campaign")
app.add_typer(data.app, name="data")
app.add_typer(outcomes.app, name="outcomes")
app.add_typer(simulate.app, name="simulate")
app.add_typer(customers.app, name="customers")
