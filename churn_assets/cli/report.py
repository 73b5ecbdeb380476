"""`churn report`: what the release in service measures, by area, and how it stands to its gates."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from churn_assets.cli.materialize import records_in
from churn_assets.cli.releases import open_registry
from churn_assets.cli.report_summary import summary_of
from churn_assets.decision.evaluation import gates as policy
from churn_assets.domain.evidence import SHOWN
from churn_assets.domain.paths import absolute
from churn_assets.messages.writing import gates as messages
from churn_assets.release.bundle import ReleaseError, read_manifest
from churn_assets.settings import load_settings
from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from checks.predictors import Gate
    from churn_assets.orchestration.last_run import Stop

RESPONSES = "response_by_level"  # shown as a table of its own
HOLDS, MISSED, WARNS = "[green]holds[/]", "[red]missed[/]", "[yellow]missed (warns)[/]"


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable")] = False,
) -> None:
    """Metrics of the latest release: a summary, then area by area with the gates and whether each
    holds."""
    registry = open_registry()
    if registry.latest() is None:
        _show_unreleased(registry.store, as_json)
        return
    folder = registry.folder()
    manifest = read_manifest(folder)
    if as_json:
        typer.echo(json.dumps(manifest.report, indent=2))
        return
    console = Console(soft_wrap=True)
    sections = {a: section for a, section in manifest.report.items() if isinstance(section, dict)}
    detail = folder / "reports" / "policy_report.json"  # where the policy's gates look
    measured = sections | ({"policy": json.loads(detail.read_bytes())} if detail.is_file() else {})
    gates = {area: gates_by_area(measured[area]).get(area, ()) for area in sections}
    missed = {area: missed_by(gates[area], measured[area]) for area in sections}
    for line in summary_of(manifest, missed):
        console.print(line, highlight=False, markup=False)
    for area, section in sections.items():
        console.print()
        console.print(area_table(area, section, measured[area], gates[area]))
        _show_responses(section, console)


def _show_unreleased(store: ArtifactStore, as_json: bool) -> None:
    """What was measured without a release, and on stderr what kept the last run from making one.

    Raises:
        ReleaseError: nothing was measured; says what to do.
    """
    reports = stage_reports(store)
    stopped = last_stop()
    if not reports:
        todo = f"{stopped.told}; {stopped.todo}" if stopped else ""
        raise ReleaseError(f"there is no release yet: {todo or 'run'} `churn materialize`")
    if stopped:
        typer.echo(f"no release: {stopped.told}", err=True)
    if as_json:
        typer.echo(json.dumps({area: whole[area] for area, whole in reports.items()}, indent=2))
        return
    console = Console(soft_wrap=True)
    campaign = reports.get("accept", {"accept": {}})["accept"].get("campaign")
    told = f"Campaign of {campaign}; no release" if campaign else "No release; what is made so far"
    console.print(told, highlight=False)
    for area, whole in reports.items():
        measured = whole if area == "policy" else whole[area]  # where its gates look
        console.print()
        gates = gates_by_area(measured).get(area, ())
        console.print(area_table(area, whole[area], measured, gates))
        _show_responses(whole[area], console)


def stage_reports(store: ArtifactStore) -> dict[str, dict[str, Any]]:
    """Area -> the report of the stage that measures it, of those whose stage has run: a check may
    have stopped the others, and a contract that has no customers has no release at all."""
    from churn_assets.release.assembly import REPORT_OF

    return {
        area: read_report(store, current_artifact(store, asset))
        for area, asset in REPORT_OF.items()
        if store.read_pointer(asset_pointer(asset)) is not None
    }


def last_stop() -> Stop | None:
    """What keeps, or kept, the last whole run on this machine from its end; None where nothing did,
    or Dagster has no records here."""
    home = Path(os.environ.get("DAGSTER_HOME") or load_settings().home / "dagster")
    if not (home / "dagster.yaml").is_file():
        return None
    os.environ["DAGSTER_HOME"] = str(absolute(home))  # Dagster itself takes absolute paths only
    from churn_assets.orchestration.last_run import what_stopped

    with records_in(home):
        return what_stopped("everything")


def _show_responses(section: Mapping[str, Any], console: Console) -> None:
    """What a company's own log says of each offer, with intervals."""
    rows = section.get(RESPONSES)
    if not rows:
        return
    table = Table(title="response by offer", title_justify="left", title_style="bold", box=None)
    for heading in ("offer", "contacts", "accepted", "rate", "95 %", "more than the least", "p"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        gain = ("", "")
        if "gain" in row:
            low, high = row["gain_interval"]
            gain = f"{row['gain']:+.2%} ({low:+.2%} to {high:+.2%})", f"{row['p_value']:.2g}"
        low, high = row["interval"]
        figures = f"{row['contacts']:,}", f"{row['accepted']:,}", f"{row['rate']:.2%}"
        offer = f"{row['gives']:g} {section['unit']}"
        table.add_row(offer, *figures, f"{low:.2%} to {high:.2%}", *gain)
    console.print(table)


def gates_by_area(measured: Mapping[str, Any]) -> dict[str, Sequence[Gate]]:
    """Area of the report -> its gates; the bound of a spend allows for its standard error."""
    # Imported here: `churn report --json` need not load Dagster.
    from checks import messages as message_checks
    from checks.own_campaign import OWN_ACCEPT_GATES
    from checks.own_customers import OWN_RISK_GATES
    from checks.predictors import ACCEPT_GATES, RISK_GATES, Gate

    def bound(name: str, low: float | None = None, high: float | None = None) -> Gate:
        return Gate(name=name, figure=name, value=lambda area: leaf(area, name), low=low, high=high)

    return {
        "risk": OWN_RISK_GATES if "contract" in measured else RISK_GATES,
        "accept": OWN_ACCEPT_GATES if "campaign" in measured else ACCEPT_GATES,
        "policy": (
            *(
                bound(f"serving.{name}.value", high=policy.most_spend(spend_error(measured, name)))
                for name in ("spend_ratio", "test_spend_ratio")
            ),
            bound("serving.over_contact_rate", high=policy.OVER_CAP),
        ),
        "messages": (
            bound("sft_pass_rate", low=messages.SFT_PASS_RATE),
            bound("ppo_pass_rate", low=messages.PPO_PASS_RATE),
            bound("served_pass_rate", low=1.0),
            bound("rm_accuracy", low=messages.REWARD_ACCURACY),
            Gate(
                name="worst flaw's rm_accuracy",
                figure="accuracy of the reward model on its worst flaw",
                value=lambda area: min(area["rm_accuracy_by_flaw"].values()),
                low=messages.WORST_FLAW_ACCURACY,
            ),
            bound("reward_gain", low=messages.REWARD_GAIN),
            bound("reward_gain_lower", low=messages.REWARD_GAIN_LOWER),
            bound("reward_gain_second_rm", low=0.0),
            bound("win_rate", low=message_checks.WIN_RATE),
            bound("distinct2_ratio", low=message_checks.DISTINCT2_RATIO),
        ),
    }


ONLY_WARN = ("win_rate", "distinct2_ratio")


def spend_error(measured: Mapping[str, Any], name: str) -> float:
    """Standard error of a spend of the policy's report; 0 in reports that have none."""
    return float(measured.get("serving", {}).get(name, {}).get("error", 0.0))


def leaf(tree: Mapping[str, Any], path: str) -> Any:
    """The value at `serving.spend_ratio.value`; raises KeyError where there is none."""
    value: Any = tree
    for name in path.split("."):
        value = value[name]
    return value


def area_table(
    area: str, section: Mapping[str, Any], measured: Mapping[str, Any], gates: Sequence[Gate]
) -> Table:
    """The gates of an area with their verdicts, then its other figures.

    Args:
        section: the area's figures in the release's report.
        measured: what its gates look at.
    """
    table = Table(title=area, title_justify="left", title_style="bold", box=None)
    table.add_column("figure", overflow="fold")
    for heading in ("value", "gate", "verdict"):
        table.add_column(heading, overflow="fold")
    for gate in gates:
        table.add_row(gate.name.replace("_", " "), *judged(gate, measured))
    for name, value in flatten(section):
        if name not in {RESPONSES, *(gate.name for gate in gates)}:
            table.add_row(escape(name), escape(value))
    return table


def judged(gate: Gate, measured: Mapping[str, Any]) -> tuple[str, str, str]:
    """A gate's figure, its bounds and its verdict."""
    bounds = [f"{sign} {b:g}" for sign, b in (("≥", gate.low), ("≤", gate.high)) if b is not None]
    try:
        value = gate.value(dict(measured))
        error = gate.error(dict(measured)) if gate.error else 0.0
    except KeyError:  # a release that was made before the gate
        return "–", ", ".join(bounds), "not measured"
    synthetic = gate.data_bound and measured.get("source") == "synthetic"
    missed = WARNS if synthetic or gate.name in ONLY_WARN else MISSED
    if not gate.holds(value, error):
        verdict = missed
    else:  # beyond its bound by no more than chance gives, where it holds all the same
        verdict = HOLDS if gate.holds(value) else f"{HOLDS} (within ± {SHOWN * error:.2g})"
    return f"{value:.4g}", ", ".join(bounds), verdict


def missed_by(gates: Sequence[Gate], measured: Mapping[str, Any]) -> list[str]:
    """Names of the gates that the area's table shows as missed, and which of them only warn."""
    verdicts = {gate.name.replace("_", " "): judged(gate, measured)[2] for gate in gates}
    said = {MISSED: "", WARNS: " (warns)"}
    return [f"{name}{said[verdict]}" for name, verdict in verdicts.items() if verdict in said]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(`captured_uplift_by_preset.mild`, `0.981`) for every leaf of a nested report."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", f"{value:.4g}" if isinstance(value, float) else str(value)
