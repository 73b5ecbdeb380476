"""Which template each contact of a plan is written with, where answers are learnt from.

Templates are drawn once, when the plan is approved, and stand in the decision log from then on:
each list of the plan is written with them, whatever answers have said since. Only a customer whose
facts have changed so that the drawn template doesn't suit them any more is written another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow.compute as pc

from churn_assets.campaign.contact_list import message_of
from churn_assets.campaign.eligibility import NOBODY
from churn_assets.campaign.people import Person
from churn_assets.campaign.planning.plan import Plan
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.messages.writing.writer import Message
from churn_assets.release.bundle import message_seed
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.decision_log import parts
from churn_assets.serving.engine import RetentionEngine
from churn_assets.storage.protocol import ArtifactStore

NOON = time(12, tzinfo=UTC)


def drawn(
    plan: Plan,
    customers: Mapping[str, Mapping[str, Any]],
    people: Mapping[str, Person],
    store: ArtifactStore,
    chooser: TemplateChooser,
    default_zone: str,
) -> dict[str, Message]:
    """Decision id -> message, by a hash of the decision; of the plan's own contacts, not of those
    that an earlier plan has promised, whose templates were drawn then."""
    folder = ReleaseRegistry(store).folder()
    engine, seed = RetentionEngine.load(folder, default_zone), message_seed(folder)
    found = {}
    for contact in plan.contacts.to_pylist():
        identity, customer_id = contact["decision_id"], contact["customer_id"]
        if identity.startswith(f"{plan.plan_id}:") and customer_id in customers:
            found[identity] = message_of(
                engine,
                contact,
                customers[customer_id],
                people.get(customer_id, NOBODY),
                datetime.combine(contact["day"], NOON),
                seed=f"{identity}:{seed}",
                chooser=chooser,
            )
    return found


def logged(store: ArtifactStore, plan: Plan) -> dict[str, str]:
    """Decision id -> id of the template that was drawn, of the plan's contacts."""
    identities = plan.contacts["decision_id"].to_pylist()
    if not identities:
        return {}
    # The oldest plan that promised one of them begins its id with its first day; elsewhere on earth
    # that may still be the day before.
    first = date.fromisoformat(min(identities)[:8])
    log = parts.read(store, since=first - timedelta(days=1))
    mine = log.filter(pc.is_in(log["decision_id"], plan.contacts["decision_id"].combine_chunks()))
    pairs = zip(mine["decision_id"].to_pylist(), mine["template"].to_pylist(), strict=True)
    return {identity: template for identity, template in pairs if template}
