"""Measures against closed forms and extremes."""

from __future__ import annotations

from typing import Any

import pytest

from churn_assets.messages.models.evaluation import (
    clean_sentences,
    distinct_n,
    is_right,
    self_bleu,
    text_quality,
    top_ngram_share,
)
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.shield.verdict import Verdict
from churn_assets.messages.writing.bank import MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.served import serve_everybody
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, brief


def test_variety_of_extremes() -> None:
    """Why: a collapsed policy must show in every one of these."""
    same, different = ["a b c d e"] * 8, [f"a{i} b{i} c{i} d{i} e{i}" for i in range(8)]
    assert distinct_n(same, 2) == pytest.approx(1 / 8)
    assert distinct_n(different, 2) == 1.0
    assert top_ngram_share(same) == 1.0
    assert top_ngram_share(different) == pytest.approx(1 / 8)
    assert self_bleu(same) == pytest.approx(1.0)
    assert self_bleu(different) < 0.5
    assert text_quality(same)["unique_share"] == pytest.approx(1 / 8)
    assert distinct_n([""], 2) == 0.0
    assert self_bleu([]) == self_bleu(["a b c"]) == 0.0


def test_variety_is_counted_on_clean_sentences_of_passing_messages() -> None:
    """Why: of a garbled sentence every word pair is a new one: garble counted as variety."""
    texts = [
        "Hi {name}, you matter to us. Your phone shouldn nevr let yuo down.",
        "Hello {name}, you matter to us. We take good care of your phone.",
        "We take good care of your phone. You matter to us.",
    ]
    assert clean_sentences(texts, [True, True, False]) == [
        "Hi {name}, you matter to us.",
        "Hello {name}, you matter to us.",
        "We take good care of your phone.",
    ]
    assert clean_sentences(texts, [False] * 3) == []


RIGHT = "Hi Sam, thank you for your 12 months with us. Enjoy 10% off your $89.99 bill."


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (RIGHT.replace("10%", "15%"), {}),
        (RIGHT.replace("$89.99", "$8.99"), {}),
        (RIGHT.replace("10% off", "a part of"), {}),
        (RIGHT, {"offer_percentage": 0}),
        (RIGHT, {"tenure": 13}),
        (RIGHT, {"name": "Bob"}),
        (RIGHT + " Yes, Sam.", {}),
        (RIGHT[:49], {"offer_percentage": 0}),
        (RIGHT + " Thank you for it." * 7, {}),
        (RIGHT + " Please hurry up.", {}),
    ],
)
def test_the_other_count_of_served_messages_sees_each_fault(
    text: str, changes: dict[str, Any]
) -> None:
    """Why: it must fail where the shield's own verdict cannot."""
    made = brief(offer_percentage=10) if not changes else brief(**changes)
    assert is_right(RIGHT, brief(), currency="$", offer_months=12)
    assert not is_right(text, made, currency="$", offer_months=6)


def test_a_writer_with_a_blind_shield_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: the bank's figures come from the writer that is judged by them."""
    bad = "Hi {name}, we give you 50% more for {months}, and thank you for being with us again."
    bank = MessageBank({cell: [ScoredTemplate(bad, 1.0)] for cell in all_cells()})
    shield = Shield.load()
    for check in ("check_template_facts", "check_text", "check_filled"):
        monkeypatch.setattr(shield, check, lambda *arguments: Verdict(True, ()))
    found = serve_everybody(MessageWriter(shield, RENDERER, bank))
    assert found["served_pass_rate"] == 1.0
    assert found["served_right_rate"] == 0.0
