"""A plan's way from draft to hand-over: `Campaigns`, which commands and routes call.

A plan is a draft until a person approves it. Its contacts are then promises, which later plans
keep. What happens with the contacts of a day then is in `sending`.
"""

from __future__ import annotations

import json
import logging
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from churn_assets.campaign import sending, served, suppression, templates
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.ledger import (
    Ledger,
    approved_plans,
    set_status,
    status_of,
)
from churn_assets.campaign.decided import decisions_of, is_of_the_draw, kept_of_other_draws
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.people import Person, known_people
from churn_assets.campaign.planning.fingerprint import fingerprint
from churn_assets.campaign.planning.plan import Group, Plan, Planner, Sources
from churn_assets.campaign.planning.promises import CONTACTS
from churn_assets.campaign.planning.warnings import NO_CONTACT, NOBODY_GAINS
from churn_assets.campaign.sending import DayList, Delivery, HandOver
from churn_assets.campaign.spending import followed_price
from churn_assets.campaign.stored_plans import (
    artifact_of,
    load_plan,
    promised,
    put_plan,
    remove_unneeded,
)
from churn_assets.customers.counted import ACTIVE, fewer
from churn_assets.customers.people import people_file
from churn_assets.domain.experiment import (
    CONTROL,
    ExperimentConfig,
    exploration_draw,
    group_of,
)
from churn_assets.messages.shield.rules import RULES_PATH, load_rules
from churn_assets.messages.writing.writer import Message
from churn_assets.release.offers import offers_to
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price
from churn_assets.release.switches import templates as templates_in_force
from churn_assets.release.switches.experiment import in_force
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.decision_log.parts import append
from churn_assets.serving.zones import zone_info
from churn_assets.storage.current import current_artifact
from churn_assets.storage.protocol import Artifact, ArtifactError, ArtifactStore
from churn_assets.storage.tables import read_parquet

log = logging.getLogger(__name__)


class Campaigns:
    """Plans of one company.

    Args:
        default_zone: where customers live whose zone nobody knows.
        experiment: its settings; whose control group nobody is contacted of, while it runs.
        learn_from_answers: whether templates are drawn by what answers said of them.
        contract: the name of the customers' contract, whose rules `config` then has; None: none is.
    """

    def __init__(
        self,
        store: ArtifactStore,
        ledger: Ledger,
        config: CampaignConfig,
        default_zone: str,
        experiment: ExperimentConfig | None = None,
        *,
        learn_from_answers: bool = False,
        contract: str | None = None,
    ) -> None:
        self.store = store
        self.ledger = ledger
        self.config = config
        self.default_zone = default_zone
        self.experiment = experiment or ExperimentConfig()
        self.learn_from_answers = learn_from_answers
        self.contract = contract

    def changed(self, **changes: Any) -> Campaigns:
        """The same with other settings."""
        config = self.config.model_copy(update=changes)
        return Campaigns(
            self.store,
            self.ledger,
            config,
            self.default_zone,
            self.experiment,
            learn_from_answers=self.learn_from_answers,
            contract=self.contract,
        )

    def now(self) -> datetime:
        """The present by the company's own clock, whose days plans have."""
        return datetime.now(zone_info(self.default_zone))

    # ---- planning

    def planner(self, now: datetime) -> Planner:
        """What plans from the latest predictions under the settings.

        Raises:
            CampaignError: the predictions are another release's than the one in service, or that
                one isn't of the customers whose rules are known.
            ArtifactError: there are no predictions, or no release.
        """
        served.customers_of(self.store, self.contract)
        registry = ReleaseRegistry(self.store)
        folder = self.store.get(current_artifact(self.store, "predictions"))
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        serving = registry.serving()
        if serving is None or serving.release_id != report["release_id"]:
            raise CampaignError(
                f"the predictions are by release {report['release_id']}, which doesn't serve: "
                "run `churn materialize --job score_customers`, then plan again"
            )
        running = self._running()
        table, histories = read_parquet(folder / "predictions.parquet"), self.ledger.histories()
        listed = suppression.suppressed(self.store, self.config)
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
            people=self.people(),
            histories=histories,
            erased=self.ledger.erased(table["customer_id"].to_pylist()),
            price=price,
            suppressed=listed,
            unknown_ids=lambda: suppression.unknown_ids(listed, self.store, self.ledger),
            unknown_opt_outs=lambda: suppression.unknown_opt_outs(histories, self.store),
            promises=self._promises(now.date()),
            in_control=self.control(now),
            exploration=running.exploration if running.explores and not report["baseline"] else 0.0,
            draw=lambda customer_id: exploration_draw(
                customer_id, running, now, serving.release_id
            ),
            fewer=fewer(self.store, ACTIVE),
        )
        return Planner(sources, self.config, now)

    def plan(self, now: datetime, who: str, *, curves: bool = True) -> Plan:
        """Make a draft, and keep it; its price of money is in force now. Raises as `planner`."""
        return self._made(self.planner(now), who, curves)

    def draft(self, now: datetime, who: str) -> tuple[Plan, bool]:
        """A plan as `plan` would make it, and whether it is new: the newest one stays where it is a
        draft that may still be sent, from all the same and for the same days. Raises as `planner`.
        """
        planner = self.planner(now)
        if (known := self._same_draft(planner)) is None:
            return self._made(planner, who, curves=True), True
        budget_price.write(self.store, planner.sources.price)
        return known, False

    def _made(self, planner: Planner, who: str, curves: bool) -> Plan:
        plan = planner.plan(curves=curves)
        budget_price.write(self.store, planner.sources.price)
        content = {
            "artifact": put_plan(self.store, plan).model_dump(),
            "created": planner.now.isoformat(),
            "days": plan.report["days"],
            "made_from": fingerprint(planner, curves=curves),
        }
        self.ledger.add_plan(plan.plan_id, json.dumps(content), who)
        remove_unneeded(self.store, self.ledger, planner.now.date(), who)
        return plan

    def _same_draft(self, planner: Planner) -> Plan | None:
        """The newest plan, if it is a draft that `planner` would only make again."""
        plan_id, content, status = self.ledger.plan() or ("", "{}", "")
        told = json.loads(content)
        if status != "draft" or told.get("made_from") != fingerprint(planner, curves=True):
            return None
        if planner.now - datetime.fromisoformat(told["created"]) > self._max_age:
            return None
        try:
            return self.show(plan_id)[0]
        except ArtifactError as error:
            log.warning("plan %s is made again: %s", plan_id, error)
            return None

    def show(self, plan_id: str | None = None) -> tuple[Plan, str]:
        """A plan (the newest where none is named) and its status; raises CampaignError, and
        DamagedArtifactError where its files are lost."""
        found, content, status = self._known(plan_id)
        return load_plan(self.store, found, content), status

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Id, status, creation and days of the newest plans, the newest first."""
        found = []
        for plan_id, content, status in self.ledger.plans(count):
            told = json.loads(content)
            facts = {"created": told["created"], "days": told["days"]}
            found.append({"plan_id": plan_id, "status": status} | facts)
        return found

    def stored(self, plan_id: str | None = None) -> tuple[str, Artifact, str]:
        """Id, place and status of a plan (the newest where none is named); raises CampaignError for
        one that isn't there."""
        found, content, status = self._known(plan_id)
        return found, artifact_of(content), status

    # ---- what people decide

    def approve(self, plan_id: str | None, who: str, now: datetime) -> str:
        """Make a draft's contacts promises; returns the plan's id.

        Raises:
            CampaignError: it is no draft, of another control group than the one in force, too old
                to be sent, empty since the release finds nobody worth a contact, or breaks another
                plan's promise.
        """
        plan, _ = self.show(plan_id)
        if not plan.contacts.num_rows and NOBODY_GAINS in plan.report.get("warnings", ()):
            raise CampaignError(f"{NO_CONTACT.format(plan.plan_id)}. {NOBODY_GAINS}")
        percent = self._percent()
        served.refuse_gone_offers(plan, date.min, percent)
        predictions, experiment = self.predictions(), self._running()
        messages = self._drawn(plan, predictions)
        earlier = kept_of_other_draws(plan, self.store, experiment, now)
        terms = sending.contact_terms(self, plan, now)
        records = decisions_of(
            plan, predictions, experiment, now, percent, messages, earlier, terms
        )
        known = {*plan.contacts["decision_id"].to_pylist(), *plan.report["promises"]}
        with self.ledger.writing() as connection:
            status = status_of(connection, plan.plan_id)
            if status == "approved":
                return plan.plan_id
            if status != "draft":
                raise CampaignError(f"plan {plan.plan_id} is {status}: make another one")
            self._refuse_old(plan, now)
            if not is_of_the_draw(plan, experiment, now):
                raise CampaignError(
                    f"the control group is another one than plan {plan.plan_id} was made with: "
                    "plan again"
                )
            by_plan = promised(connection, self.store, now.date(), percent)
            for other, contacts in by_plan.items():
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
        """Take a plan back, by default the approved one, or the newest where none is; what was
        handed over stays. Returns the plan's id."""
        found, _, _ = self._known(plan_id or self.approved())
        with self.ledger.writing() as connection:
            if status_of(connection, found) != "cancelled":
                set_status(connection, found, "cancelled", who)
        return found

    # ---- the list

    def export(self, plan_id: str | None, day: date, now: datetime) -> DayList:
        """As `sending.export`."""
        return sending.export(self, plan_id, day, now)

    def hand_over(self, plan_id: str | None, day: date, now: datetime, who: str) -> HandOver:
        """As `sending.hand_over`."""
        return sending.hand_over(self, plan_id, day, now, who)

    def listed(self, plan: Plan) -> list[str]:
        """As `sending.days_listed`."""
        return sending.days_listed(self, plan)

    def deliver(self, day: date, now: datetime, who: str) -> Delivery:
        """As `sending.deliver`."""
        return sending.deliver(self, day, now, who)

    def approved(self) -> str | None:
        """The id of the plan that is approved, if one is."""
        if self.ledger.is_absent():
            return None
        with self.ledger.reading() as connection:
            found = approved_plans(connection)
        return found[-1][0] if found else None

    def open_plans(self) -> list[tuple[str, str]]:
        """Id and status of the approved plan, and of the newest one where that is a draft."""
        found = [(approved, "approved")] if (approved := self.approved()) else []
        newest = self.ledger.plans(1)
        return found + [(plan_id, status) for plan_id, _, status in newest if status == "draft"]

    # ---- parts

    def control(self, now: datetime) -> Group:
        """Whether somebody is in the control group that is in force now."""
        running = self._running()
        return lambda customer_id: group_of(customer_id, running, now) == CONTROL

    def _running(self) -> ExperimentConfig:
        """The experiment as it is in force; without their contract no company's are planned."""
        return in_force(self.store, self.experiment, own_customers=self.contract is not None)

    def predictions(self) -> pa.Table:
        """The latest ones, a row a customer."""
        folder = self.store.get(current_artifact(self.store, "predictions"))
        return read_parquet(folder / "predictions.parquet")

    def people(self) -> dict[str, Person]:
        """What is known of customers beside their predictions, by id."""
        return known_people(people_file(self.store), self.config.people, self.config.channels)

    def usable(self, plan_id: str | None, now: datetime) -> Plan:
        """A plan, by default the approved one; raises CampaignError where it isn't approved, or is
        too old to be sent."""
        plan, status = self.show(plan_id or self.approved())
        if status != "approved":
            raise CampaignError(
                f"plan {plan.plan_id} is {'a draft' if status == 'draft' else status}: "
                + ("approve it first" if status == "draft" else "make another one")
            )
        self._refuse_old(plan, now)
        served.refuse_gone_offers(plan, now.date(), self._percent())
        return plan

    def _refuse_old(self, plan: Plan, now: datetime) -> None:
        """Raise CampaignError for a plan of which nothing may be sent any more."""
        age = now - datetime.fromisoformat(plan.report["created"])
        if age > self._max_age:
            raise CampaignError(
                f"plan {plan.plan_id} is {age / timedelta(hours=1):.0f} hours old, and "
                f"{self.config.max_age_hours:g} are allowed: plan again, it keeps the promises"
            )

    @property
    def _max_age(self) -> timedelta:
        """Of a plan that is sent."""
        return timedelta(hours=self.config.max_age_hours)

    def _percent(self) -> tuple[int, ...]:
        """Of the offers by level. Raises as `served.customers_of`."""
        return offers_to(served.customers_of(self.store, self.contract)).percent

    def _drawn(self, plan: Plan, predictions: pa.Table) -> dict[str, Message]:
        """The messages of a plan's contacts, where templates are drawn at all."""
        chooser = templates_in_force.in_force(self.store, learn=self.learn_from_answers)
        if chooser is None:
            return {}
        wanted = pc.is_in(predictions["customer_id"], plan.contacts["customer_id"].combine_chunks())
        rows = {row["customer_id"]: row for row in predictions.filter(wanted).to_pylist()}
        return templates.drawn(plan, rows, self.people(), self.store, chooser, self.default_zone)

    def _known(self, plan_id: str | None) -> tuple[str, str, str]:
        found = self.ledger.plan(plan_id)
        if found is None:
            named = f"there is no plan {plan_id}" if plan_id else "there is no plan yet"
            raise CampaignError(f"{named}: make one with `churn campaign plan`")
        return found

    def _promises(self, today: date) -> pa.Table:
        if self.ledger.is_absent():
            return CONTACTS.empty_table()
        percent = self._percent()
        with self.ledger.reading() as connection:
            by_plan = promised(connection, self.store, today, percent)
        rows = [row for contacts in by_plan.values() for row in contacts]
        return pa.Table.from_pylist(rows, schema=CONTACTS)
