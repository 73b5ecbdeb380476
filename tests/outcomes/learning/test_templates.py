"""From answers back to the templates that are served, and what is kept of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bandit import (
    Audience,
    Outcome,
    TemplateBandit,
    TemplateChooser,
    template_id,
)
from churn_assets.messages.writing.bank import Author, MessageBank, ScoredTemplate
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.learning.templates import (
    answered,
    known_templates,
    learn,
    preference_rows,
)
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.answers.generation import LiveWriter
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.storage.local import LocalArtifactStore
from tests.release.small_release import BANK_TEMPLATE

DAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = DAY + timedelta(days=20)
CUSTOMERS = 400
GOOD, POOR = 0.4, 0.05  # acceptance of the best template, and of all others


def decide(
    engine: RetentionEngine,
    store: LocalArtifactStore,
    chooser: TemplateChooser | None,
    day: datetime,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The same kind of customer asked about many times: records of that day, and the answers."""
    requests = [
        engine.form.model.model_validate({**engine.form.sample, "customer_id": f"C{i}"})
        for i in range(CUSTOMERS)
    ]
    with closing(DecisionWriter(store, flush_seconds=3_600)) as writer:
        answers = engine.predict_many(
            requests, now=day, templates=chooser, decisions=writer, explain=False
        )
    log = parts.read(store, since=day.date()).to_pandas()
    return log[log["time"] == day], answers


def answer(log: pd.DataFrame, best: str, feedback: SqliteFeedbackLog, others: float = POOR) -> None:
    """What the customers do, who like one template; `others` is the acceptance of the rest."""
    rng = np.random.default_rng(0)
    for row in log.to_dict("records"):
        accepted = rng.random() < (GOOD if row["template"] == best else others)
        event = {
            "event_id": f"e-{row['decision_id']}",
            "customer_id": row["customer_id"],
            "decision_id": row["decision_id"],
            "kind": "accepted" if accepted else "refused",
            "occurred_at": (row["time"] + timedelta(days=2)).isoformat(),
        }
        feedback.record(event["event_id"], json.dumps(event))


def decided_and_answered(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A day's decisions, each with a template that was drawn and none that is better: the log, and
    the table of `campaign_outcomes`."""
    store = LocalArtifactStore(folder / "store")
    log, _ = decide(engine, store, TemplateChooser(), DAY)
    answer(log, "", feedback)
    return log, outcomes(store, feedback)


@pytest.fixture
def feedback(tmp_path: Path) -> Iterator[SqliteFeedbackLog]:
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        yield log


def outcomes(store: LocalArtifactStore, feedback: SqliteFeedbackLog) -> pd.DataFrame:
    events = [json.loads(event) for event in feedback.events()]
    table = join(parts.read(store).to_pandas(), events, OutcomesConfig(), LATER).table
    return without_ids(table)


def test_the_better_template_is_served_more_often(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    """Decision, answer, outcome, state, next decision: and each probability is a frequency."""
    store = LocalArtifactStore(tmp_path / "store")
    first, answers = decide(engine, store, TemplateChooser(), DAY)
    arms = sorted(first["template"].unique())
    assert len(arms) >= 3  # a generated one and the reviewed ones
    assert {a["metadata"]["template_probability"] for a in answers} == {round(1 / len(arms), 4)}
    best = arms[0]
    answer(first, best, feedback)
    learn(outcomes(store, feedback), 14, LATER).save(tmp_path / "templates.json")

    chooser = TemplateChooser(TemplateBandit.load(tmp_path / "templates.json"))
    second, _ = decide(engine, store, chooser, LATER)
    before, after = (Counter(log["template"]) for log in (first, second))
    assert after[best] > 1.5 * before[best]
    for template, theirs in second.groupby("template"):
        assert theirs["template_probability"].nunique() == 1
        logged = theirs["template_probability"].iloc[0]
        spread = 4 * np.sqrt(logged * (1 - logged) / CUSTOMERS)
        assert after[template] / CUSTOMERS == pytest.approx(logged, abs=spread)
    assert decide(engine, store, chooser, LATER)[1][0]["message"]  # and asked again, the same
    again = parts.read(store, since=LATER.date()).to_pandas().groupby("customer_id")["template"]
    assert again.nunique().max() == 1


def test_winners_and_losers_become_pairs_of_the_corpus(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    store = LocalArtifactStore(tmp_path / "store")
    log, _ = decide(engine, store, TemplateChooser(), DAY)
    texts = known_templates(store)
    best = next(t for t in sorted(log["template"].unique()) if t in texts)
    answer(log, best, feedback, others=0.0)  # so that chance makes no second winner
    bandit = learn(outcomes(store, feedback), 14, LATER)
    rows = list(preference_rows(bandit, texts))
    assert rows
    for row in rows:
        assert row["chosen"] == texts[best] != row["rejected"]
        assert row["source"] == "answers"
        assert row["prompt"].endswith(" nothing:\n")  # what the sample's customer has
    assert list(preference_rows(bandit, {best: "x"})) == []  # who lost isn't known any more


def test_a_pair_asks_for_what_its_audience_has() -> None:
    """Why: a prompt with fewer services than the readers had, or others, teaches what nobody saw.
    Whose services weren't kept may not have had those that a template names."""
    good, bad, streaming = ("Hi {name}, good.", "Hi {name}, bad.", "Hi {name}, enjoy streaming.")
    texts = {template_id(text): text for text in (good, bad, streaming)}
    of = (10, "long", "One year", "warm")
    for audience, found in (
        (Audience.read([*of, ["streaming", "internet"], ["name"], "en"]), (good, streaming)),
        (Audience.read([*of, [], ["name"], "en"]), (good,)),
        (Audience.read(of), (good,)),
    ):
        bandit = TemplateBandit()
        for text in (*found, bad):
            came = [Outcome(audience, template_id(text), text != bad)] * 200
            bandit.learn(came)
        rows = {row["chosen"]: row["prompt"] for row in preference_rows(bandit, texts)}
        assert rows.keys() == set(found)
        services = "internet streaming" if audience.services else "nothing"
        assert rows[good] == f"10% long yearly warm about yearly {services}:\n"
        if streaming in found:
            assert rows[streaming] == f"10% long yearly warm about streaming {services}:\n"
    bandit = TemplateBandit()
    for text in (streaming, bad):
        bandit.learn([Outcome(Audience.read(of), template_id(text), text != bad)] * 200)
    assert list(preference_rows(bandit, texts)) == []


def test_a_log_without_services_is_still_read(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    """Why: the version before wrote offer, band, contract and tone alone."""
    log, table = decided_and_answered(engine, feedback, tmp_path)
    before = table.assign(audience=[json.dumps(json.loads(a)[:4]) for a in table["audience"]])
    now, then = (learn(each, 14, LATER) for each in (table, before))
    assert now.answers == then.answers
    audience = Audience.read(json.loads(table["audience"].iloc[0]))
    assert audience.services == ()
    arms = sorted(log["template"].unique())
    informed, own = (bandit.probabilities(audience, arms) for bandit in (then, now))
    assert 1 / len(arms) < informed.max() < own.max()  # as much as a prior says


def test_kept_releases_know_their_templates(bundle: Path, tmp_path: Path) -> None:
    """A bank's and the reviewed texts, by what the log calls them."""
    store = LocalArtifactStore(tmp_path / "store")
    reviewed = known_templates(store)
    ReleaseRegistry(store).publish(bundle)
    known = known_templates(store)
    assert known.items() > reviewed.items()
    assert all(template_id(text) == identity for identity, text in known.items())
    bank = MessageBank.load(bundle / "messages" / "bank.json").cells().values()
    assert {t.text for cell in bank for t in cell} <= set(known.values())


def test_an_answer_counts_once_its_days_are_over(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    """Why: acceptances come before it is known who will not answer."""
    _, table = decided_and_answered(engine, feedback, tmp_path)
    assert list(answered(table, 14, DAY + timedelta(days=13))) == []
    late = list(answered(table, 14, DAY + timedelta(days=14)))
    assert len(late) == CUSTOMERS
    assert sum(outcome.success for outcome in late) == table["accepted"].sum()
    assert not any(outcome.success for outcome in answered(table, 1, LATER))  # they took two days


def test_what_was_never_sent_says_nothing(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    """Why: a decision that somebody only looked at is no refusal."""
    store = LocalArtifactStore(tmp_path / "store")
    log, _ = decide(engine, store, TemplateChooser(), DAY)
    assert len(list(answered(outcomes(store, feedback), 14, LATER))) == CUSTOMERS
    row = log.iloc[0]
    event = {"event_id": "s1", "customer_id": row["customer_id"], "kind": "sent"}
    told = {"decision_id": row["decision_id"], "occurred_at": DAY.isoformat()}
    feedback.record("s1", json.dumps(event | told))
    [only] = answered(outcomes(store, feedback), 14, LATER)
    assert (only.template, only.success) == (row["template"], False)


ENDINGS = ("from us", "with care", "with thanks", "from all of us", "to say thank you")


class Novelist:
    """A language model that hardly ever writes the same twice."""

    author: Author = "model"

    def __init__(self) -> None:
        self.written = 0

    def candidates(self, brief: MessageBrief, seed: str, until: float) -> list[ScoredTemplate]:
        self.written += 1
        ending = ENDINGS[self.written % len(ENDINGS)]
        return [ScoredTemplate(BANK_TEMPLATE.replace("from us", ending), 1.0)]


def test_what_was_written_on_the_spot_is_not_learnt_from(
    engine: RetentionEngine,
    feedback: SqliteFeedbackLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: a text that is sent once says nothing of the next. What the bank wrote without a draw
    counts: the next customer may read it."""
    store = LocalArtifactStore(tmp_path / "store")
    with monkeypatch.context() as patched:
        patched.setattr(engine, "live_writer", LiveWriter(engine.writer, Novelist()))
        live, answers = decide(engine, store, None, DAY)
    assert len({answer["message"] for answer in answers}) == len(ENDINGS)
    assert set(live["message_source"]) == {"model"}
    answer(live, "", feedback)
    assert learn(outcomes(store, feedback), 14, LATER).counts == {}
    log, _ = decide(engine, store, None, DAY + timedelta(days=1))
    assert log["template_probability"].isna().all()
    assert len(list(answered(outcomes(store, feedback), 14, LATER))) == CUSTOMERS


def test_the_state_holds_no_customer(
    engine: RetentionEngine, feedback: SqliteFeedbackLog, tmp_path: Path
) -> None:
    """Why: erasing a customer must not need to find them there."""
    store = LocalArtifactStore(tmp_path / "store")
    log, _ = decide(engine, store, TemplateChooser(), DAY)
    answer(log, "", feedback)
    learn(outcomes(store, feedback), 14, LATER).save(tmp_path / "state.json")
    state = json.loads((tmp_path / "state.json").read_text())
    kept = {*Audience._fields, "template", "successes", "failures"}
    assert all(arm.keys() == kept for arm in state["arms"])
    assert "C1" not in (tmp_path / "state.json").read_text()
