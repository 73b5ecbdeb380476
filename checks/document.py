"""The page docs/gates.md, a table of all checks from the code; `docs/build.py` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from checks.odds import ALLOWED, BLOCKING, COMPONENTS, Odds
from checks.own_campaign import FOLLOW, LOG_HOLDS, OWN_ACCEPT_GATES
from checks.own_customers import OWN_RISK_GATES, TABLES_HOLD
from checks.predictors import Gate
from churn_assets.domain.evidence import SHOWN, chance_of_a_false_miss
from churn_assets.release.gate import component_of

HEAD = ("asset", "check", "figure", "bound", "statistical error", "chance", "from")


def checks_of(graph: Any) -> list[tuple[dg.AssetCheckKey, bool]]:
    """Every check of an asset graph and whether it blocks, in the order of asset and name."""
    found = [(key, graph.get(key).blocking) for key in graph.asset_check_keys]
    return sorted(found, key=lambda pair: (pair[0].asset_key.to_user_string(), pair[0].name))


def is_component_gate(key: dg.AssetCheckKey) -> bool:
    """Whether the check decides on a component and not on the release."""
    return component_of(f"{key.asset_key.to_user_string()}: {key.name}") is not None


def page(graph: Any) -> str:
    """The page's text for an asset graph (`Definitions.resolve_asset_graph()`)."""
    checks = checks_of(graph)
    blocking = [key for key, blocks in checks if blocks and not is_component_gate(key)]
    gates = [key for key, _ in checks if is_component_gate(key)]
    others = [key for key, blocks in checks if not blocks]
    total = sum(BLOCKING[key.name].chance for key in blocking)
    listed = [f"- {key.asset_key.to_user_string()}: `{key.name}`" for key in others]
    parts = [
        "# Checks of the asset graph",
        "Generated from the code by `python docs/build.py`; a test compares the two.",
        "*Chance* is the probability that the check fails in one run of the whole graph on the "
        "real data although nothing is wrong: because of another training seed, processor or "
        f"sample. A figure with a standard error fails only beyond {SHOWN:g} of them. If the true "
        f"figure lies exactly on its bound, that happens in {chance_of_a_false_miss():.1e} of the "
        "runs; the bounds themselves don't move (`churn_assets/domain/evidence.py`).",
        f"## What stops a release: {len(blocking)} checks",
        f"Together they fail by chance in at most {total:.1e} of the runs (allowed: {ALLOWED:g}).",
        table((key, BLOCKING[key.name]) for key in blocking),
        f"## What decides on a component: {len(gates)} gates",
        "The release is built after them. A policy or message model that misses a gate is not "
        "served: the release takes the champion's last passing component if that still holds "
        "(`release/components.py`), else the best rule or reviewed templates. The manifest, the "
        "report, `/readyz`, a failed check and an alert say so. *Chance* is the probability of an "
        "unnecessary fall-back; it comes from few seeds and is an upper estimate.",
        table((key, COMPONENTS[key.name]) for key in gates),
        f"## On a company's own customers: {len(OWN_RISK_GATES) + 1} checks",
        "If CHURN_CUSTOMERS names a contract, these replace the checks of `telco_customers` and "
        "`risk_model`, whose bounds presuppose IBM's rows. All of them stop a release.",
        "\n".join(_own()),
        f"## On a company's own logged campaign: {len(OWN_ACCEPT_GATES) + 2} checks",
        "If that contract has a campaign, these replace the checks of `bank_contacts` and "
        "`accept_model`, whose bounds presuppose the bank's contacts. All of them stop a release.",
        "\n".join(_own_campaign()),
        f"## What only warns or informs: {len(others)} checks",
        "\n".join(listed),
    ]
    return "\n\n".join(parts) + "\n"


def _own() -> Iterator[str]:
    """A line for each check of a company's own customers."""
    yield f"- customer_history: `tables_hold_the_contract`: {TABLES_HOLD}"
    for gate in OWN_RISK_GATES:
        yield f"- risk_model: `{gate.name}`: {gate.figure} {_bound(gate)}"


def _own_campaign() -> Iterator[str]:
    """A line for each check of a company's own log."""
    yield f"- campaign_contacts: `log_holds_the_contract`: {LOG_HOLDS}"
    yield f"- campaign_contacts: `contacts_follow_their_schema`: {FOLLOW}"
    for gate in OWN_ACCEPT_GATES:
        yield f"- accept_model: `{gate.name}`: {gate.figure} {_bound(gate)}"


def _bound(gate: Gate) -> str:
    """The bound of a gate that has one, and what shows that it is missed."""
    bound = f">= {gate.low:g}" if gate.low is not None else f"<= {gate.high:g}"
    return f"{bound} (missed beyond {SHOWN:g} x its standard error)" if gate.error else bound


def table(rows: Iterable[tuple[dg.AssetCheckKey, Odds]]) -> str:
    """A Markdown table of checks."""
    return "\n".join(_lines(rows))


def _lines(rows: Iterable[tuple[dg.AssetCheckKey, Odds]]) -> Iterator[str]:
    yield "| " + " | ".join(HEAD) + " |"
    yield "|" + "---|" * len(HEAD)
    for key, odds in rows:
        chance = "0" if odds.chance == 0 else f"{odds.chance:.1e}"
        cells = (odds.figure, odds.bound, odds.error, chance, odds.why)
        yield f"| {key.asset_key.to_user_string()} | `{key.name}` | " + " | ".join(cells) + " |"
