"""The writer: whatever the source offers, what is returned passes the shield."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.corpus.reviewed import reviewed_templates, topic_templates
from churn_assets.messages.shield.brief import TONES, MessageBrief
from churn_assets.messages.shield.rules import RULES_PATH
from churn_assets.messages.shield.slots import fill
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bandit import TemplateChooser, template_id
from churn_assets.messages.writing.bank import Author, Cell, MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, SAM, brief, briefs, judged

SHIELD = Shield.load()
GOOD = [
    "Hi {name}, we value your {tenure} with us! Please enjoy {offer} off for {months}.",
    "Hello {name}, thank you for your {tenure} with us. Here is {offer} off for {months}.",
]
BAD = "Hi {name}, urgent! Act now and take {offer} off your bill, it is a limited time deal."


class Source:
    author: Author = "model"

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def candidates(self, brief: MessageBrief, seed: str) -> list[ScoredTemplate]:
        return [ScoredTemplate(text, -float(i)) for i, text in enumerate(self.texts)]


@given(briefs, st.text(max_size=10))
def test_every_reviewed_template_passes_for_everybody(made: MessageBrief, seed: str) -> None:
    """Why: the fall-back is the last line; it must hold for every name and value."""
    for template in (*topic_templates(made.facts), *reviewed_templates(made.facts)):
        assert SHIELD.check_template(template, made).violations == ()
        assert SHIELD.may_be_served(template, made.facts)
    message = MessageWriter(SHIELD, RENDERER).write(made, seed)
    assert message.source == "template"
    assert message.verdict.passed
    assert message.name_doubt or made.name in message.text


@pytest.mark.parametrize(
    "name", ["you", "us", "we", "with", "for", "Or", "off", "now", "bill", "Lee Hi", "John Dear"]
)
@pytest.mark.parametrize("offer", OFFER_PERCENTAGES)
def test_a_name_that_is_a_word_of_the_message_is_served(name: str, offer: int) -> None:
    """Why: the shield looks for values in the text, and must not take our words for the name."""
    for tone in TONES:
        for tenure in (2, 12, 60):
            made = brief(name=name, offer_percentage=offer, tone=tone, tenure=tenure)
            for template in (*topic_templates(made.facts), *reviewed_templates(made.facts)):
                text = fill(template, RENDERER.values(made))
                assert judged(SHIELD, text, made).violations == ()


def test_generated_template_is_used_when_it_passes() -> None:
    """Why: the fall-back must not hide the model."""
    message = MessageWriter(SHIELD, RENDERER, Source([BAD, *GOOD])).write(SAM, "C1:r1")
    assert message.source == "model"
    assert message.template in GOOD
    assert message.verdict.passed


def test_where_reviewed_templates_are_the_best_they_go_first(tmp_path: Path) -> None:
    """Why: the model's are kept for answers to speak for: drawn among all, and written if chosen,
    but nobody's by default. The release's file says so; one that doesn't is of before."""
    cells = {Cell.of(SAM): [ScoredTemplate(text, 1.0) for text in GOOD]}
    MessageBank(cells, reviewed_first=True).save(tmp_path / "bank.json")
    (tmp_path / "rules.json").write_bytes(RULES_PATH.read_bytes())
    writer = MessageWriter.load(tmp_path, RENDERER)
    assert {writer.write(SAM, f"C{i}").source for i in range(30)} == {"template"}
    drawn = {writer.write(SAM, f"C{i}", TemplateChooser()).template for i in range(300)}
    assert drawn == {*GOOD, *topic_templates(SAM.facts), *reviewed_templates(SAM.facts)}
    assert writer.write(SAM, "C1", wanted=template_id(GOOD[0])).source == "model"
    saved = json.loads((tmp_path / "bank.json").read_text())
    del saved["reviewed_first"]
    (tmp_path / "bank.json").write_text(json.dumps(saved))
    assert MessageWriter.load(tmp_path, RENDERER).write(SAM, "C1").source == "model"


def test_a_reviewed_message_names_what_is_known_of_the_customer() -> None:
    """Why: a message that could go to anybody is what a retention team has already."""
    writer = MessageWriter(SHIELD, RENDERER)
    for language, words in (
        ("en", ("internet service", "phone line", "yearly plan")),
        ("es", ("conexión a internet", "línea de teléfono", "plan anual")),
    ):
        made = brief(language=language, services=("internet", "phone"), contract="One year")
        texts = [writer.write(made, f"C{i}").text for i in range(60)]
        assert all(any(word in text for word in words) for text in texts)
        assert all(any(word in text for text in texts) for word in words)
        shield = SHIELD.in_language(language)
        assert all(shield.gives_a_reason(text, made.facts) for text in texts)
        unknown = writer.write(brief(language=language, contract=None), "C1")
        assert unknown.template in reviewed_templates(brief(language=language).facts)


def test_no_passing_candidate_means_a_reviewed_template_and_says_so() -> None:
    """Why: the response tells where its words come from."""
    message = MessageWriter(SHIELD, RENDERER, Source([BAD, "", "{name}"])).write(SAM, "C1:r1")
    assert (message.source, message.verdict.passed) == ("template", True)


@given(st.lists(st.text(max_size=90), max_size=4), briefs)
def test_whatever_a_model_writes_the_message_passes(texts: list[str], made: MessageBrief) -> None:
    """Why: served messages pass at 100 %, not nearly."""
    assert MessageWriter(SHIELD, RENDERER, Source([*texts, *GOOD])).write(made, "s").verdict.passed


def test_a_discount_that_names_no_term_is_not_served() -> None:
    """Why: "you get 10% off each bill" reads as one for good, and the company's lasts twelve
    months. Without a discount there is nothing to limit."""
    endless = "Hi {name}, we value your {tenure} with us! You now get {offer} off each bill."
    thanks = "Hi {name}, we value your {tenure} with us! We are here for you at any time."
    assert SHIELD.check_template(endless, SAM).passed
    writer = MessageWriter(SHIELD, RENDERER, Source([endless, GOOD[1]]))
    sent = [writer.write(SAM, f"C{i}") for i in range(20)]
    sent += [writer.write(SAM, f"C{i}", TemplateChooser()) for i in range(200)]
    assert endless not in {message.template for message in sent}
    assert all("12 months" in message.text for message in sent)
    unasked = replace(SAM, offer_percentage=0)
    assert MessageWriter(SHIELD, RENDERER, Source([thanks])).write(unasked, "x").source == "model"


def test_same_seed_same_message_and_seeds_spread() -> None:
    """Why: a retried request must not change its words, neighbours need not share them."""
    writer = MessageWriter(SHIELD, RENDERER, Source(GOOD))
    assert writer.write(SAM, "C1:r1") == writer.write(SAM, "C1:r1")
    assert {writer.write(SAM, f"C{i}:r1").template for i in range(30)} == set(GOOD)


def test_quiet_hours_do_not_change_the_words() -> None:
    """Why: waiting mends the hour, rewriting does not; the verdict carries it to the caller."""
    night = datetime(2026, 5, 5, 23, tzinfo=ZoneInfo("Europe/Berlin"))
    message = MessageWriter(SHIELD, RENDERER, Source(GOOD)).write(brief(local_time=night), "C1:r1")
    assert message.source == "model"
    assert message.verdict.as_dict() == {"passed": False, "violations": ["quiet_hours"]}


def test_bank_survives_a_round_trip_and_orders_by_score(tmp_path: Path) -> None:
    """Why: the release stores the bank as JSON and serving trusts its order."""
    cell = Cell.of(SAM)
    bank = MessageBank({cell: [ScoredTemplate(GOOD[0], 0.1), ScoredTemplate(GOOD[1], 0.2)]})
    bank.save(tmp_path / "bank.json")
    (tmp_path / "rules.json").write_bytes(RULES_PATH.read_bytes())
    loaded = MessageBank.load(tmp_path / "bank.json")
    assert [t.text for t in loaded.candidates(SAM)] == [GOOD[1], GOOD[0]]
    assert loaded.cells() == bank.cells()
    assert loaded.candidates(brief(tone="formal")) == ()
    assert MessageWriter.load(tmp_path, RENDERER).write(SAM, "x").source == "model"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": [{"offer": 5}]}'])
def test_broken_bank_names_its_file(tmp_path: Path, content: str) -> None:
    """Why: a release that fails to load must say which file to look at."""
    (tmp_path / "bank.json").write_text(content)
    with pytest.raises(ValueError, match=r"bank\.json"):
        MessageBank.load(tmp_path / "bank.json")


def test_cells_are_all_briefs() -> None:
    """Why: a cell that is never generated would always fall back."""
    assert len(set(all_cells())) == 4 * 3 * 3 * 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("tenure", -1), ("tenure", 1201), ("offer_percentage", 7), ("monthly_charges", float("nan")),
     ("monthly_charges", -1.0), ("contract", "Weekly"), ("tone", "rude"), ("services", ("gas",)),
     ("name", "a\nb")],
)  # fmt: skip
def test_a_brief_refuses_what_it_cannot_mean(field: str, value: object) -> None:
    """Why: the API maps these to 422 by the field's name."""
    with pytest.raises(ValueError, match=field):
        brief(**{field: value})
