"""What `churn report` begins with: a dozen lines of what its tables hold, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from churn_assets.release.bundle import Manifest

FIGURES: Mapping[str, Mapping[str, str]] = {
    "risk": {
        "AUC": "auc",
        "ECE": "ece",
        "AUC out of fold": "auc_oof",
        "its lower bound": "auc_oof_lower",
        "ECE out of fold": "ece_oof",
    },
    "accept": {
        "AUC without a discount": "headline.offer0.auc",
        "ECE without a discount": "headline.offer0.ece",
        "AUC of all offers": "auc",
        "ECE of all offers": "ece",
    },
    "policy": {
        "captured uplift": "served_uplift",
        "the strongest rule's": "strongest_rule_uplift",
        "the exact planner's": "planner_uplift",
    },
    "messages": {
        "that pass the shield: SFT": "sft_pass_rate",
        "PPO-Text": "ppo_pass_rate",
        "as served": "served_pass_rate",
    },
}
"""Area -> the figures that the README's table begins with, by their words: where the area's section
has them. What a report doesn't have (a company's own customers, an earlier version) is left out."""
SYNTHETIC, SIMULATED = "synthetic", "SEMI-SYNTHETIC"
SERVED = {"policy": "served", "messages": "served_method"}
"""Component -> what serves, by name: where the area's section has it."""


def summary_of(manifest: Manifest, missed: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines, at most twelve.

    Args:
        missed: area -> its gates that its table shows as missed.
    """
    report = manifest.report
    lines = [f"Release {manifest.release_id}, made {manifest.created:%Y-%m-%d %H:%M} UTC"]
    lines += [f"  {line}" for line in (*simulated(report), *_served(report))]
    if checks := report.get("checks"):
        counts = ", ".join(f"{checks[one]} {one}" for one in ("passed", "warned", "failed"))
        lines.append(f"  checks: {counts}")
    if told := [f"{area}: {', '.join(names)}" for area, names in missed.items() if names]:
        lines.append(f"  gates missed, in the tables below: {'; '.join(told)}")
    return lines + [f"  {line}" for line in _figures(report)]


def simulated(report: Mapping[str, Any]) -> Iterator[str]:
    """What is no company's data."""
    made_up = [name for name, of in report.get("data", {}).items() if of["source"] == SYNTHETIC]
    if made_up:
        yield f"generated tables, not real ones: {', '.join(made_up)}"
    responses = str(report.get("accept", {}).get("responses", ""))
    if responses.startswith(SIMULATED):
        yield f"acceptance: {responses}"


def _served(report: Mapping[str, Any]) -> Iterator[str]:
    """What is served as policy and as messages, and why another one stands in where one does."""
    for name, sentence in report.get("components", {}).items():
        what = report.get(name, {}).get(SERVED.get(name, ""), "")
        yield f"{name} served: {f'{what}, ' if what else ''}{sentence}"


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    for area, wanted in FIGURES.items():
        found = {words: _at(report.get(area, {}), path) for words, path in wanted.items()}
        told = [f"{words} {value:.3f}" for words, value in found.items() if value is not None]
        if told:
            yield f"{area}: {', '.join(told)}"


def _at(section: Mapping[str, Any], path: str) -> float | None:
    """The figure at `headline.offer0.auc`; None where there is none."""
    value: Any = section
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
