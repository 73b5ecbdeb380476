"""From the stages' artifacts to a sealed release folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from churn_assets.customers.schema import load_schema
from churn_assets.decision.config import EnvironmentParams
from churn_assets.domain.measured import Measured
from churn_assets.messages.config import MessagesConfig
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
from churn_assets.release.rehearsal import Rehearsal
from churn_assets.storage.protocol import Artifact

REPORT_OF = {  # section of the release's report -> the stage that wrote it
    "risk": "risk_model",
    "accept": "accept_model",
    "policy": "policy_report",
    "messages": "message_bank",
}
FACTS = ("source", "rows", "sha256", "contract")
BASELINE = "priced_greedy"  # the kill switch: a rule that a person can check by hand
PACKAGE = "churn-retention"


@dataclass(frozen=True)
class Parts:
    """Folders of the artifacts that a build is made of, each by its asset's name."""

    risk_model: Path
    accept_model: Path
    baseline_policies: Path
    policy_report: Path
    message_bank: Path

    @property
    def reports(self) -> dict[str, Path]:
        """Asset name -> folder, of those whose report goes in."""
        return {asset: getattr(self, asset) for asset in REPORT_OF.values()}


@dataclass(frozen=True)
class Terms:
    """What a build goes by, beside the artifacts that it is made of.

    Attributes:
        preset: the decision environment in force, by the name of its preset.
        world: the same with all its constants.
        samples: bootstrap samples by which a stand-in for the policy is judged.
        messages: settings of the messages.
        golden_requests: how many requests are stored with their answers.
        recorded: every setting in force as JSON, without secrets, for the manifest.
        sources: the project's root, for the digest of its code.
    """

    preset: str
    world: EnvironmentParams
    samples: int
    messages: MessagesConfig
    golden_requests: int
    recorded: Mapping[str, Any]
    sources: Path

    def messages_with(self, gated: Gated) -> dict[str, Any]:
        """The message settings that the release serves with, as JSON."""
        return self.messages.model_dump(mode="json") | gated.messages.serving


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
    parts: Parts,
    world: Callable[[], World],
    terms: Terms,
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
    best_rule = _read(parts.policy_report / "report.json")["policy"]["best_baseline"]
    policy = choose_policy(
        missed.get("policy", ()),
        parts.policy_report / "policy",
        parts.baseline_policies / terms.preset / best_rule,
        world,
        champion=champion,
        data=data,
    )
    served = choose_messages(
        missed.get("messages", ()),
        parts.message_bank,
        terms.messages,
        work,
        champion=champion,
        data=data,
    )
    return Gated(policy, served)


def component_folders(parts: Parts, preset: str, gated: Gated) -> dict[str, Path]:
    """Which folder of which stage becomes which component of a release.

    preset: the decision environment in force.
    """
    return {
        "risk": parts.risk_model,
        "accept": parts.accept_model,
        "policy": gated.policy.folder,
        "baseline": parts.baseline_policies / preset / BASELINE,
        "messages": gated.messages.folder,
    }


def assemble(
    parts: Parts,
    gated: Gated,
    customers: Path,
    out: Path,
    terms: Terms,
    rehearsal: Rehearsal,
) -> str:
    """Gather models, policies, messages and reports in `out` and add the golden set.

    Args:
        customers: folder of `customer_history`, from which golden requests are drawn.
        out: an empty folder.

    Returns:
        The content's digest.
    """
    folders = component_folders(parts, terms.preset, gated)
    collect(folders, parts.reports, out)
    if schema := load_schema(customers):
        schema.save(out)
    messages = terms.messages_with(gated)
    rehearsal.write_golden(out, customers, terms.golden_requests, messages)
    return content_digest(out)


def seal(
    out: Path,
    gated: Gated,
    *,
    models: Mapping[str, str],
    data: Mapping[str, Any],
    customers: Artifact,
    checks: Mapping[str, int],
    terms: Terms,
    champion: Manifest | None,
    measured: Measured,
    other_fields: Collection[str] = (),
) -> Manifest:
    """Compare the assembled release with the champion and write its manifest.

    Args:
        models: asset name -> sha256 of the artifact that this build made.
        data: dataset name -> its `dataset.json`.
        customers: those learnt from.
        checks: how many asset checks `passed`, `failed` and `warned`.
        champion: the manifest of the serving release, if there is one.
        measured: what outcomes said in place of assumptions.
        other_fields: as `compare` takes them.
    """
    components = gated.components
    report = {
        "data": {
            name: {key: facts[key] for key in FACTS if key in facts} for name, facts in data.items()
        },
        **{
            section: _read(out / "reports" / f"{asset}.json")[section]
            for section, asset in REPORT_OF.items()
        },
        "components": {name: component.sentence(name) for name, component in components.items()},
        "checks": dict(checks),
        "measured": measured.model_dump(include={"outcomes", "learnt"})
        | {"said": measured.sentences},
    }
    report["policy"] |= gated.policy.figures
    if gated.messages.component.source != "built":
        report["messages"] = gated.messages.figures
    return write_manifest(
        out,
        models=dict(models),
        data=dict(data),
        report=report,
        settings=dict(terms.recorded) | {"messages": terms.messages_with(gated)},
        code_version=code_version(terms.sources, version(PACKAGE)),
        comparison=compare(champion, report, data, components, other_fields=other_fields),
        components=components,
        customers=customers,
    )


def read_data(datasets: Mapping[str, Path]) -> dict[str, Any]:
    """Dataset name -> the facts in its `dataset.json`."""
    return {name: _read(folder / "dataset.json") for name, folder in datasets.items()}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
