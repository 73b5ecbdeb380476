"""An approved plan as decisions in the log: about everybody whom it could have contacted, and the
control group beside them, so that the campaign can be compared with leaving people alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from churn_assets.campaign.planning.plan import Plan
from churn_assets.domain.contact_rules import RULES
from churn_assets.domain.experiment import CONTROL, ExperimentConfig, draw_in_force, group_of
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.messages.writing.writer import Message
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.records import (
    COLUMNS,
    TEMPLATE,
    Record,
    template_record,
)
from churn_assets.storage.protocol import ArtifactStore

EARLIER = tuple(RULES)[: tuple(RULES).index("control_group")]
"""Rules that are tried in both groups."""


def is_of_the_draw(plan: Plan, experiment: ExperimentConfig, now: datetime) -> bool:
    """Whether a plan was made with the control group in force now: it leaves out nobody as control
    who isn't in that group, and neither contacts nor draws for anybody who is.

    Of what earlier plans have promised it says nothing: a day's list tries every rule once more.
    """
    rows = plan.contacts.to_pylist()
    own = {row["customer_id"] for row in rows if _is_own(row, plan)}
    own.update(plan.draws["customer_id"].to_pylist())
    excluded = plan.excluded.to_pylist()
    control = {row["customer_id"] for row in excluded if row["rule"] == "control_group"}

    def in_control(customer_id: str) -> bool:
        return group_of(customer_id, experiment, now) == CONTROL

    return all(map(in_control, control)) and not any(map(in_control, own))


def kept_of_other_draws(
    plan: Plan, store: ArtifactStore, experiment: ExperimentConfig, now: datetime
) -> set[str]:
    """Decision ids of contacts that the plan keeps for earlier ones and that aren't logged with the
    draw in force: they were promised before the control group was drawn anew, or before there was
    one. Empty while no experiment runs.

    Raises:
        ArtifactError: the decision log can't be read.
    """
    kept = {row["decision_id"] for row in plan.contacts.to_pylist() if not _is_own(row, plan)}
    if not kept or not experiment.enabled:
        return set()
    # A plan's id begins with its first day; elsewhere on earth that may still be the day before.
    log = parts.read(store, since=date.fromisoformat(min(kept)[:8]) - timedelta(days=1))
    draw = draw_in_force(experiment, now)
    same = pc.and_(
        pc.equal(log["period"], draw.period), pc.equal(log["control_share"], draw.control_share)
    )
    return kept.difference(log.filter(same)["decision_id"].to_pylist())


def decisions_of(
    plan: Plan,
    predictions: pa.Table,
    experiment: ExperimentConfig,
    now: datetime,
    percent: Sequence[int] = OFFER_PERCENTAGES,
    messages: Mapping[str, Message] | None = None,
    of_other_draws: Collection[str] = (),
    terms: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Record]:
    """A record for every predicted customer: contacted by the plan, or not.

    Left out are those whom a rule excludes that is tried before the control group is (an opt-out,
    say): it excludes them in either group, so they say nothing about contacting. Whom a later rule
    excludes is there, not contacted: that rule was never tried on the control group, and leaving
    out the treated alone would make the groups unlike. Left out, too, are those whose contact the
    plan keeps for an earlier one, with whose approval it was logged: it is one contact, not two.
    But where that was with another draw, its customer is there, not contacted by this plan: else
    the treated whom somebody had promised a contact would be missing from the draw in force until
    they are planned for again, and the control customers among them wouldn't.

    Args:
        predictions: the table of the latest predictions.
        experiment: as it is in force; its groups are recorded while it runs.
        now: aware; when the plan was approved.
        percent: of the offers by level, as the plan's release has them.
        messages: decision id -> message, of the contacts whose template was drawn.
        of_other_draws: what `kept_of_other_draws` has found.
        terms: decision id -> `contact_cost` and `contact_from` of the plan's contacts.
    """
    contacts = {row["customer_id"]: row for row in plan.contacts.to_pylist()}
    excluded = {row["customer_id"] for row in plan.excluded.to_pylist() if row["rule"] in EARLIER}
    drawn = experiment.enabled
    of_all = {
        "time": now.astimezone(UTC),
        "source": "campaign",
        "policy": "campaign",
        "baseline": False,
        "period": experiment.draw(now) if drawn else None,
        "control_share": experiment.control_share if drawn else None,
        "delay_days": 0,
    }
    draws = {row["customer_id"]: row for row in plan.draws.to_pylist()}
    records = []
    for row in predictions.to_pylist():
        identity = row["customer_id"]
        contact, draw = contacts.get(identity), draws.get(identity, {})
        group = group_of(identity, experiment, now) if drawn else None
        if group == CONTROL:  # promised before the group was drawn anew: no list has them now
            contact, draw = None, {}
        if contact and contact["decision_id"] in of_other_draws:
            contact = None
        if contact is None and identity in excluded:
            continue
        if contact and not _is_own(contact, plan):
            continue
        decision_id = f"{plan.plan_id}:{identity}"
        template = template_record((messages or {}).get(decision_id))
        value = of_all | {"decision_id": decision_id, "group": group}
        value |= _predicted(row) | _chosen(contact, draw, percent)
        value |= (terms or {}).get(decision_id, {}) if contact else {}
        value |= dict(zip(TEMPLATE, template, strict=True))
        records.append(tuple(value.get(name) for name in COLUMNS))
    return records


def _predicted(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a record has of a customer's row of the predictions."""
    return {
        "customer_id": row["customer_id"],
        "release_id": row["release_id"],
        "observation": [row["churn_risk"], *(row[f"accept_prob_{i}"] for i in range(4))],
        "churn_risk": row["churn_risk"],
        "customer_value": MONTHS_OF_VALUE * row["monthly_charges"],
    }


def _chosen(
    contact: Mapping[str, Any] | None,
    draw: Mapping[str, Any],
    percent: Sequence[int],
) -> dict[str, Any]:
    """What a record has of the plan's contact, and of the draw that made it or left it out.

    Args:
        contact: a row of the plan's contacts; None: it contacts the customer not.
        draw: a row of its draws; empty: nothing was drawn, so that what is done was certain.
    """
    propensity = contact["propensity"] if contact else draw.get("propensity")
    return {
        "contact": contact is not None,
        "offer_level": percent.index(contact["offer_percentage"]) if contact else 0,
        "propensity": 1.0 if propensity is None else propensity,
        "exploration": draw.get("chance"),
        "preferred": draw.get("preferred"),
        "runner_up": draw.get("runner_up"),
        "expected_value": contact["expected_value"] if contact else 0.0,
        "expected_cost": contact["expected_cost"] if contact else 0.0,
    }


def _is_own(contact: Mapping[str, Any], plan: Plan) -> bool:
    """Whether a contact is the plan's own, and not one that it keeps for an earlier plan."""
    return str(contact["decision_id"]).startswith(f"{plan.plan_id}:")
