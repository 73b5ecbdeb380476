"""Whether the checks allow a release: the rule, apart from where the results are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CheckState:
    """The latest execution of one asset check.

    Attributes:
        name: `asset: check`.
        blocking: a release depends on it.
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

    A check that never gave an answer counts as failed: it can't be shown to hold.
    """
    counts = {"passed": 0, "failed": 0, "warned": 0}
    problems = []
    for state in states:
        outcome = _outcome(state)
        counts[outcome] += 1
        if not state.blocking:
            continue
        if not state.evaluated:
            problems.append(f"{state.name} has never run to an answer")
        elif not state.current:
            problems.append(f"{state.name} judged another materialization than the one in use")
        elif outcome == "failed":
            problems.append(f"{state.name} failed")
    return counts, problems


def _outcome(state: CheckState) -> str:
    if state.passed:
        return "passed"
    return "warned" if state.evaluated and state.warning else "failed"
