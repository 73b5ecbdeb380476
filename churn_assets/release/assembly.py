"""From the stages' artifacts to a sealed release folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from api.engine import RetentionEngine
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

ROOM_OF = {
    "risk_model": "risk",
    "accept_model": "accept",
    "decision_policy": "policy",
    "baseline_policies": "baseline",
    "message_bank": "messages",
}
GOLDEN_NAMES = ("Sam", "Zoë", "José María", "O'Brien", "李雷", "Ngọc Anh", "Łukasz", "محمد")
GOLDEN_SEED = 42
PACKAGE = "churn-retention"


def assemble(
    parts: Mapping[str, Path],
    datasets: Mapping[str, Path],
    reports: Mapping[str, Mapping[str, Path]],
    out: Path,
    settings: Mapping[str, Any],
    golden_requests: int,
) -> str:
    """Gather models, policies, messages and reports in `out` and add the golden set.

    Args:
        parts: asset name (a key of `ROOM_OF`) -> folder.
        datasets: data set's name -> folder; golden requests are drawn from `telco_customers`.
        reports: section of the report -> asset name -> folder with a `report.json`.
        out: an empty folder.
        settings: every setting in force, as JSON.

    Returns:
        The content's digest.
    """
    rooms = {ROOM_OF[name]: folder for name, folder in parts.items()}
    collect(rooms, {k: v for section in reports.values() for k, v in section.items()}, out)
    engine = RetentionEngine(
        out,
        release_id="unreleased",
        currency=settings["messages"]["currency"],
        offer_months=settings["messages"]["offer_months"],
        default_time_zone=settings["api"]["default_time_zone"],
    )
    requests = draw_requests(datasets["telco_customers"], golden_requests)
    write_golden(engine, requests, out)
    return content_digest(out)


def seal(
    out: Path,
    *,
    models: Mapping[str, str],
    datasets: Mapping[str, Path],
    reports: Mapping[str, Mapping[str, Path]],
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
        **{section: _merged(folders) for section, folders in reports.items()},
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


def _merged(folders: Mapping[str, Path]) -> dict[str, Any]:
    """One section of the report from one or several stages' own reports."""
    section: dict[str, Any] = {}
    for folder in folders.values():
        section |= _read(folder / "report.json")
    return section


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
