"""What the console shows of the reports: what contacting brought, spend, and what is watched."""

from __future__ import annotations

from typing import Any

from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.protocol import ArtifactStore

LIFT = ("verdict", "sentence", "customers", "treated", "control", "needed")
SPEND = "spend_keeps_pace_with_the_budget"
MONEY = ("spent", "expected", "budget", "due")
MEASURES = ("churn", "retained_value", "spend", "net")
TOLD = ("name", "state", "sentence")


def read_results(store: ArtifactStore) -> dict[str, Any]:
    """The latest `lift_report` and `drift_report`, as far as there are any, in the form of the
    route `/results`. Blocks.

    Raises:
        ArtifactError: a report that should be there can't be had.
    """
    lift, drift = _report(store, "lift_report"), _report(store, "drift_report")
    findings = drift["findings"] if drift else []
    [figures] = [f["figures"] for f in findings if f["name"] == SPEND] or [{}]
    return {
        "lift": _lift(lift) if lift else None,
        "spend": {name: figures[name] for name in MONEY} if figures else None,
        "watched": [{name: finding[name] for name in TOLD} for finding in findings],
        "watched_at": drift["time"] if drift else None,
        "retrain": drift["retrain"] if drift else [],
    }


def _lift(report: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: report[name] for name in LIFT},
        "counted": report.get("counted"),  # not in older reports
        "leaving": report.get("leaving"),  # not in older reports
        "foretold": report.get("foretold", {}).get("sentence"),
        "by_customer": report.get("by_customer", {}).get("sentence"),  # not in older reports
        "measures": [
            {
                "name": name,
                "treated": effect["treated"],
                "control": effect["control"],
                "difference": effect["effect"],
                "lower": effect["effect_lower"],
                "upper": effect["effect_upper"],
            }
            for name in MEASURES
            if (effect := report.get("effects", {}).get(name))
        ],
        "over_time": report.get("over_time", []),
    }


def _report(store: ArtifactStore, asset: str) -> dict[str, Any] | None:
    if store.read_pointer(asset_pointer(asset)) is None:
        return None
    return read_report(store, current_artifact(store, asset))
