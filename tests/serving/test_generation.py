"""A language model that writes on the spot: tried before it serves, and stood in for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bank import Author, ScoredTemplate
from churn_assets.serving.answers.generation import LiveWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import GOLDEN, check_live
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from tests.release.small_release import BANK_TEMPLATE


class StandInModel:
    """A language model that writes `text`, or fails without one."""

    author: Author = "model"

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked = 0

    def candidates(self, brief: MessageBrief, seed: str, until: float) -> list[ScoredTemplate]:
        self.asked += 1
        if self.text is None:
            raise FloatingPointError("not a finite logit")
        return [ScoredTemplate(self.text, 1.0)]


Generating = Callable[[str | None], tuple[StandInModel, LiveWriter]]


@pytest.fixture
def generating(engine: RetentionEngine, monkeypatch: pytest.MonkeyPatch) -> Generating:
    """The engine with a language model that writes a text, or fails."""

    def install(text: str | None) -> tuple[StandInModel, LiveWriter]:
        model = StandInModel(text)
        writer = LiveWriter(engine.writer, model)
        monkeypatch.setattr(engine, "live_writer", writer)
        return model, writer

    return install


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BANK_TEMPLATE, None),
        ("Bye, {name}.", "nothing that it wrote passes the shield"),
        (None, "it failed; the service's log has the error"),
    ],
)
def test_live_model_writes_once_before_it_serves(
    engine: RetentionEngine,
    bundle: Path,
    generating: Generating,
    text: str | None,
    problem: str | None,
) -> None:
    """The golden set is answered from the bank, so it says nothing about a live model: one that
    fails or writes rubbish must be noticed at the load, not by a customer, and is asked no more."""
    model, writer = generating(text)
    check_live(engine, bundle)
    assert writer.problem == problem
    cases = json.loads((bundle / GOLDEN).read_bytes())["cases"]
    written = [case["answer"]["metadata"]["message_source"] for case in cases]
    assert written.count("model") > 1
    assert model.asked == (len(written) if problem else written.index("model") + 1)
    if problem is not None:
        assert engine.stand_ins["live_generation"] == f"the message bank: {problem}"
        answer = engine.predict(PredictRequest.model_validate(SAMPLE_REQUEST))
        assert answer["message"].startswith("Hi Sam, thank you for 12 months with us.")
        assert answer["metadata"]["not_generated"] == problem
        assert model.asked == len(written)


def test_live_model_is_tried_where_reviewed_templates_go_first(
    engine: RetentionEngine,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    generating: Generating,
) -> None:
    """Then no golden answer is the model's, and one that writes rubbish would only be noticed by a
    customer."""
    golden = json.loads((bundle / GOLDEN).read_bytes())
    for case in golden["cases"]:
        metadata = case["answer"]["metadata"]
        metadata["message_source"] = metadata["message_source"] and "template"
    (tmp_path / GOLDEN).write_text(json.dumps(golden), encoding="utf-8")
    _, writer = generating("Bye, {name}.")
    monkeypatch.setattr(engine.writer, "reviewed_first", True)
    check_live(engine, tmp_path)
    assert writer.problem == "nothing that it wrote passes the shield"


def test_golden_customers_of_other_languages_do_not_silence_the_model(
    engine: RetentionEngine, bundle: Path, tmp_path: Path, generating: Generating
) -> None:
    """That it writes English only says nothing of what it writes for those who read English."""
    golden = json.loads((bundle / GOLDEN).read_bytes())
    for case in golden["cases"]:
        case["request"]["language"] = "es"
    (tmp_path / GOLDEN).write_text(json.dumps(golden), encoding="utf-8")
    model, writer = generating(BANK_TEMPLATE)
    check_live(engine, tmp_path)
    assert (writer.problem, model.asked) == (None, 0)
