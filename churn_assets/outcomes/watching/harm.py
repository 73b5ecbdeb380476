"""What follows when the lift report says that contacting hurts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churn_assets.outcomes.lift import NOT_BY_THE_SWITCH
from churn_assets.release.switches import kill_switch
from churn_assets.storage.protocol import ArtifactStore


def answer_harm(
    report: dict[str, Any], before: Mapping[str, Any], store: ArtifactStore, *, stop: bool
) -> bool:
    """Throw the kill switch, where it is to be, and say so in the report; returns whether people
    must hear of it.

    The switch has rules decide in place of the policy; they contact people, too, so it stops no
    contact, and the sentence goes on saying what does. Both happen once, as long as reports go on
    saying that it hurts: what is known stays known, so whoever lifts the switch would be overruled
    the next morning, and be told the same every day.

    Args:
        report: with the verdict "hurts"; gets `stopped` (the switch was thrown for it), and a
            sentence that says how things are.
        before: the report before this one; empty before the first.
        stop: whether harm throws the switch.
    """
    news = before.get("verdict") != "hurts"
    stopped = not news and bool(before.get("stopped"))
    throw = stop and not stopped
    if throw and not kill_switch.is_on(store):
        kill_switch.set_switch(store, on=True)
    report["stopped"] = throw or stopped
    if kill_switch.is_on(store):
        state = "was thrown" if report["stopped"] else "is on"
        said = f"The kill switch {state}, so the rules decide: they contact people, too."
        report["sentence"] = report["sentence"].replace(NOT_BY_THE_SWITCH, said)
    elif stopped:
        lifted = f"The kill switch was thrown, and somebody has lifted it. {NOT_BY_THE_SWITCH}"
        report["sentence"] = report["sentence"].replace(NOT_BY_THE_SWITCH, lifted)
    return news or throw
