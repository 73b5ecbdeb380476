"""`churn baseline on|off|status`: the kill switch that servers see within seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from churn_assets.cli.releases import begun_store
from churn_assets.release.switches import kill_switch


class Switch(StrEnum):
    """What to do with the switch."""

    ON = "on"
    OFF = "off"
    STATUS = "status"


def register(app: typer.Typer) -> None:
    app.command()(baseline)


def baseline(switch: Annotated[Switch, typer.Argument()] = Switch.STATUS) -> None:
    """Have every server decide by rule and write reviewed templates only, or end it; no restart."""
    store = begun_store()
    if switch is not Switch.STATUS:
        kill_switch.set_switch(store, on=switch is Switch.ON)
    state = "on" if kill_switch.is_on(store) else "off"
    typer.echo(f"the baseline is {state} ({store.url}/pointers/{kill_switch.POINTER})")
