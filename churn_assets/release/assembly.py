"""From the stages' artifacts to a sealed release folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from churn_assets.release.bundle import (
    Component,
    Manifest,
    code_version,
    collect,
    content_digest,
    write_manifest,
)
from churn_assets.release.components import (
    Champion,
    Chosen,
    World,
    choose_messages,
    choose_policy,
    with_digest,
)
from churn_assets.release.promotion import compare
from churn_assets.serving.engine import RetentionEngine, ServedMessages
from churn_assets.serving.golden import write_golden
from churn_assets.serving.schemas import PredictRequest

REPORT_OF = {
    "risk": "risk_model",
    "accept": "accept_model",
    "policy": "policy_report",
    "messages": "message_bank",
}
BASELINE = "priced_greedy"  # what the kill switch falls back on: the strongest rule
GOLDEN_NAMES = ("Sam", "Zoë", "José María", "O'Brien", "李雷", "Ngọc Anh", "Łukasz", "محمد")
GOLDEN_SEED = 42
PACKAGE = "churn-retention"


@dataclass(frozen=True)
class Gated:
    """The components that may stand in for this build's own."""

    policy: Chosen
    messages: Chosen

    @property
    def components(self) -> dict[str, Component]:
        """Where each comes from, for the manifest."""
        return {"policy": with_digest(self.policy), "messages": with_digest(self.messages)}


def choose(
    missed: Mapping[str, Sequence[str]],
    parts: Mapping[str, Path],
    world: Callable[[], World],
    settings: Mapping[str, Any],
    data: Mapping[str, Any],
    champion: Champion | None,
    work: Path,
) -> Gated:
    """This build's own policy and messages, or what stands in for one that missed a gate.

    Args:
        missed: component -> why it can't go in.
        data: dataset name -> its `dataset.json`.
        work: an empty folder, for what is put together here.

    Raises:
        ReleaseError: neither the champion's nor the fall-back can be served.
    """
    best_rule = _read(parts["policy_report"] / "report.json")["policy"]["best_baseline"]
    policy = choose_policy(
        missed.get("policy", ()), parts, best_rule, world, champion=champion, data=data
    )
    messages = choose_messages(
        missed.get("messages", ()),
        parts["message_bank"],
        settings["messages"],
        work,
        champion=champion,
        data=data,
    )
    return Gated(policy, messages)


def rooms_of(parts: Mapping[str, Path], preset: str, gated: Gated) -> dict[str, Path]:
    """Which folder of which stage fills each room of a release.

    Args:
        parts: asset name -> its artifact's folder.
        preset: the decision environment in force.
    """
    return {
        "risk": parts["risk_model"],
        "accept": parts["accept_model"],
        "policy": gated.policy.room,
        "baseline": parts["baseline_policies"] / preset / BASELINE,
        "messages": gated.messages.room,
    }


def assemble(
    parts: Mapping[str, Path],
    gated: Gated,
    customers: Path,
    out: Path,
    settings: Mapping[str, Any],
    golden_requests: int,
) -> str:
    """Gather models, policies, messages and reports in `out` and add the golden set.

    Args:
        parts: asset name -> folder.
        customers: folder of `telco_customers`, from which golden requests are drawn.
        out: an empty folder.
        settings: every setting in force, as JSON.

    Returns:
        The content's digest.
    """
    rooms = rooms_of(parts, settings["decision"]["preset"], gated)
    collect(rooms, {asset: parts[asset] for asset in REPORT_OF.values()}, out)
    engine = RetentionEngine(
        out,
        release_id="unreleased",
        messages=ServedMessages.model_validate(settings["messages"] | gated.messages.serving),
        default_time_zone=settings["api"]["default_time_zone"],
    )
    requests = draw_requests(customers, golden_requests)
    write_golden(engine, requests, out)
    return content_digest(out)


def seal(
    out: Path,
    gated: Gated,
    *,
    models: Mapping[str, str],
    data: Mapping[str, Any],
    checks: Mapping[str, int],
    settings: Mapping[str, Any],
    champion: Manifest | None,
    sources: Path,
) -> Manifest:
    """Compare the assembled release with the champion and write its manifest.

    Args:
        models: asset name -> sha256 of the artifact that this build made.
        data: dataset name -> its `dataset.json`.
        checks: how many asset checks `passed`, `failed` and `warned`.
        champion: the manifest of the serving release, if there is one.
        sources: the project's root, for the digest of its code.
    """
    components = gated.components
    report = {
        "data": {
            name: {key: facts[key] for key in ("source", "rows", "sha256")}
            for name, facts in data.items()
        },
        **{
            section: _read(out / "reports" / f"{asset}.json")[section]
            for section, asset in REPORT_OF.items()
        },
        "components": {name: component.sentence(name) for name, component in components.items()},
        "checks": dict(checks),
    }
    report["policy"] |= gated.policy.figures
    if gated.messages.component.source != "built":
        report["messages"] = gated.messages.figures
    return write_manifest(
        out,
        models=dict(models),
        data=dict(data),
        report=report,
        settings=dict(settings) | {"messages": settings["messages"] | gated.messages.serving},
        code_version=code_version(sources, version(PACKAGE)),
        comparison=compare(champion, report, data, components),
        components=components,
    )


def read_data(datasets: Mapping[str, Path]) -> dict[str, Any]:
    """Dataset name -> the facts in its `dataset.json`."""
    return {name: _read(folder / "dataset.json") for name, folder in datasets.items()}


def draw_requests(customers: Path, count: int) -> list[dict[str, Any]]:
    """Requests from real held-out customers, with made-up names, two thirds with a contact history,
    some with the kill switch: every code path that an answer can take."""
    table = pq.read_table(customers / "test.parquet")
    rng = np.random.default_rng(GOLDEN_SEED)
    chosen = rng.choice(table.num_rows, size=min(count, table.num_rows), replace=False)
    known = PredictRequest.model_fields.keys()
    requests = []
    for number, row in enumerate(table.take(np.sort(chosen)).to_pylist()):
        request = {key: value for key, value in row.items() if key in known}
        request["name"] = GOLDEN_NAMES[number % len(GOLDEN_NAMES)]
        if number % 3:
            request |= {
                "days_since_contact": int(rng.integers(0, 40)),
                "contacts_this_period": int(rng.integers(0, 4)),
                "previous_contacts": int(rng.integers(0, 3)),
                "contact_channel": ("cellular", "telephone")[number % 2],
                "budget_remaining": float(rng.integers(0, 5)) / 4,
            }
        if number % 6 == 0:
            request["force_baseline"] = True
        requests.append(request)
    return requests


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
