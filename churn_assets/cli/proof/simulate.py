"""`churn simulate company`: the whole proof on simulated reactions, in minutes."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from churn_assets.cli.errors import PlainErrors
from churn_assets.cli.releases import open_registry
from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact

app = typer.Typer(cls=PlainErrors, help=__doc__, no_args_is_help=True)


@app.callback()
def simulate() -> None:
    """Try the proof where the truth is known."""


@app.command()
def company(
    weeks: Annotated[int, typer.Option(min=1, max=104)] = 12,
    customers: Annotated[int, typer.Option(min=100)] = 6_000,
    scenario: Annotated[
        list[str] | None, typer.Option(help="assumed, none, harmful; default: all three")
    ] = None,
    control_share: Annotated[float, typer.Option(min=0.05, max=0.5)] = 0.3,
    seed: int = 42,
) -> None:
    """Let the release in service decide for a simulated company, and read the lift every week.

    A simulation: customers react as the release's own models and a scenario say (as assumed, not
    at all, badly). It keeps nothing and touches nothing of yours.
    """
    # Imported here: other commands need neither pandas nor what serves.
    from churn_assets.domain.experiment import ExperimentConfig
    from churn_assets.outcomes.company import Company, run, true_gain
    from churn_assets.outcomes.simulation import WORLDS
    from churn_assets.serving.engine import RetentionEngine
    from churn_assets.serving.feedback import open_feedback_log
    from churn_assets.storage.local import LocalArtifactStore

    wanted: list[Any] = scenario or list(WORLDS)
    if unknown := set(wanted) - set(WORLDS):
        raise typer.BadParameter(f"no scenario {', '.join(sorted(unknown))}")
    registry, settings = open_registry(), load_settings()
    engine = RetentionEngine.load(registry.folder(), settings.api.default_time_zone)
    folder = registry.store.get(current_artifact(registry.store, "predictions"))
    requests = requests_of(folder, engine, customers)
    experiment = ExperimentConfig(enabled=True, control_share=control_share, salt=str(seed))
    for name in wanted:
        with tempfile.TemporaryDirectory() as home:
            store = LocalArtifactStore(Path(home) / "store")
            with closing(open_feedback_log(store, Path(home))) as feedback:
                one = Company(engine, store, feedback, experiment, settings.outcomes)
                found = run(one, requests, name, weeks, seed)
                show(name, found, true_gain(one, name))


def requests_of(predictions: Path, engine: Any, count: int) -> list[Any]:
    """Customers of the latest predictions as requests, with ids of their own; again from the first
    where there are fewer than asked for."""
    import pyarrow.parquet as pq

    model = engine.form.model
    rows = pq.read_table(predictions / "predictions.parquet").slice(0, count).to_pylist()
    known = [{k: v for k, v in row.items() if k in model.model_fields} for row in rows]
    return [
        model.model_validate(known[i % len(known)] | {"customer_id": f"S{i}", "name": "Sam"})
        for i in range(count)
    ]


def show(name: str, weeks: list[Any], truth: float) -> None:
    """Print the weeks of a scenario."""
    table = Table("week", "contacted", "outcomes known", "gain a customer, interval", "verdict")
    for week in weeks:
        always = week.report.get("always_valid")
        interval = (
            f"{always['net']:,.1f} ({always['net_lower']:,.1f} to {always['net_upper']:,.1f})"
            if always
            else "–"
        )
        known = f"{week.report['customers']:,}"
        table.add_row(
            str(week.number), f"{week.contacted:,}", known, interval, week.report["verdict"]
        )
    console = Console(soft_wrap=True)
    console.print(f"scenario {name}: the truth is {truth:,.1f} a customer", highlight=False)
    console.print(table)
    console.print(weeks[-1].report["sentence"], highlight=False)
    if weeks[-1].stopped:
        console.print(f"The kill switch was thrown in week {weeks[-1].number}.", highlight=False)
