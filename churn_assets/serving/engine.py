"""The retention engine: one release in memory, requests in, the specification's answers out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict, Field

from churn_assets.customers.languages import Language
from churn_assets.customers.people import NOBODY_KNOWN, Addressees
from churn_assets.customers.schema import SchemaError
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.policy import price_of
from churn_assets.domain.contact_rules import RULES
from churn_assets.domain.experiment import CONTROL, ExperimentConfig, Group, group_of
from churn_assets.messages.shield.brief import TENURE_BOUNDS, MessageBrief, Tone
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.writer import Message, MessageWriter
from churn_assets.release.bundle import Manifest, ReleaseError, message_seed, verify
from churn_assets.serving.answers.figures import PLACES, Figures
from churn_assets.serving.answers.generation import LiveWriter, Writing
from churn_assets.serving.answers.messages import Defaults, Setting, message_metadata
from churn_assets.serving.assessment import Assessments, Assessor, draw_of
from churn_assets.serving.decision_log.records import DecisionSink, Served, log_answers
from churn_assets.serving.explain import top_reasons
from churn_assets.serving.forms import Form, load_form
from churn_assets.serving.schemas import CustomerRequest

NOBODY_EXCLUDED: Mapping[str, str] = {}
SAFE = {"passed": True, "violations": []}
NO_CONTRACTS = "it writes by kinds of contract, and these customers' aren't known"


class ServedMessages(BaseModel):
    """What serving needs of a release's message settings.

    Training settings come and go with the code; a release must stay loadable, so that it can be
    rolled back to. Hence only these few are read, and others are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    currency: str
    offer_months: int
    live_generation: bool = False
    live_candidates: int = 8
    live_seconds: float = 1.0
    generation: dict[str, Any] = Field(default_factory=dict)


class Options(TypedDict, total=False):
    """How requests are to be answered.

    now: an aware time, by which quiet hours are judged; the present if None.
    force_baseline: the kill switch, for all of them; each request may also set its own.
    with_message: False where only the decision is wanted.
    live: False has the bank write even where the language model is asked on the spot.
    until: the time of `time.monotonic()` from which on the bank writes in its place.
    explain: False where no `metadata.reasons` are wanted.
    exact: True leaves figures as they were computed, for comparing machines.
    experiment: by which some customers are left alone, and something else is tried now and then;
        None: neither.
    decisions: where the decisions are recorded; None: nowhere.
    budget_price: of a currency unit of discount; None: as the release has it.
    people: the zones and languages of customers whose requests name none, and who said no.
    excluded: customer id -> the rule (`domain.contact_rules.RULES`) that forbids to contact them.
    templates: chooses among the templates that pass, by what answers said of them; None: the best
        by score, in turn. A language model that is asked on the spot writes without it.
    """

    now: datetime | None
    force_baseline: bool
    with_message: bool
    live: bool
    until: float
    explain: bool
    exact: bool
    experiment: ExperimentConfig | None
    decisions: DecisionSink | None
    budget_price: float | None
    people: Addressees
    excluded: Mapping[str, str]
    templates: TemplateChooser | None


class RetentionEngine:
    """Answers from one release. Stateless after loading, so threads may share it.

    Attributes:
        release_id: what `metadata.release_id` says.
        manifest: the release's manifest; None while a release is being built.
        messages: the settings by which it answers.
        form: what its customers look like.
        live_writer: the language model itself, where the release was built with `live_generation`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        release_id: str,
        messages: ServedMessages,
        default_time_zone: str,
        manifest: Manifest | None = None,
    ) -> None:
        self.release_id = release_id
        self.manifest = manifest
        self.messages = messages
        self.form: Form = load_form(folder)
        self.defaults = Defaults.of(self.form.schema, default_time_zone)
        self.assessor = Assessor.load(folder)
        self._priced: tuple[float | None, Assessor] = (None, self.assessor)  # replaced whole
        months = self.form.offer_months or messages.offer_months
        renderer = Renderer(self.form.currency_sign(messages.currency), months)
        self.writer = MessageWriter.load(folder / "messages", renderer)
        self.reviewed_writer = MessageWriter(self.writer.shield, renderer)
        self.live_writer = self._load_live_writer(folder, messages)
        self._message_seed = message_seed(folder)

    @classmethod
    def load(cls, folder: Path, default_time_zone: str = "America/New_York") -> Self:
        """A release from its folder, after every file's digest was verified.

        Raises:
            ReleaseError: the folder is not exactly what its manifest says, or what it holds is of
                another version of this program.
        """
        manifest = verify(folder)
        try:
            return cls(
                folder,
                release_id=manifest.release_id,
                messages=ServedMessages.model_validate(manifest.settings["messages"]),
                default_time_zone=default_time_zone,
                manifest=manifest,
            )
        except (
            SchemaError,
            FileNotFoundError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:  # its bytes are as written
            what = " ".join(str(error).replace(f"{folder}/", "").split()) or type(error).__name__
            raise ReleaseError(
                f"release {manifest.release_id} was made by another version of this program, which "
                f"can't read it ({textwrap.shorten(what, 300)}): update the program, or serve "
                "another release (`churn rollback`)"
            ) from error

    @property
    def default_time_zone(self) -> str:
        """Of customers whose zone nobody knows."""
        return self.defaults.zone

    @property
    def stand_ins(self) -> dict[str, str]:
        """What serves in place of what the release was to serve, and why."""
        found = dict(self.manifest.stand_ins) if self.manifest else {}
        if self.live_writer is not None and self.live_writer.problem is not None:
            found["live_generation"] = f"the message bank: {self.live_writer.problem}"
        return found

    def predict(self, request: CustomerRequest, **options: Unpack[Options]) -> dict[str, Any]:
        """The answer to one request, in the shape of `PredictResponse`."""
        [answer] = self.predict_many([request], **options)
        return answer

    def predict_many(
        self, requests: Sequence[CustomerRequest], **options: Unpack[Options]
    ) -> list[dict[str, Any]]:
        """The answers to N requests; raises what the first that can't be answered has raised."""
        answers = []
        for answer in self.try_many(requests, **options):
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers

    def try_many(
        self, requests: Sequence[CustomerRequest], **options: Unpack[Options]
    ) -> list[dict[str, Any] | Exception]:
        """The answers to N requests: one vectorised pass, then a message for each contact.

        Whatever goes wrong with one request stands in its place; all the others are answered.
        """
        if not requests:
            return []
        try:
            return self._answers(requests, **options)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for this row
            if len(requests) == 1:
                return [error]
        half = len(requests) // 2  # one bad row among N is found in 2 log2(N) passes
        parts = requests[:half], requests[half:]
        return [answer for part in parts for answer in self.try_many(part, **options)]

    def _answers(
        self,
        requests: Sequence[CustomerRequest],
        *,
        now: datetime | None = None,
        force_baseline: bool = False,
        with_message: bool = True,
        live: bool = True,
        until: float = math.inf,
        explain: bool = True,
        exact: bool = False,
        experiment: ExperimentConfig | None = None,
        decisions: DecisionSink | None = None,
        budget_price: float | None = None,
        people: Addressees = NOBODY_KNOWN,
        excluded: Mapping[str, str] = NOBODY_EXCLUDED,
        templates: TemplateChooser | None = None,
    ) -> list[dict[str, Any] | Exception]:
        """`try_many`, but for what the pass over all of them raises."""
        rows = [self.form.row(request) for request in requests]
        baseline = [force_baseline or row["force_baseline"] for row in rows]
        now = now or datetime.now(UTC)
        groups = _groups(rows, experiment, now)
        ids = [row["customer_id"] for row in rows]
        out = [excluded.get(each) or people.rule_against(each) for each in ids]
        alone = [g == CONTROL or rule is not None for g, rule in zip(groups, out, strict=True)]
        draw = draw_of(ids, experiment, now, self.release_id)
        assessor = self._at(budget_price)
        prices = [_price_told(assessor.by(ruled), budget_price) for ruled in (False, True)]
        assessed = assessor.assess(rows, baseline, control=alone, explain=explain, draw=draw)
        reasons = self._reasons(assessed, rows)
        figures = Figures(assessed, exact, self.assessor.percent)
        ruled = Writing(self.reviewed_writer)
        learnt = Writing(self.writer, templates, self.live_writer if live else None, until)
        messages: list[Message | None] = [None] * len(rows)
        answers: list[dict[str, Any] | Exception] = []
        for i, row in enumerate(rows):
            by = ruled if baseline[i] else learnt
            try:
                told: dict[str, Any] = {"message_source": None, "send_not_before": None}
                if with_message and figures.contact[i]:
                    setting = Setting.of(row, people, self.defaults, now)
                    messages[i], told = self._write(row, figures.offer_percentage(i), setting, by)
                answer = self._answer(row, figures, i, baseline[i], reasons[i], messages[i], told)
                answer["metadata"] |= _circumstances(out[i], groups[i], prices[baseline[i]])
                if out[i] is None and (left := people.channels_of(ids[i])) is not None:
                    answer["metadata"]["channels"] = list(left)
                answers.append(answer)
            except Exception as error:  # noqa: BLE001 - handed to whoever asked for this row
                answers.append(error)
        if decisions is not None:
            log_answers(decisions, Served(rows, assessed, answers, messages, now, experiment))
        return answers

    def _at(self, budget_price: float | None) -> Assessor:
        """The assessor at a price. The last one is kept: a network's layers are made ready once."""
        if budget_price is None:
            return self.assessor
        price, assessor = self._priced
        if price != budget_price:
            assessor = self.assessor.priced(budget_price)
            self._priced = budget_price, assessor
        return assessor

    def _answer(
        self,
        row: Mapping[str, Any],
        figures: Figures,
        i: int,
        baseline: bool,
        reasons: list[dict[str, Any]],
        message: Message | None,
        told: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The i-th customer's answer; `told` is what its metadata says of the message."""
        metadata = {
            **figures.metadata(i),
            "baseline": baseline,
            "policy": self.assessor.by(baseline).name,
            "release_id": self.release_id,
            "reasons": reasons,
            "warnings": self.form.wording.warnings_of(row),
            **told,
        }
        return {
            "decision": figures.decision(i),
            "message": message.text if message else None,
            "safety": message.verdict.as_dict() if message else dict(SAFE),
            "metadata": metadata,
        }

    def _reasons(
        self, assessed: Assessments, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[list[dict[str, Any]]]:
        if assessed.contributions is None:
            return [[] for _ in rows]
        names = self.assessor.reasons[: assessed.contributions.shape[1]]
        return top_reasons(names, assessed.contributions, rows, wording=self.form.wording)

    def _load_live_writer(self, folder: Path, messages: ServedMessages) -> LiveWriter | None:
        if not messages.live_generation:
            return None
        if not self.form.customers.knows_contracts:
            return LiveWriter(self.writer, None, problem=NO_CONTRACTS)
        return LiveWriter.load(
            folder / "messages" / "live",
            self.writer,
            messages.generation,
            candidates=messages.live_candidates,
            seconds=messages.live_seconds,
        )

    def _write(
        self, row: Mapping[str, Any], offer_percentage: int, setting: Setting, by: Writing
    ) -> tuple[Message, dict[str, Any]]:
        """A customer's message, row in the form's fields, and what metadata says of it."""
        brief = self.brief_of(
            row,
            offer_percentage,
            setting.local_time,
            name=row["name"],
            tone=row["tone"],
            language=setting.language,
        )
        message, why = by.write(brief, f"{row['customer_id']}:{self._message_seed}", setting.day)
        return message, message_metadata(message, setting, self.writer.shield.rules, why)

    def brief_of(
        self,
        row: Mapping[str, Any],
        offer_percentage: int,
        when: datetime,
        *,
        name: str | None,
        language: Language,
        tone: Tone = "warm",
    ) -> MessageBrief:
        """The brief of a customer's message, row in the form's fields."""
        customers = self.form.customers
        spoken = customers.spoken_of(row, language)
        return MessageBrief(
            name=name,
            tenure=row["tenure"],
            offer_percentage=offer_percentage,
            monthly_charges=row["monthly_charges"],
            contract=spoken.contract,
            local_time=when,
            services=spoken.services,
            tone=tone,
            language=language,
            subject=spoken.subject,
            offers=self.assessor.percent,
            bounds=customers.bands or TENURE_BOUNDS,
        )


def _price_told(policy: Policy, price: float | None) -> float | None:
    """The price by which a policy decides; None for one that knows none."""
    return None if price_of(policy) is None else price


def _circumstances(rule: str | None, group: Group | None, price: float | None) -> dict[str, Any]:
    """What else metadata says, each where there is one: the rule that forbids a contact, the group
    of the experiment, and the budget's price."""
    said: dict[str, Any] = {}
    if rule:
        said["excluded"] = {"rule": rule, "text": RULES[rule]}
    if group is not None:
        said["group"] = group
    if price is not None:
        said["budget_price"] = round(price, PLACES)
    return said


def _groups(
    rows: Sequence[Mapping[str, Any]], experiment: ExperimentConfig | None, now: datetime
) -> Sequence[Group | None]:
    """Each customer's group; None where no experiment runs."""
    if experiment is None or not experiment.enabled:
        return [None] * len(rows)
    return [group_of(row["customer_id"], experiment, now) for row in rows]
