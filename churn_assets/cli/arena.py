"""`churn arena A B`: two policies on the same customers and the same luck."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from churn_assets.decision.mdp.actions import Policy

LEARNED = "ppo"


def register(app: typer.Typer) -> None:
    app.command()(arena)


def open_policy(store: ArtifactStore, name: str, preset: str) -> Policy:
    """`ppo`, or a tuned baseline of the preset by its folder's name.

    Raises:
        typer.BadParameter: no such policy; names those there are.
    """
    from churn_assets.decision.policy import load_policy  # here, as below

    if name == LEARNED:
        return load_policy(store.get(current_artifact(store, "decision_policy")) / "policy")
    rules = store.get(current_artifact(store, "baseline_policies")) / preset
    if not rules.is_dir():
        raise typer.BadParameter(
            f"the baselines were not tuned for preset {preset!r}: run `churn materialize` with it"
        )
    known = sorted(folder.name for folder in rules.iterdir() if folder.is_dir())
    if name not in known:
        raise typer.BadParameter(f"no policy {name!r}; there are {', '.join([LEARNED, *known])}")
    return load_policy(rules / name)


def arena(
    a: Annotated[str, typer.Argument(help="`ppo` or the name of a baseline")],
    b: Annotated[str, typer.Argument(help="the policy to compare with")],
    episodes: Annotated[int, typer.Option(min=100, help="simulated customer periods")] = 20_000,
    seed: Annotated[int, typer.Option(help="of the luck that both policies share")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable")] = False,
) -> None:
    """Compare two policies on held-out customers: revenue, uplift, ROI, contacts, violations; in
    periods that begin with a clean sheet, as everything that is measured."""
    # Imported here: `churn --help` need not load NumPy and Gymnasium.
    from churn_assets.decision.evaluation.simulation import compare
    from churn_assets.decision.mdp.customers import Customers
    from churn_assets.decision.mdp.worlds import served_world

    settings = load_settings()
    store = open_store(settings.store_url, cache=settings.home / "cache")
    config = settings.decision
    first, second = (open_policy(store, name, config.preset) for name in (a, b))
    environment = store.get(current_artifact(store, "retention_environment"))
    customers = Customers.load(environment / "test.safetensors")
    world = served_world(environment, config.environment).clean
    result = compare(first, second, customers, world, episodes, seed)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    table = Table(title=f"{episodes:,} periods of the {config.preset} preset, 95 % intervals")
    table.add_column("figure", no_wrap=True)
    for heading in (a, b, f"{a} − {b}"):
        table.add_column(heading, justify="right")
    for figure in result["difference"]:
        cells = [interval(result[side][figure]) for side in ("a", "b", "difference")]
        table.add_row(figure.replace("_", " "), *cells)
    Console().print(table)


def interval(figure: dict[str, float]) -> str:
    """A value, and its 95 % interval on the next line."""
    return f"{figure['value']:.4g}\n[{figure['lower']:.4g}, {figure['upper']:.4g}]"
