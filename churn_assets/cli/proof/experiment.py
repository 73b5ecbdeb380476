"""`churn experiment on|off|status`: the control group, without which nothing can be proved, and
exploration, without which no other policy can be judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from churn_assets.cli.baseline import Switch
from churn_assets.cli.releases import open_registry
from churn_assets.release.switches import experiment as switch
from churn_assets.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command()(experiment)


def experiment(to: Annotated[Switch, typer.Argument()] = Switch.STATUS) -> None:
    """Leave a share of the customers alone, and try the second choice with a few of the others (or
    stop both), so that it can be seen what contacting brings. Servers follow within seconds."""
    everything = load_settings()
    store, settings = open_registry().store, everything.experiment
    if to is not Switch.STATUS:
        switch.switch(store, on=to is Switch.ON)
    said, running = switch.switched(store), switch.in_force(store, settings)
    by = "the settings" if said is None else f"{store.url}/pointers/{switch.POINTER}"
    state = "on" if running.enabled else "off"
    typer.echo(
        f"the experiment is {state} ({by}): {running.control_share:.1%} of the customers in the "
        f"control group, draw: {running.draw(datetime.now(UTC))}; the second choice is taken in "
        f"{running.exploration:.1%} of the other decisions"
    )
    if running.enabled and everything.customers:
        _say_without_id(everything.customers)


def _say_without_id(contract: Path) -> None:
    """Warn where a customer can't be known again, so that no group is one for long."""
    from churn_assets.cli.customers.report import WITHOUT_ID, without_id
    from churn_assets.customers.contract.model import load_contract

    if without_id(load_contract(contract)):
        typer.echo(WITHOUT_ID, err=True)
