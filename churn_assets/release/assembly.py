"""From the stages' artifacts to a sealed release folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from api.engine import RetentionEngine, ServedMessages
from api.golden import write_golden
from api.schemas import PredictRequest
from churn_assets.release.bundle import (
    Manifest,
    code_version,
    collect,
    content_digest,
    write_manifest,
)
from churn_assets.release.promotion import compare

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


def rooms_of(parts: Mapping[str, Path], preset: str) -> dict[str, Path]:
    """Which folder of which stage fills each room of a release.

    Args:
        parts: asset name -> its artifact's folder.
        preset: the decision environment in force.
    """
    return {
        "risk": parts["risk_model"],
        "accept": parts["accept_model"],
        "policy": parts["policy_report"] / "policy",
        "baseline": parts["baseline_policies"] / preset / BASELINE,
        "messages": parts["message_bank"],
    }


def assemble(
    parts: Mapping[str, Path],
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
    rooms = rooms_of(parts, settings["decision"]["preset"])
    collect(rooms, {asset: parts[asset] for asset in REPORT_OF.values()}, out)
    engine = RetentionEngine(
        out,
        release_id="unreleased",
        messages=ServedMessages.model_validate(settings["messages"]),
        default_time_zone=settings["api"]["default_time_zone"],
    )
    requests = draw_requests(customers, golden_requests)
    write_golden(engine, requests, out)
    return content_digest(out)


def seal(
    out: Path,
    *,
    models: Mapping[str, str],
    datasets: Mapping[str, Path],
    checks: Mapping[str, int],
    settings: Mapping[str, Any],
    champion: Manifest | None,
    sources: Path,
) -> Manifest:
    """Compare the assembled release with the champion and write its manifest.

    Args:
        models: asset name -> sha256 of the artifact that went in.
        checks: how many asset checks `passed`, `failed` and `warned`.
        champion: the manifest of the serving release, if there is one.
        sources: the project's root, for the digest of its code.
    """
    data = {name: _read(folder / "dataset.json") for name, folder in datasets.items()}
    report = {
        "data": {
            name: {key: facts[key] for key in ("source", "rows", "sha256")}
            for name, facts in data.items()
        },
        **{
            section: _read(out / "reports" / f"{asset}.json")[section]
            for section, asset in REPORT_OF.items()
        },
        "checks": dict(checks),
    }
    return write_manifest(
        out,
        models=dict(models),
        data=data,
        report=report,
        settings=dict(settings),
        code_version=code_version(sources, version(PACKAGE)),
        comparison=compare(champion, report, data),
    )


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
