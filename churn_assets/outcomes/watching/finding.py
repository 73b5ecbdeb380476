"""What a look at one thing found: fine, worth a look, bad, or nothing to judge yet."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["ok", "warn", "error", "unknown"]
WORSE: dict[State, int] = {"unknown": 0, "ok": 0, "warn": 1, "error": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that is watched.

    Attributes:
        name: the fact that should hold, as the asset check's name.
        state: `unknown` where there is nothing, or too little, to judge by.
        sentence: what was found, for people.
        figures: the numbers behind it, as JSON.
    """

    name: str
    state: State
    sentence: str
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def beyond(value: float, warn: float, error: float) -> State:
    """The state of a figure that is better the smaller it is."""
    if value > error:
        return "error"
    return "warn" if value > warn else "ok"


def worsened(findings: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[str]:
    """The sentences of findings that are worse than the last time: what people must hear of.

    Args:
        findings: `Finding.as_dict` each.
        before: those of the last report; empty before the first.
    """
    known: dict[str, State] = {finding["name"]: finding["state"] for finding in before}
    return [
        finding["sentence"]
        for finding in findings
        if WORSE[finding["state"]] > WORSE[known.get(finding["name"], "ok")]
    ]
