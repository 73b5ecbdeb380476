"""Whether the checks allow a release, and which components: the rule, apart from where the results
are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from churn_assets.decision.evaluation.gates import GATES as POLICY_GATES
from churn_assets.messages.writing.gates import GATES as MESSAGE_GATES

COMPONENT_GATES: dict[str, frozenset[str]] = {
    "policy": frozenset(
        {f"{asset}: {gate.__name__}" for asset, gates in POLICY_GATES.items() for gate in gates}
        | {"policy_report: served_policy_is_the_best_measured"}
    ),
    "messages": frozenset(
        f"{asset}: {gate.__name__}" for asset, gates in MESSAGE_GATES.items() for gate in gates
    ),
}
"""Of each component that has a stand-in, the checks (`asset: check`) that decide whether it goes
into a release."""

RENEWED = frozenset({"active_customers", "measured_world", "template_answers"})
"""Assets that daily jobs make anew between two trainings, by design: what was made from an older
one is as it should be."""
LEARNT_FOR: dict[str, str] = {
    "decision_policy": "policy",
    **dict.fromkeys(
        (
            "retention_messages",
            "retention_preferences",
            "message_base_model",
            "sft_model",
            "reward_model",
            "ppo_text_model",
            "message_bank",
        ),
        "messages",
    ),
}
"""Asset -> the component that it is learnt for and for nothing else: of a component that stands in,
no such asset's work goes into the release."""
REMEDY = "run `churn materialize`"


@dataclass(frozen=True)
class CheckState:
    """The latest execution of one asset check.

    Attributes:
        name: `asset: check`.
        blocking: the release waits for it, and depends on it unless it is a component's gate.
        evaluated: it ran to an answer.
        passed: its answer.
        warning: a failure is only a warning.
        current: it judged the materialization that is in use.
    """

    name: str
    blocking: bool
    evaluated: bool = False
    passed: bool = False
    warning: bool = False
    current: bool = False


@dataclass(frozen=True)
class PartState:
    """An asset that a release is made of, directly or through others.

    Attributes:
        name: the asset's.
        judged: digest of what its newest materialization made, by which its checks went; None if
            there is none.
        stored: digest of what the store hands out, which is what goes in.
        made_from: asset above it -> digest of what that was when this one was made; None where it
            was made without that.
    """

    name: str
    judged: str | None
    stored: str
    made_from: Mapping[str, str | None]


def judge(states: Iterable[CheckState]) -> tuple[dict[str, int], list[str]]:
    """How many checks passed, failed and warned; and why there can be no release, if so.

    A check that never gave an answer counts as failed: it can't be shown to hold. Gates of a
    component (`missed_gates`) are counted, but stop nothing.
    """
    counts = {"passed": 0, "failed": 0, "warned": 0}
    problems = []
    for state in states:
        counts[_outcome(state)] += 1
        stops = state.blocking and component_of(state.name) is None
        if stops and (problem := _problem(state)):
            problems.append(problem)
    return counts, problems


def component_of(name: str) -> str | None:
    """The component that a check (`asset: check`) decides on; None for one of the whole release."""
    return next((part for part, gates in COMPONENT_GATES.items() if name in gates), None)


def missed_gates(states: Iterable[CheckState]) -> dict[str, list[str]]:
    """Why a component can't go into a release, for each that missed a gate of its own.

    As with the release itself, a gate that was never judged, or judged another materialization, is
    not shown to hold. A warning is a miss too: it only says that the rest goes on.
    """
    missed: dict[str, list[str]] = {}
    for state in states:
        component = component_of(state.name)
        if component and (problem := _problem(replace(state, warning=False))):
            missed.setdefault(component, []).append(problem)
    return missed


def unmatched(parts: Sequence[PartState], missed: Collection[str]) -> list[str]:
    """Why these parts can't go into one release, if so: checks judged something else than the store
    has, or one was made from another version of one above it.

    missed: components whose own work doesn't go in.
    """
    strangers = [part.name for part in parts if part.judged != part.stored]
    problems = []
    if strangers:
        names = ", ".join(strangers)
        problems.append(f"the checks of {names} judged another artifact than the store's: {REMEDY}")
    present = {p.name: p.judged for p in parts if LEARNT_FOR.get(p.name) not in missed}
    for part in parts:
        edges = part.made_from.items() if part.name in present else ()
        older = [name for name, made in edges if name in present and present[name] != made]
        if older:
            problems.append(f"{part.name} was made from another {' and '.join(older)}: {REMEDY}")
    return problems


def _problem(state: CheckState) -> str | None:
    if not state.evaluated:
        return f"{state.name} has never run to an answer"
    if not state.current:
        return f"{state.name} judged another materialization than the one in use"
    return f"{state.name} failed" if _outcome(state) == "failed" else None


def _outcome(state: CheckState) -> str:
    if state.passed:
        return "passed"
    return "warned" if state.evaluated and state.warning else "failed"
