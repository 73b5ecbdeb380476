"""One served decision as a record: what was seen, what was done, and how probable that was.

No name and no message text; the customer's id is there, since outcomes are joined by it.

| column | meaning |
|---|---|
| decision_id | the key that the answer's `metadata.decision_id` holds |
| time | when it was decided (UTC) |
| source | who asked: `api`, `command` or `campaign` |
| release_id, policy, baseline | what decided; baseline: the kill switch was on |
| customer_id | |
| group, period, control_share | of the experiment; null while none runs |
| observation | the numbers that the policy saw, in the order of `decision.mdp.observation` |
| budget_price | the price λ of a currency unit of discount; null where the policy has none |
| contact, offer_level, delay_days | the action |
| propensity | P(this action), given the group: 1 for the control group, who are never contacted |
| exploration | P(the runner-up is taken); null while nothing explores |
| preferred, runner_up | options between which it is drawn, were it not the control group: 0 no \
contact, 1..4 the offers; runner_up is null where there is no other |
| churn_risk | P(leaving), in [0, 1] |
| customer_value | 12 monthly charges, in currency |
| expected_value, expected_cost | of the action, in currency |
| contact_cost | what the contact itself costs, as a call does, in currency; a part of \
expected_cost. Null: nobody said, or there is no contact |
| contact_from | from when a plan's contact may be sent, by its day, its channel's hours and where \
the customer lives, as known at the approval (UTC). Null: at the decision, there is no contact, or \
an earlier version logged it |
| message_source | `model`, `grammar` or reviewed `template` wrote the message; null: none |
| audience | whom the message is for, as JSON in the order of `Audience`; or null. Older records \
have no more than offer, tenure band, contract and tone |
| template | id of the message's template: a digest, no text; null: there is none, or a language \
model wrote the message on the spot |
| template_probability | with which the bandit drew it; null where it wasn't asked |
| shield_passed | whether the shield let the message pass, if only at another hour; null: there \
is none |
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.mdp.exploration import NONE
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.messages.writing.bandit import Audience
from churn_assets.messages.writing.writer import Message
from churn_assets.serving.answers.messages import QUIET_HOURS
from churn_assets.serving.assessment import Assessments

TEMPLATE = ("audience", "template", "template_probability")
COLUMNS = (
    "decision_id",
    "time",
    "source",
    "release_id",
    "policy",
    "baseline",
    "customer_id",
    "group",
    "period",
    "control_share",
    "observation",
    "budget_price",
    "contact",
    "offer_level",
    "delay_days",
    "propensity",
    "exploration",
    "preferred",
    "runner_up",
    "churn_risk",
    "customer_value",
    "expected_value",
    "expected_cost",
    "contact_cost",
    "contact_from",
    "message_source",
    "shield_passed",
    *TEMPLATE,
)
Record = tuple[Any, ...]
"""Values in the order of `COLUMNS`."""


class Served(NamedTuple):
    """N customers' answers with all that they were made of, as serving has it at hand anyway.

    Attributes:
        rows: by the form's fields.
        answers: in the shape of `PredictResponse`, with their ids; or what went wrong.
        messages: of each; None where there is none.
        now: when it was decided.
        experiment: by which groups and exploration were drawn; None: by none.
    """

    rows: Sequence[Mapping[str, Any]]
    assessed: Assessments
    answers: Sequence[dict[str, Any] | Exception]
    messages: Sequence[Message | None]
    now: datetime
    experiment: ExperimentConfig | None


class DecisionSink(Protocol):
    """Where served decisions go."""

    source: str

    def add(self, served: Served) -> None:
        """Take them; returns at once, and never fails."""
        ...


def log_answers(sink: DecisionSink, served: Served) -> None:
    """Give every answer its `metadata.decision_id`, and all of them to the sink.

    Whom a rule excludes (`metadata.excluded`: an opt-out, say) gets none, and no record: nothing
    was decided about them, and in either group of an experiment they say nothing about contacting.
    No more than that: somebody waits for the answer. Its records are made beside (`records_of`).
    """
    for answer in served.answers:
        if not isinstance(answer, Exception) and "excluded" not in answer["metadata"]:
            answer["metadata"]["decision_id"] = os.urandom(16).hex()
    sink.add(served)


def records_of(served: Sequence[Served], source: str) -> list[Record]:
    """A record of every answer, in their order; many are cheaper at once, column by column."""
    rows: list[Mapping[str, Any]] = []
    answers: list[dict[str, Any]] = []
    messages: list[Message | None] = []
    drawn: list[tuple[datetime, str | None, float | None, float | None]] = []
    places: list[int] = []
    of = 0
    for one in served:
        came_from = (one.now, *_experiment(one), one.assessed.exploration.share or None)
        for place, (row, answer, message) in enumerate(
            zip(one.rows, one.answers, one.messages, strict=True), of
        ):
            if isinstance(answer, Exception) or "decision_id" not in answer["metadata"]:
                continue
            rows.append(row)
            answers.append(answer)
            messages.append(message)
            drawn.append(came_from)
            places.append(place)
        of += len(one.rows)
    if not places:
        return []
    times, periods, shares, shares_of_others = zip(*drawn, strict=True)
    metadata = [answer["metadata"] for answer in answers]
    figures = _figures([one.assessed for one in served], np.array(places))
    templates = [template_record(message) for message in messages]
    columns: dict[str, Iterable[Any]] = {
        "decision_id": [told["decision_id"] for told in metadata],
        "time": times,
        "source": repeat(source, len(rows)),
        "release_id": [told["release_id"] for told in metadata],
        "policy": [told["policy"] for told in metadata],
        "baseline": [told["baseline"] for told in metadata],
        "customer_id": [row["customer_id"] for row in rows],
        "group": [told.get("group") for told in metadata],
        "period": periods,
        "control_share": shares,
        "budget_price": [told.get("budget_price") for told in metadata],
        "contact": [answer["decision"]["contact"] for answer in answers],
        "delay_days": [answer["decision"]["delay_days"] for answer in answers],
        "exploration": shares_of_others,
        "contact_cost": repeat(None, len(rows)),  # an answer names no channel
        "contact_from": repeat(None, len(rows)),  # nor another day than its own
        "message_source": [told.get("message_source") for told in metadata],
        "shield_passed": [_passed(message) for message in messages],
        **dict(zip(TEMPLATE, zip(*templates, strict=True), strict=True)),
        **figures,
    }
    return list(zip(*(columns[name] for name in COLUMNS), strict=True))


def _passed(message: Message | None) -> bool | None:
    """The value of `shield_passed`: a message that is asked for at night is no bad one, and goes
    out in the morning."""
    return None if message is None else not {*message.verdict.violations} - {QUIET_HOURS}


def _experiment(served: Served) -> tuple[str | None, float | None]:
    """The period of the draw in force and the share of the control group; None while none runs."""
    experiment = served.experiment
    if experiment is None or not experiment.enabled:
        return None, None
    return experiment.draw(served.now), experiment.control_share


def _figures(assessed: Sequence[Assessments], places: NDArray[np.int64]) -> dict[str, list[Any]]:
    """The columns that the assessments hold, of the customers in `places` of all of them."""
    option = np.concatenate([one.option for one in assessed])[places]
    other = np.concatenate([one.exploration.runner_up for one in assessed])[places]

    def of(figure: Callable[[Assessments], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([figure(one) for one in assessed])[places]

    def chosen(figure: Callable[[Assessments], NDArray[Any]]) -> list[Any]:
        found: list[Any] = of(figure)[np.arange(len(places)), option].tolist()
        return found

    return {
        "observation": of(lambda one: one.states).tolist(),
        "offer_level": of(lambda one: one.decisions.offer).tolist(),
        "propensity": of(lambda one: one.decisions.probability).tolist(),
        "preferred": of(lambda one: one.exploration.preferred).tolist(),
        "runner_up": [None if each == NONE else each for each in other.tolist()],
        "churn_risk": of(lambda one: one.risk).tolist(),
        "customer_value": of(lambda one: one.values).tolist(),
        "expected_value": chosen(lambda one: one.outcomes.expected_value),
        "expected_cost": chosen(lambda one: one.outcomes.expected_cost),
    }


def template_record(message: Message | None) -> tuple[str | None, str | None, float | None]:
    """The values of `TEMPLATE`."""
    if message is None:
        return None, None, None
    return _as_json(message.audience), message.template_id, message.probability


@lru_cache(maxsize=4_096)
def _as_json(audience: Audience) -> str:
    return json.dumps(audience)
