"""`churn experiment on|off|status`: the control group, without which nothing can be proved, and
exploration, without which no other policy can be judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from churn_assets.cli.baseline import Switch
from churn_assets.cli.releases import begun_store
from churn_assets.release.switches import experiment as switch
from churn_assets.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command()(experiment)


def experiment(to: Annotated[Switch, typer.Argument()] = Switch.STATUS) -> None:
    """Leave a share of the customers alone, and try the second choice with a few of the others (or
    stop both), so that it can be seen what contacting brings. Servers follow within seconds."""
    everything = load_settings()
    if to is Switch.ON:
        _without_id(everything.customers)  # an error must come before anything has changed
    store, settings = begun_store(), everything.experiment
    if to is not Switch.STATUS:
        switch.switch(store, on=to is Switch.ON)
    said = switch.switched(store)
    own = said is None and switch.own_customers_are_served(store)
    running = switch.in_force(store, settings, own_customers=own)
    by = "the settings" if said is None else f"{store.url}/pointers/{switch.POINTER}"
    if own and settings.enabled is None:
        by = "a company's own customers are served"
    state = "on" if running.enabled else "off"
    typer.echo(
        f"the experiment is {state} ({by}): {running.control_share:.1%} of the customers in the "
        f"control group, draw: {running.draw(datetime.now(UTC))}; the second choice is taken in "
        f"{running.exploration:.1%} of the other decisions"
    )
    if running.enabled and (warning := _without_id(everything.customers)):
        typer.echo(warning, err=True)


def _without_id(contract: Path | None) -> str:
    """What to say where a customer can't be known again, so that no group is one for long; empty
    where they can be, or no contract is named. Raises what `load_contract` raises."""
    from churn_assets.cli.customers.report import WITHOUT_ID, without_id
    from churn_assets.customers.contract.model import load_contract

    return WITHOUT_ID if contract and without_id(load_contract(contract)) else ""
