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
| message_source | `model`, `grammar` or reviewed `template` wrote the message; null: none |
| audience | whom the message is for, as JSON: offer, tenure band, contract, tone; or null |
| template | id of the message's template: a digest, no text; null: there is none |
| template_probability | with which the bandit drew it; null where it wasn't asked |
| shield_passed | whether the shield let the message pass; null: there is none |
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from churn_assets.decision.mdp.exploration import NONE
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.messages.writing.writer import Message
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
    "message_source",
    "shield_passed",
    *TEMPLATE,
)
Record = tuple[Any, ...]
"""Values in the order of `COLUMNS`."""


class DecisionSink(Protocol):
    """Where served decisions go."""

    source: str

    def add(self, records: Sequence[Record]) -> None:
        """Take the records; returns at once, and never fails."""
        ...


def log_answers(
    sink: DecisionSink,
    rows: Sequence[Mapping[str, Any]],
    assessed: Assessments,
    answers: Sequence[dict[str, Any] | Exception],
    messages: Sequence[Message | None],
    now: datetime,
    experiment: ExperimentConfig | None,
) -> None:
    """Give every answer its `metadata.decision_id`, and the sink a record of each."""
    running = experiment is not None and experiment.enabled
    period = experiment.period(now) if experiment is not None and running else None
    share = experiment.control_share if experiment is not None and running else None
    share_of_others = assessed.exploration.share or None
    decisions, drawn = assessed.decisions, _drawn(assessed)
    figures = zip(
        rows,
        answers,
        messages,
        assessed.states.tolist(),
        decisions.offer.tolist(),
        decisions.probability.tolist(),
        *drawn,
        assessed.values.tolist(),
        assessed.risk.tolist(),
        assessed.expected_value.tolist(),
        assessed.expected_cost.tolist(),
        strict=True,
    )
    records: list[Record] = []
    for row, answer, message, state, offer, probability, *others in figures:
        if isinstance(answer, Exception):
            continue
        best, other, worth, risk, value, cost = others
        decision, metadata = answer["decision"], answer["metadata"]
        metadata["decision_id"] = identity = os.urandom(16).hex()
        records.append(
            (
                identity,
                now,
                sink.source,
                metadata["release_id"],
                metadata["policy"],
                metadata["baseline"],
                row["customer_id"],
                metadata.get("group"),
                period,
                share,
                state,
                metadata.get("budget_price"),
                decision["contact"],
                offer,
                decision["delay_days"],
                probability,
                share_of_others,
                best,
                other,
                risk,
                worth,
                value,
                cost,
                metadata.get("message_source"),
                message.verdict.passed if message else None,
                *template_record(message),
            )
        )
    sink.add(records)


def template_record(message: Message | None) -> tuple[str | None, str | None, float | None]:
    """The values of `TEMPLATE`."""
    if message is None:
        return None, None, None
    return json.dumps(message.audience), message.template_id, message.probability


def _drawn(assessed: Assessments) -> tuple[list[int], list[int | None]]:
    """Preferred option of each decision, and the runner-up, None where there is none."""
    drawn = assessed.exploration
    others = [None if option == NONE else option for option in drawn.runner_up.tolist()]
    return drawn.preferred.tolist(), others
