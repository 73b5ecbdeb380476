"""A plan's way from draft to hand-over: `Campaigns`, which commands and routes call.

A plan is a draft until a person approves it. Its contacts are then promises, which later plans
keep. The contacts of a day are exported, sent by the company's own system, and handed over: written
to the ledger, all of them or none, and never twice, whoever asks how often.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contact_list import contact_rows, name_tag
from churn_assets.campaign.contacts.history import PLANNED, Event
from churn_assets.campaign.contacts.ledger import (
    Ledger,
    add_step,
    approved_plans,
    insert_events,
    known_keys,
    recent_contacts,
    set_status,
    status_of,
)
from churn_assets.campaign.decided import decisions_of
from churn_assets.campaign.eligibility import NOBODY, RULES, Crowd, Terms, Window, eligible
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.people import Person, known_people, read_ids
from churn_assets.campaign.planning.plan import CONTACTS, Group, Plan, Planner, Sources
from churn_assets.campaign.spending import followed_price
from churn_assets.customers.people import people_file
from churn_assets.domain.experiment import (
    CONTROL,
    ExperimentConfig,
    exploration_draw,
    group_of,
)
from churn_assets.messages.shield.rules import RULES_PATH, load_rules
from churn_assets.release import budget_price
from churn_assets.release.bundle import message_seed
from churn_assets.release.experiment import in_force
from churn_assets.release.offers import offers_in_service
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.decision_log.parts import append
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.zones import zone_info
from churn_assets.storage.current import current_artifact
from churn_assets.storage.protocol import ARTIFACT, Artifact, ArtifactStore
from churn_assets.storage.scratch import scratch_folder

ASSET = "campaign_plan"


@dataclass(frozen=True)
class Due:
    """Contacts of a day that can be sent, and when; how many can't any more, by the reason, or are
    handed over already; and the customers' predictions."""

    contacts: list[dict[str, Any]]
    windows: list[Window]
    dropped: Counter[str]
    done: int
    customers: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class HandOver:
    """What a hand-over came to: contacts written now, there already, and dropped by the reason."""

    new: int
    already: int
    dropped: dict[str, int]


class Campaigns:
    """Plans of one company.

    Args:
        default_zone: where customers live whose zone nobody knows.
        experiment: its settings; whose control group nobody is contacted of, while it runs.
    """

    def __init__(
        self,
        store: ArtifactStore,
        ledger: Ledger,
        config: CampaignConfig,
        default_zone: str,
        experiment: ExperimentConfig | None = None,
    ) -> None:
        self.store = store
        self.ledger = ledger
        self.config = config
        self.default_zone = default_zone
        self.experiment = experiment or ExperimentConfig()

    def changed(self, **changes: Any) -> Campaigns:
        """The same with other settings."""
        config = self.config.model_copy(update=changes)
        return Campaigns(self.store, self.ledger, config, self.default_zone, self.experiment)

    def now(self) -> datetime:
        """The present by the company's own clock, whose days plans have."""
        return datetime.now(zone_info(self.default_zone))

    # ---- planning

    def planner(self, now: datetime) -> Planner:
        """What plans from the latest predictions under the settings.

        Raises:
            CampaignError: the predictions are another release's than the one in service.
            ArtifactError: there are no predictions, or no release.
        """
        registry = ReleaseRegistry(self.store)
        folder = self.store.get(current_artifact(self.store, "predictions"))
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        serving = registry.serving()
        if serving is None or serving.release_id != report["release_id"]:
            raise CampaignError(
                f"the predictions are by release {report['release_id']}, which doesn't serve: "
                "materialize predictions, then plan again"
            )
        rules, running = self.config.rules, in_force(self.store, self.experiment)
        table, histories = pq.read_table(folder / "predictions.parquet"), self.ledger.histories()
        assessor = Assessor.load(registry.folder())
        price = followed_price(
            self.store, self.config, running, assessor, table, histories, serving.release_id, now
        )
        sources = Sources(
            table=table,
            assessor=assessor.priced(price.price if price else None),
            release_id=serving.release_id,
            baseline=bool(report["baseline"]),
            budget_a_period=float(report["budget"]),
            quiet=load_rules(RULES_PATH).quiet_hours,
            zones=(self.default_zone,),
            people=self._people(),
            histories=histories,
            price=price,
            suppressed=read_ids(rules.suppression_list) if rules.suppression_list else frozenset(),
            promises=self._promises(now.date()),
            in_control=self._control(now),
            exploration=running.exploration if running.explores and not report["baseline"] else 0.0,
            draw=lambda customer_id: exploration_draw(
                customer_id, running, now, serving.release_id
            ),
        )
        return Planner(sources, self.config, now)

    def plan(self, now: datetime, who: str, *, curves: bool = True) -> Plan:
        """Make a draft, and keep it; its price of money is in force now. Raises as `planner`."""
        planner = self.planner(now)
        plan = planner.plan(curves=curves)
        budget_price.write(self.store, planner.sources.price)
        with scratch_folder(ASSET) as folder:
            plan.save(folder)
            artifact = self.store.put(ASSET, folder)
        content = {
            "artifact": artifact.model_dump(),
            "created": now.isoformat(),
            "days": plan.report["days"],
        }
        self.ledger.add_plan(plan.plan_id, json.dumps(content), who)
        return plan

    def show(self, plan_id: str | None = None) -> tuple[Plan, str]:
        """A plan (the newest where none is named) and its status; raises CampaignError."""
        found, content, status = self._known(plan_id)
        folder = self.store.get(ARTIFACT.validate_python(content["artifact"]))
        plan = Plan.load(folder)
        if plan.plan_id != found:
            raise CampaignError(f"{folder} holds plan {plan.plan_id}, not {found}")
        return plan, status

    def artifact(self, plan_id: str) -> Artifact:
        """Where a plan is kept; raises CampaignError for one that isn't there."""
        found: Artifact = ARTIFACT.validate_python(self._known(plan_id)[1]["artifact"])
        return found

    # ---- what people decide

    def approve(self, plan_id: str | None, who: str, now: datetime) -> str:
        """Make a draft's contacts promises; returns the plan's id.

        Raises:
            CampaignError: it is no draft, or doesn't keep what another plan has promised.
        """
        plan, _ = self.show(plan_id)
        predictions, experiment = self._predictions(), in_force(self.store, self.experiment)
        percent = offers_in_service(self.store).percent
        records = decisions_of(plan, predictions, experiment, now, percent)
        known = {*plan.contacts["decision_id"].to_pylist(), *plan.report["promises"]}
        with self.ledger.writing() as connection:
            status = status_of(connection, plan.plan_id)
            if status == "approved":
                return plan.plan_id
            if status != "draft":
                raise CampaignError(f"plan {plan.plan_id} is {status}: make another one")
            for other, content in approved_plans(connection):
                contacts = self._open_contacts(connection, content, now.date())
                if forgotten := sum(row["decision_id"] not in known for row in contacts):
                    raise CampaignError(
                        f"plan {other} was approved and promises {forgotten} contacts that plan "
                        f"{plan.plan_id} doesn't know of: plan again, or cancel {other}"
                    )
                set_status(connection, other, "replaced", who)
            set_status(connection, plan.plan_id, "approved", who)
            # Before the approval is final: a decision that is logged twice counts once.
            append(self.store, records)
        return plan.plan_id

    def cancel(self, plan_id: str | None, who: str) -> str:
        """Take a plan back; what was handed over stays. Returns the plan's id."""
        found, _, _ = self._known(plan_id)
        with self.ledger.writing() as connection:
            if status_of(connection, found) != "cancelled":
                set_status(connection, found, "cancelled", who)
        return found

    # ---- the list

    def due(self, plan: Plan, day: date, now: datetime) -> Due:
        """The day's contacts that aren't handed over yet, tried on every rule once more: somebody
        may have opted out since, or been contacted another way."""
        rows = [row for row in plan.contacts.to_pylist() if row["day"] == day]
        done = self.ledger.known(f"{PLANNED}{row['decision_id']}" for row in rows)
        rows = [row for row in rows if f"{PLANNED}{row['decision_id']}" not in done]
        customers = self._customers({row["customer_id"] for row in rows})
        known = [row for row in rows if row["customer_id"] in customers]
        people, terms, in_control = self._people(), self._terms(day, now), self._control(now)
        ids = [row["customer_id"] for row in known]
        crowd = Crowd(
            ids,
            np.array([customers[i]["tenure"] for i in ids]),
            np.array([customers[i]["monthly_charges"] for i in ids]),
            people,
            self.ledger.histories(ids),
            np.array([in_control(i) for i in ids], dtype=bool),
        )
        found, names, channels = eligible(crowd, terms), list(RULES), list(terms.channels)
        due = Due([], [], Counter(), len(done), customers)
        due.dropped["unknown_customer"] += len(rows) - len(known)
        for i, row in enumerate(known):
            person = people.get(row["customer_id"], NOBODY)
            window = None
            if row["channel"] in channels:
                window = found.windows[person.zone][0][channels.index(row["channel"])]
            if window is None or not found.open[i, 0, channels.index(row["channel"])]:
                rule = int(found.rule[i])
                due.dropped[names[rule] if rule >= 0 else "channel_closed"] += 1
            else:
                due.contacts.append(row)
                due.windows.append(window)
        return due

    def export(
        self, plan_id: str | None, day: date, now: datetime
    ) -> tuple[str, list[dict[str, Any]]]:
        """The plan's id, and the contact list of a day, rows as in `contact_list.LIST`.

        Raises:
            CampaignError: the plan isn't approved, or too old.
        """
        plan = self._usable(plan_id, now)
        due = self.due(plan, day, now)
        folder = ReleaseRegistry(self.store).folder()
        engine = RetentionEngine.load(folder, self.default_zone)
        return plan.plan_id, contact_rows(
            due.contacts,
            due.windows,
            due.customers,
            self._people(),
            engine,
            message_seed(folder),
            name_tag(self.config.dialect, self.config.name_tag),
        )

    def hand_over(self, plan_id: str | None, day: date, now: datetime, who: str) -> HandOver:
        """Write a day's contacts to the ledger; again, it changes nothing.

        Nobody is written who was contacted within the cooldown by whatever other way, at the same
        moment even.

        Raises:
            CampaignError: the plan isn't approved, or too old.
        """
        plan = self._usable(plan_id, now)
        due = self.due(plan, day, now)
        since = now - timedelta(days=self.config.rules.cooldown_days)
        with self.ledger.writing() as connection:
            if status_of(connection, plan.plan_id) != "approved":
                raise CampaignError(f"plan {plan.plan_id} is not approved any more")
            events = [
                Event(
                    event_key=f"{PLANNED}{row['decision_id']}",
                    customer_id=row["customer_id"],
                    kind="sent",
                    occurred_at=window.not_before,
                    channel=row["channel"],
                    offer_percentage=row["offer_percentage"],
                    plan_id=plan.plan_id,
                )
                for row, window in zip(due.contacts, due.windows, strict=True)
            ]
            lately: set[str] = set()
            if self.config.rules.cooldown_days:
                customers = [event.customer_id for event in events]
                lately = recent_contacts(connection, customers, since)
            new = insert_events(connection, [e for e in events if e.customer_id not in lately])
            if new:
                add_step(connection, plan.plan_id, f"handed over {day.isoformat()}", who)
        due.dropped["cooldown"] += len(lately)
        return HandOver(new, due.done, dict(+due.dropped))

    # ---- parts

    def _terms(self, day: date, now: datetime) -> Terms:
        rules = self.config.rules
        return Terms(
            rules,
            self.config.channels,
            [day],
            read_ids(rules.suppression_list) if rules.suppression_list else frozenset(),
            load_rules(RULES_PATH).quiet_hours,
            rules.zones or (self.default_zone,),
            now,
        )

    def _customers(self, wanted: set[str]) -> dict[str, dict[str, Any]]:
        """Customer id -> the row of their latest prediction."""
        table = self._predictions()
        chosen = table.filter(pc.is_in(table["customer_id"], pa.array(wanted, pa.string())))
        return {row["customer_id"]: row for row in chosen.to_pylist()}

    def _control(self, now: datetime) -> Group:
        """Whether somebody is in the control group that is in force now."""
        running = in_force(self.store, self.experiment)
        return lambda customer_id: group_of(customer_id, running, now) == CONTROL

    def _predictions(self) -> pa.Table:
        folder = self.store.get(current_artifact(self.store, "predictions"))
        return pq.read_table(folder / "predictions.parquet")

    def _people(self) -> dict[str, Person]:
        return known_people(people_file(self.store), self.config.people)

    def _usable(self, plan_id: str | None, now: datetime) -> Plan:
        """An approved plan that is fresh enough to be sent."""
        plan, status = self.show(plan_id)
        if status != "approved":
            raise CampaignError(
                f"plan {plan.plan_id} is {'a draft' if status == 'draft' else status}: "
                + ("approve it first" if status == "draft" else "make another one")
            )
        age = now - datetime.fromisoformat(plan.report["created"])
        if age > timedelta(hours=self.config.max_age_hours):
            raise CampaignError(
                f"plan {plan.plan_id} is {age / timedelta(hours=1):.0f} hours old, and "
                f"{self.config.max_age_hours:g} are allowed: plan again, it keeps the promises"
            )
        return plan

    def _known(self, plan_id: str | None) -> tuple[str, dict[str, Any], str]:
        found = self.ledger.plan(plan_id)
        if found is None:
            named = f"there is no plan {plan_id}" if plan_id else "there is no plan yet"
            raise CampaignError(f"{named}: make one with `churn campaign plan`")
        return found[0], json.loads(found[1]), found[2]

    def _open_contacts(
        self, connection: sa.Connection, content: str, today: date
    ) -> list[dict[str, Any]]:
        """Contacts of an approved plan that are still to come and aren't handed over."""
        artifact = ARTIFACT.validate_python(json.loads(content)["artifact"])
        rows = Plan.load(self.store.get(artifact)).contacts.to_pylist()
        rows = [row for row in rows if row["day"] >= today]
        done = known_keys(connection, [f"{PLANNED}{row['decision_id']}" for row in rows])
        return [row for row in rows if f"{PLANNED}{row['decision_id']}" not in done]

    def _promises(self, today: date) -> pa.Table:
        if self.ledger.is_absent():
            return CONTACTS.empty_table()
        with self.ledger.reading() as connection:
            rows = [
                row
                for _, content in approved_plans(connection)
                for row in self._open_contacts(connection, content, today)
            ]
        return pa.Table.from_pylist(rows, schema=CONTACTS)
