"""What of a model's templates may be served: more is asked than that the shield lets them pass."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import get_args

import pytest

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import grammar, vary
from churn_assets.messages.shield.validation import Shield
from tests.messages.briefs import brief

SHIELD = Shield.load()
CORPUS = Path(__file__).parents[2] / "churn_assets/messages/corpus"
FLAWS = json.loads((CORPUS / "flaws.json").read_text(encoding="utf-8"))


def served(template: str, offer_percentage: int = 10) -> bool:
    """Whether a template may be, beside what all templates are judged by."""
    facts = brief(offer_percentage=offer_percentage).facts
    return SHIELD.may_be_served(template, facts)


@pytest.mark.parametrize(
    "promise",
    [
        "We take a quarter off.", "Take a little off.", "We will pay your next bill.",
        "Your next month costs nothing.", "No fee for a month.", "Your bill is cut in two.",
        "A tenth of your bill is ours to pay.", "You may win a prize.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("offer", [0, 10])
def test_a_discount_in_common_words_is_not_served(promise: str, offer: int) -> None:
    """Why: no figure stands in it, and it binds the company all the same."""
    template = f"Hi {{name}}, thank you for being with us a while. {promise}"
    assert not served(template + " And {offer} off for {months}." * bool(offer), offer)


@pytest.mark.parametrize(
    "sentence",
    [sentence for kind in ("pushy", "over_promising") for split in FLAWS[kind].values()
     for sentence in split],
)  # fmt: skip
def test_what_the_corpus_calls_pushy_or_over_promising_is_not_served(sentence: str) -> None:
    """Why: the base model has read these sentences, so that it may write them."""
    template = "Hi {name}, please take {offer} off for {months}. With thanks for your trust."
    assert served(template)
    assert not served(f"{template} {sentence}")


@pytest.mark.parametrize("phrasing", get_args(Phrasing))
def test_work_that_nobody_did_is_not_claimed(phrasing: Phrasing) -> None:
    """Why: the grammar says so in its reviews of a plan, the models learn it from there, and one
    message in ten once told a customer that somebody had checked their account."""
    review = grammar(phrasing).families["review"]
    claims = [*review.any, *review.new, *review.tenured, *review.no_offer[:1]]
    claims = [claim for claim in claims if not claim.startswith("we like to")]
    assert len(claims) >= 6
    rng = random.Random(7)
    for claim in claims:
        template = f"Hi {{name}}, {vary(rng, claim)} We are glad to have you as a customer."
        assert not served(template, 0), template
    found = "Dear {name}, we found that you can have {offer} off each bill for {months}."
    assert not served(found + " Kind regards from us.")


@pytest.mark.parametrize(
    "offered",
    ["We can check your plan with you.", "One reply and we take a look.", "We read every reply.",
     "Would you like us to look at your plan with you?", "We like to look after you."],
)  # fmt: skip
def test_work_that_is_offered_or_done_is_served(offered: str) -> None:
    """Why: only what is said to have been done for this customer is untrue."""
    assert served(f"Hi {{name}}, thank you for being here. {offered} Reply at any time.", 0)


@pytest.mark.parametrize("words", ["up to", "at least", "if you wait, you lose", "you had"])
def test_an_offer_is_neither_a_bound_nor_lost(words: str) -> None:
    """Why: the figure is right, and what is said of it isn't."""
    assert not served(
        f"Hi {{name}}, thank you for being here: {words} {{offer}} off for {{months}}."
    )


def test_a_discount_has_its_term() -> None:
    """Why: "you get 10% off each bill" reads as one for good. Without a discount there is no term,
    and the shield itself lets both pass: models are trained and measured by it."""
    endless = "Hi {name}, we value your trust. You now get {offer} off each bill."
    assert SHIELD.check_template(endless, brief(offer_percentage=10)).passed
    assert not served(endless)
    assert served(endless.replace("each bill", "each bill for {months}"))
    assert served("Hi {name}, we value your trust. We are here for you at any time.", 0)
