"""Fit: a message that is right in itself and meant for somebody else isn't sent."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import reviewed_templates
from churn_assets.messages.shield.brief import CONTRACTS, TENURE_BANDS, TONES
from churn_assets.messages.shield.rules import ShieldRules, default_rules
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, brief, judged

SHIELD = Shield.load()
TENURES = {"new": 2, "settled": 12, "long": 120}


def violations(text: str, **changes: object) -> tuple[str, ...]:
    return judged(SHIELD, text, brief(**changes)).violations


@pytest.mark.parametrize(
    "ending",
    ["Yours sincerely, the", "We are always", "With thanks, your team,", "We are here for you:",
     "And so we...", "Thank you for your trust and", "We hope that you stay …"],
)  # fmt: skip
def test_a_message_cut_in_mid_sentence_is_refused(ending: str) -> None:
    """Why: a model that runs out of tokens stops anywhere, and the rest read like a message."""
    good = "Hello Sam, please enjoy 10% off your bill, with our thanks."
    assert violations(good) == ()
    assert "unfinished" in violations(f"{good} {ending}")
    template = good.replace("Sam", "{name}").replace("10%", "{offer}")
    assert "unfinished" in SHIELD.check_template(f"{template} {ending}", brief()).violations


@pytest.mark.parametrize(
    "stub", ["Yours sincerely, the.", "Thank you for your.", "We are here and!", "You matter a."]
)
def test_a_stop_behind_half_a_sentence_doesnt_finish_it(stub: str) -> None:
    """Why: a model that ends its message with a stop may still have lost the sentence's end."""
    good = "Hello Sam, please enjoy 10% off your bill, with our thanks."
    assert "unfinished" in violations(f"{good} {stub}")
    assert "unfinished" in violations(f"Hello Sam. {stub} Please enjoy 10% off your bill.")


@pytest.mark.parametrize(
    "ending",
    ["Thank you!", "Is that right?", "We say “thank you.”", "We are what you count on.",
     "Tell us what you think of."],
)  # fmt: skip
def test_every_way_to_end_a_sentence_is_an_end(ending: str) -> None:
    """Why: what is refused for nothing is replaced by a template for nothing."""
    assert violations(f"Hello Sam, please enjoy 10% off your bill. {ending}") == ()


@pytest.mark.parametrize(
    ("sentence", "bands"),
    [
        ("We love that you joined us.", {"new"}),
        ("A warm welcome to you.", {"new"}),
        ("We hope your first weeks went well.", {"new"}),
        ("Your loyalty is a gift to us.", {"settled", "long"}),
        ("You have been with us for a long time.", {"long"}),
        ("You are one of our longest friends.", {"long"}),
        ("You already matter to us.", {"new"}),
        ("Welcome to our family.", {"new"}),
        ("You are new with us.", {"new"}),
        ("Your first month was a good one.", {"new"}),
        ("It was great to meet you.", {"new"}),
        ("Thank you for staying with us.", {"settled", "long"}),
        ("Thank you for your years of trust.", {"long"}),
        ("You have been here for ages.", {"long"}),
        ("We go back a long way.", {"long"}),
        ("It has been good since you joined us.", {"new", "settled", "long"}),
        ("We are glad that you are here.", {"new", "settled", "long"}),
    ],
)
def test_words_of_another_time_with_us_are_refused(sentence: str, bands: set[str]) -> None:
    """Why: "we love that you joined us" went to customers of ten years."""
    text = f"Hello Sam. {sentence} Please enjoy 10% off your bill."
    for band, tenure in TENURES.items():
        found = violations(text, tenure=tenure)
        assert ("wrong_tenure_band" in found) == (band not in bands), band
        assert set(found) <= {"wrong_tenure_band"}


@pytest.mark.parametrize(
    ("text", "tones"),
    [
        ("Hey Sam, please enjoy 10% off your next bill from us.", {"cheerful"}),
        ("Hi Sam, please enjoy 10% off your next bill from us.", {"warm", "cheerful", "plain"}),
        ("Dear Sam, please enjoy 10% off your next bill from us.", {"warm", "formal"}),
        ("Hello Sam, please enjoy 10% off your bill. Yours sincerely, your team.", {"formal"}),
        ("Hello Sam, please enjoy 10% off your bill. Cheers from the whole team.", {"cheerful"}),
        ("Hello Sam, please enjoy 10% off your bill. It is super to have you.", {"cheerful"}),
        ("Hello Sam, please enjoy 10% off your bill. Hugs from the team.", {"warm", "cheerful"}),
        ("Hello Sam, please enjoy 10% off your bill. Yours faithfully, your team.", {"formal"}),
        ("Hello Sam, please enjoy 10% off your next bill from us!", {"warm", "cheerful", "plain"}),
        ("Hello Sam, please enjoy 10% off your next bill from us.", set(TONES)),
    ],
)
def test_words_of_another_tone_are_refused(text: str, tones: set[str]) -> None:
    """Why: the tone is decided by who sends; "Cheers!" under a formal letter is not theirs."""
    for tone in TONES:
        assert ("wrong_tone" in violations(text, tone=tone)) == (tone not in tones), tone


@pytest.mark.parametrize(
    "sentence",
    [
        "We do not value your trust.", "We don't care.", "We don’t care about you.",
        "We never loved having you with us.", "You do not matter to us.",
        "We are not here for you.", "We cannot help you.", "We no longer want you.",
        "Nobody here likes you, and we are not really glad.", "We WON'T listen to you.",
        "We fail to value your trust.", "We refuse to help you.", "We have stopped caring.",
        "Little do we want you here.", "We doubt that you matter to us.", "We lack all respect.",
        "We are far from happy with you.", "We are unable to help you.", "You aren't worth much.",
        "We do not send you our best wishes.", "There is no reason to thank you.",
    ],
)  # fmt: skip
def test_kind_words_denied_are_refused(sentence: str) -> None:
    """Why: a model that has learnt "we value your trust" is one word from its opposite."""
    assert "negated_kindness" in violations(
        f"Hello Sam, {sentence} Please enjoy 10% off your bill."
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Thanks for nothing.", "You mean nothing to us.", "Your trust is worth nothing.",
        "Your trust means little to us.", "We are tired of you.", "Please go away.",
        "We are unhappy to have you.", "We would rather you left.", "We dislike you.",
    ],
)  # fmt: skip
def test_contempt_without_a_negation_is_banned(sentence: str) -> None:
    """Why: no "not" stands in them."""
    assert "banned_phrase" in violations(f"Hello Sam. {sentence} Please enjoy 10% off your bill.")


@pytest.mark.parametrize(
    ("sentence", "service"),
    [
        ("Your downloads are quick.", "internet"), ("Your connection is steady.", "internet"),
        ("Surf as you like.", "internet"), ("Your mobile works well.", "phone"),
        ("Your phones are in good hands.", "phone"), ("Your call quality is good.", "phone"),
        ("Your movie nights are here.", "streaming"), ("Stream what you like.", "streaming"),
        ("Your devices stay safe.", "security"), ("No virus gets in.", "security"),
    ],
)  # fmt: skip
def test_a_service_in_other_words_is_for_those_who_have_it(sentence: str, service: str) -> None:
    """Why: whoever has no phone may not be told that their calls are clear, in any words."""
    text = f"Hello Sam. {sentence} Please enjoy 10% off your bill."
    assert violations(text) == ("wrong_service",)
    assert violations(text, services=(service,)) == ()


@pytest.mark.parametrize(
    ("sentence", "contract"),
    [
        ("Your plan renews every month.", "Month-to-month"),
        ("You can cancel at any time.", "Month-to-month"),
        ("Your plan goes month by month.", "Month-to-month"),
        ("Your year-long plan stays.", "One year"), ("Your plan renews each year.", "One year"),
        ("Your two-year plan stays.", "Two year"), ("Your biennial plan stays.", "Two year"),
    ],
)  # fmt: skip
def test_a_contract_in_other_words_is_for_those_who_have_it(sentence: str, contract: str) -> None:
    """Why: "cancel at any time" is false for whoever is bound for two years."""
    text = f"Hello Sam. {sentence} Please enjoy 10% off your bill."
    for other in CONTRACTS:
        expected = () if other == contract else ("wrong_contract",)
        assert violations(text, contract=other) == expected, other


@pytest.mark.parametrize(
    "sentence",
    [
        "We not only value your trust, we count on it.", "We could not be happier with you.",
        "We cannot wait to help you.", "We do not take your trust for granted.",
        "Your phone should never let you down.", "Nothing changes, and we value your trust.",
        "Why not enjoy it with a friend?", "If you are not happy, tell us.",
        "You do not need to do anything.", "We never stopped caring.", "We never fail to help.",
        "Without a doubt you matter to us.",
    ],
)  # fmt: skip
def test_a_negation_of_something_else_is_no_denial(sentence: str) -> None:
    """Why: "not" is an ordinary word."""
    text = f"Hello Sam, we write to say thanks. {sentence} Please enjoy 10% off your bill."
    assert violations(text, services=("phone",)) == ()


def test_no_misfit_is_sent_whatever_the_bank_holds() -> None:
    """Why: the rule is worth something only where messages are chosen."""
    bad = [
        "Hello {name}, we love that you joined us. Please enjoy {offer} off your bill.",
        "Hello {name}, your loyalty counts. Please enjoy {offer} off your bill.",
        "Hey {name}, please enjoy {offer} off your bill. Cheers from the whole team!",
        "Dear {name}, please enjoy {offer} off your bill. Yours sincerely, the",
        "Hello {name}, your two year plan is in good hands. Please enjoy {offer} off your bill.",
        "Hello {name}, we do not value your trust. Please enjoy {offer} off your bill.",
    ]
    bank = MessageBank(
        {c: [ScoredTemplate(t, 9.0 - i) for i, t in enumerate(bad)] for c in all_cells()}
    )
    writer = MessageWriter(SHIELD, RENDERER, bank)
    for tenure, contract, tone in product(TENURES.values(), CONTRACTS, TONES):
        made = brief(tenure=tenure, contract=contract, tone=tone)
        message = writer.write(made, "C1:r1")
        assert message.verdict.passed
        fits = SHIELD.check_template(message.template, made).passed
        assert fits
        assert message.template not in (bad[3], bad[5])


def test_every_reviewed_template_fits_its_band_and_tone() -> None:
    """Why: they are the last line; the lexicon must not take it away from anybody."""
    for offer, tenure, tone in product(OFFER_PERCENTAGES, TENURES.values(), TONES):
        made = brief(offer_percentage=offer, tenure=tenure, tone=tone)
        for template in reviewed_templates(made.facts):
            for contract in CONTRACTS:
                verdict = SHIELD.check_template(template, replace(made, contract=contract))
                assert verdict.violations == ()


def test_a_reason_is_the_customers_own_contract_or_service() -> None:
    """Why: it is counted in the model's figures and rewarded in PPO-Text."""
    facts = Situation(10, "new", "Two year", ("phone",), "warm").facts
    for reason in ("Your two year plan stays as it is.", "We keep your calls clear."):
        assert SHIELD.gives_a_reason(f"Hello {{name}}, we are here. {reason}", facts)
    for other in ("Your yearly plan stays.", "Enjoy the movies.", "We value your trust."):
        assert not SHIELD.gives_a_reason(f"Hello {{name}}, we are here. {other}", facts)


def test_rules_of_an_older_release_say_what_they_said() -> None:
    """Why: its stored answers must be reproduced; a rule that came later isn't in its file."""
    later = {
        "tenure_words", "tone_words", "tones_without_exclamation", "final_punctuation",
        "negations", "kind_words", "innocent_negations", "unfinished_words",
    }  # fmt: skip
    older = Shield(ShieldRules.model_validate(default_rules().model_dump(exclude=later)))
    text = "Hey Sam, we love that you joined us, and we do not care: 10% off your bill, the"
    assert judged(older, text, brief(tenure=120)).passed
    assert set(judged(SHIELD, text, brief(tenure=120)).violations) >= {
        "wrong_tenure_band", "wrong_tone", "negated_kindness", "unfinished",
    }  # fmt: skip


def test_the_lexicons_name_known_kinds_only() -> None:
    """Why: a misspelt band in the rules file would be a list that nobody reads."""
    rules = default_rules()
    assert set(rules.tenure_words) == set(TENURE_BANDS)
    assert set(rules.tone_words) == set(TONES)
    assert set(rules.tones_without_exclamation) <= set(TONES)
    assert brief(tenure=30).facts.band == "long"
