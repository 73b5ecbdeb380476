"""What goes into a release where its own policy or messages missed a gate.

In this order: the champion's component, if it was built for this world and still holds in it; else
the safe fall-back, the best rule and the reviewed templates. What stands in is held to the facts
that stop a release (spend, contact cap, safety) like any other, on the current customers and by the
current shield; the policy also against the best rule, so that the better of the two is served.

The champion's component is not taken where it may not be what it was: built on synthetic data for a
release on real data (or the other way round), for another decision environment, itself a fall-back,
or a language model's that this release can't ask on the spot.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.gates import (
    contact_cap_is_kept,
    sees_the_customer,
    spend_is_within_the_budget,
)
from churn_assets.decision.evaluation.selection import Candidate, served_figures
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.worlds import served_world
from churn_assets.decision.policy import load_params, load_policy
from churn_assets.decision.world import load_curve
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.writing.bank import REVIEWED, MessageBank, all_cells
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.served import serve_everybody
from churn_assets.messages.writing.writer import MessageWriter
from churn_assets.release.bundle import Component, Manifest, ReleaseError
from churn_assets.release.promotion import same_kind_of_data
from churn_assets.storage.trees import tree_files, tree_sha256

FACTS = {
    "its expected spend exceeds the budget": spend_is_within_the_budget,
    "it contacts customers more often than the cap": contact_cap_is_kept,
    "it decides alike for everybody": sees_the_customer,
}

NOTHING_ELSE = "Served: reviewed templates; no generated ones passed."


@dataclass(frozen=True)
class Champion:
    """The release in service, verified."""

    manifest: Manifest
    folder: Path

    def component(self, name: str) -> Component:
        """Where its own component came from; releases made before that was kept built it."""
        return self.manifest.components.get(name) or Component(source="built")

    def reason_against(self, name: str, data: Mapping[str, Any]) -> str | None:
        """Why its component can't stand in, whatever that does; None where it may."""
        if self.component(name).source == "fallback":
            return f"{self.manifest.release_id} has none that passed"
        if not same_kind_of_data(self.manifest.data, data):
            return f"{self.manifest.release_id} was built on data of another kind"
        return None

    def stands_in(self, name: str, missed: Sequence[str]) -> Component:
        """The record of its component in another release."""
        own = self.component(name)
        release_id = own.release_id or self.manifest.release_id
        return Component(source="champion", release_id=release_id, missed=tuple(missed))


@dataclass(frozen=True)
class Chosen:
    """A component that goes into a release.

    folder: its files. figures: what of its report section is now different.
    serving: settings of the message writer that come with it.
    """

    component: Component
    folder: Path
    figures: dict[str, Any]
    serving: dict[str, Any]


@dataclass(frozen=True)
class World:
    """The current customers and the optimum on them, by which a policy is judged."""

    environment: Path
    oracle: Path
    preset: str
    assumed: EnvironmentParams
    samples: int

    @property
    def params(self) -> EnvironmentParams:
        """What contacting does in it."""
        return served_world(self.environment, self.assumed)

    def judge(self, policy: Policy) -> tuple[str | None, float]:
        """What is wrong with serving the policy (None: nothing), and its captured uplift."""
        groups, params = Groups.load(self.environment), self.params
        curve = load_curve(self.oracle, self.preset)
        found = evaluate(policy, groups.test, params.clean)
        candidate = Candidate(policy, found, captured_uplift(curve, found))
        bootstrap = Bootstrap(curve, self.samples, seed=0)
        figures = served_figures(candidate, groups, bootstrap, params)
        wrong = [text for text, holds in FACTS.items() if not holds(figures)]
        return "; ".join(wrong) or None, candidate.captured_uplift


def choose_policy(
    missed: Sequence[str],
    own: Path,
    rule: Path,
    world: Callable[[], World],
    champion: Champion | None,
    data: Mapping[str, Any],
) -> Chosen:
    """The policy that goes in.

    Args:
        missed: why this build's own doesn't; empty where it does.
        own: folder of this build's policy.
        rule: folder of the rule that captures most of this build's, named after it.
        world: asked for only where something must stand in.

    Raises:
        ReleaseError: nothing can be served: the best rule itself breaks a fact.
    """
    if not missed:
        return Chosen(Component(source="built"), own, {}, {})
    current = world()
    wrong, rule_uplift = current.judge(load_policy(rule))
    against = "there is no champion"
    if champion is not None:
        folder = champion.folder / "policy"
        refused, uplift = _judge_champion(champion, folder, current, data)
        if refused is None and (wrong or uplift >= rule_uplift):
            figures = {"served": load_policy(folder).name, "served_uplift": uplift}
            return Chosen(champion.stands_in("policy", missed), folder, figures, {})
        against = refused or f"the best rule captures more ({rule_uplift:.3f}, not {uplift:.3f})"
    if wrong:
        raise ReleaseError(f"no policy can be served: of the best rule ({rule.name}), {wrong}")
    component = Component(source="fallback", missed=tuple(missed), champion=against)
    return Chosen(component, rule, {"served": rule.name, "served_uplift": rule_uplift}, {})


def _judge_champion(
    champion: Champion, folder: Path, current: World, data: Mapping[str, Any]
) -> tuple[str | None, float]:
    against = champion.reason_against("policy", data)
    if against is None and load_params(folder) != current.params:
        against = f"{champion.manifest.release_id} was made for another decision environment"
    if against:
        return against, 0.0
    wrong, uplift = current.judge(load_policy(folder))
    return wrong and f"of the policy of {champion.manifest.release_id}, {wrong}", uplift


def choose_messages(
    missed: Sequence[str],
    bank: Path,
    settings: MessagesConfig,
    work: Path,
    champion: Champion | None,
    data: Mapping[str, Any],
) -> Chosen:
    """The messages that go in.

    Args:
        missed: why this build's own don't; empty where they do.
        bank: the artifact `message_bank`, whose shield's rules are the current ones.
        settings: the message settings in force.
        work: an empty folder, for what is put together here.
    """
    if not missed:
        return Chosen(Component(source="built"), bank, {}, {})
    against = "there is no champion"
    if champion is not None:
        folder, serving = work / "champion", _live_settings(champion)
        against = champion.reason_against("messages", data) or ""
        if not against:
            shutil.copytree(champion.folder / "messages", folder)
            shutil.copyfile(bank / "rules.json", folder / "rules.json")
            if figures := _all_right(folder, settings):
                report = champion.manifest.report.get("messages", {}) | figures
                return Chosen(champion.stands_in("messages", missed), folder, report, serving)
            against = f"messages of {champion.manifest.release_id} don't pass the shield any more"
    folder = work / "reviewed"
    folder.mkdir()
    MessageBank({cell: [] for cell in all_cells()}).save(folder / "bank.json")
    shutil.copyfile(bank / "rules.json", folder / "rules.json")
    figures = _all_right(folder, settings)
    if not figures:
        raise ReleaseError("no messages can be served: reviewed templates don't pass the shield")
    component = Component(source="fallback", missed=tuple(missed), champion=against)
    figures |= {"served_method": REVIEWED, "served_because": NOTHING_ELSE}
    return Chosen(component, folder, figures, {"live_generation": False})


def _live_settings(champion: Champion) -> dict[str, Any]:
    """How the champion's language model, if it has one, is asked on the spot."""
    messages = champion.manifest.settings["messages"]
    names = ("live_generation", "live_candidates", "live_seconds", "generation")
    return {name: messages[name] for name in names if name in messages}


def _all_right(folder: Path, settings: MessagesConfig) -> dict[str, Any] | None:
    """Figures of messages as they would be served; None unless every one is right."""
    renderer = Renderer(settings.currency, settings.offer_months)
    found = serve_everybody(MessageWriter.load(folder, renderer))
    if not found["served_pass_rate"] == found["served_right_rate"] == 1.0:
        return None
    return {name: found[name] for name in ("served_pass_rate", "served_by_model")}


def with_digest(chosen: Chosen) -> Component:
    """The component's record, with the digest of its files."""
    digest = tree_sha256(tree_files(chosen.folder))
    return chosen.component.model_copy(update={"sha256": digest})
