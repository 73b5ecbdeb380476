"""Whether the checks allow a release, and which components: the rule, apart from where the results
are kept."""

from __future__ import annotations

from collections.abc import Iterable
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
