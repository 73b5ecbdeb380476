# ruff: noqa: E501  (tables of whole sentences)
"""The shield: what passes it may be sent to anybody."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from churn_assets.messages.shield.rules import default_rules
from churn_assets.messages.shield.slots import fill
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.renderer import Renderer
from tests.messages.briefs import RENDERER, brief, briefs, judged, names

SHIELD = Shield.load()
GOOD = "Hi Sam, we value your 12 months with us! Please enjoy a 10% discount on your bill."
GOOD_TEMPLATE = "Hi {name}, we value your {tenure} with us! Please enjoy {offer} off your bill."


def violations(text: str, **changes: object) -> tuple[str, ...]:
    return judged(SHIELD, text, brief(**changes)).violations


def template_violations(template: str, **changes: object) -> tuple[str, ...]:
    return SHIELD.check_template(template, brief(**changes)).violations


def test_good_message_and_template_pass() -> None:
    """Why: a shield that refuses everything is no shield."""
    assert judged(SHIELD, GOOD, brief()).as_dict() == {"passed": True, "violations": []}
    assert SHIELD.check_template(GOOD_TEMPLATE, brief()).passed


@pytest.mark.parametrize(
    "trick",
    [
        "urgent", "URGENT", "Urgently", "úrgent", "u r g e n t", "u.r.g.e.n.t", "urgennnt",
        "ur\u200bgent", "urg3nt", "urg\u0435nt",
        "act now", "ACT   NOW", "act-now", "a\u0441t now", "limited\u00a0time", "gu\u0430ranteed",
        "gu@ranteed", "ｇｕａｒａｎｔｅｅｄ",
    ],
)  # fmt: skip
def test_banned_phrases_are_found_whatever_their_spelling(trick: str) -> None:
    """Why: the rule is about what the customer reads, not about bytes."""
    assert "banned_phrase" in violations(
        f"Hi Sam, this is {trick}, take 10% off your bill. Thanks!"
    )


def test_innocent_words_with_banned_letters_pass() -> None:
    """Why: "contact now" holds the letters of "act now" and is no pressure."""
    assert violations("Hi Sam, our contact, now and then, is a pleasure. Enjoy 10% off.") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi Sam, 10% off your bill.", "invalid_length"),
        ("Hi Sam, 10% off your bill. " + "We are glad that you are here. " * 7, "invalid_length"),
        ("Hi there, please enjoy a 10% discount on your bill, as a thank-you.", "missing_name"),
        ("Hi Samantha, please enjoy a 10% discount on your bill, as a thank-you.", "missing_name"),
        ("Hi Sam, please enjoy a small discount on your bill, as a thank-you.", "missing_offer"),
        ("Hi Sam, please enjoy a 110% discount on your bill, as a thank-you.", "missing_offer"),
        ("Hi Sam, enjoy 10% off your bill, and then 50% off the one after it.", "wrong_value"),
        ("Hi Sam, enjoy 10% off your bill, down from $12.34, as a thank-you.", "wrong_value"),
        ("Hi {name}, Sam, enjoy 10% off your bill, as a small thank-you from us.", "unfilled_slot"),
        ("Hi Sam, enjoy 10% off your bill at www.example.com as a thank-you.", "link"),
        ("Hi Sam, enjoy 10% off your bill at example dot com as a thank-you.", "link"),
        ("Hi Sam, enjoy 10% off your bill, write to a@b.example as a thank-you.", "link"),
        ("Hi Sam, enjoy 10% off, call +49 30 1234567 for your discount, thanks.", "phone_or_card_number"),
        ("Hi Sam, enjoy 10% off, card 4111 1111 1111 1111 on file, many thanks.", "phone_or_card_number"),
        ("Hi Bob, Sam, please enjoy 10% off your bill, as a small thank-you.", "other_name"),
        ("Hi Sam, Maria and we hope that you enjoy 10% off your bill. Thanks.", "other_name"),
        ("Hi Sam, your friend Xqzlor says enjoy 10% off your bill. Thanks.", "other_name"),
        ("Hi Sam, enjoy 10% off your bill and your streaming with our thanks.", "wrong_service"),
        ("Hi Sam, on your two year plan enjoy 10% off your bill. Thank you.", "wrong_contract"),
        ("Hi Sam, <b>enjoy</b> 10% off your bill, as a small thank-you.", "unexpected_character"),
        ("Hi Sam, enjoy 10% off your bill, as a small thank-you. 😀", "unexpected_character"),
        ("Hi Sam, PLEASE enjoy 10% off your bill, as a small thank-you.", "shouting"),
        ("Hi Sam, enjoy 10% off your bill, as a small thank-you!!", "shouting"),
        ("Hi Sam, enjoy enjoy 10% off your bill, as a small thank-you.", "repetition"),
    ],
)  # fmt: skip
def test_each_fault_is_named(text: str, expected: str) -> None:
    """Why: a violation with the wrong name sends people looking in the wrong place."""
    assert expected in violations(text)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hi {name}, we value you. Please enjoy {offer} off your {invoice} with our thanks.", "unknown_slot"),
        ("Hi {name}, we value you. Please enjoy {offer off your bill with our thanks.", "unknown_slot"),
        ("Hi {name}, {name}, we value you. Please enjoy {offer} off with our thanks.", "doubled_slot"),
        ("Hi there, we value you a lot. Please enjoy {offer} off with our thanks.", "missing_name"),
        ("Hi {name}, we value you a lot. Please enjoy a discount with our thanks.", "missing_offer"),
        ("Hi {name}, we value you a lot. Please enjoy {offer} and 5% off with thanks.", "literal_value"),
        ("Hi {name}, we value you. Please enjoy {offer} off. " + "We are glad that you are here and hope that you will stay. " * 3, "invalid_length"),
        ("Hi {name}, please enjoy {offer} off your bill.", "invalid_length"),
    ],
)  # fmt: skip
def test_each_template_fault_is_named(template: str, expected: str) -> None:
    """Why: the template check holds for every customer at once, so it must miss nothing."""
    assert expected in template_violations(template)


@pytest.mark.parametrize(
    "promise",
    ["a discount", "0% off", "money off your bill", "savings", "a cheaper plan", "50% off"],
)
def test_without_an_offer_no_discount_may_be_promised(promise: str) -> None:
    """Why: at 0 % the offer detail that must be right is that there is none."""
    text = f"Hi Sam, we value your 12 months with us and have {promise} for you. Thanks!"
    assert "promised_discount" in violations(text, offer_percentage=0)
    assert (
        violations(
            "Hi Sam, we value your 12 months with us. Feel free to reply.", offer_percentage=0
        )
        == ()
    )


@pytest.mark.parametrize(
    ("hour", "quiet"), [(0, True), (7, True), (8, False), (21, False), (22, True), (23, True)]
)
def test_quiet_hours_are_the_customers(hour: int, quiet: bool) -> None:
    """Why: 22 to 8 is meant where the customer sleeps, not where the server runs."""
    tokyo = datetime(2026, 5, 5, hour, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert ("quiet_hours" in violations(GOOD, local_time=tokyo)) is quiet


def test_times_without_a_zone_are_refused() -> None:
    """Why: a naive time would silently be the server's."""
    with pytest.raises(ValueError, match="time zone"):
        brief(local_time=datetime(2026, 5, 5, 12))


def test_a_surname_that_is_a_banned_word_is_no_violation() -> None:
    """Why: Mr Hurry is a customer; the phrase is judged in our words, not in his name."""
    text = "Hi Brian Hurry, please enjoy a 10% discount on your bill, as a thank-you."
    assert violations(text, name="Brian Hurry") == ()
    assert "banned_phrase" in violations(text + " Hurry up.", name="Brian Hurry")


def test_a_phrase_that_the_name_completes_is_found() -> None:
    """Why: masking the customer's name "now" would turn "act now" into "act" and a mark."""
    text = "Hi now, please act now and enjoy a 10% discount on your bill. Thank you."
    assert "banned_phrase" in violations(text, name="now")
    assert violations(text.replace("act now and ", ""), name="now") == ()


@pytest.mark.parametrize(
    "template",
    [
        "Hi {name}, we value your trust. Please enjoy {offer} off for {tenure}. Take care.",
        "Hi {name}, we value your trust. Please enjoy {offer} off for {tenure} with us. Bye.",
        "Hi {name}, take {bill} off your next bill, and {offer} more on top. Take care.",
        "Hi {name}, your bill will rise by {offer} for {months}. Thank you for your trust.",
        "Hi {name}, thank you for your {months} with us. Please enjoy {offer} off your bill.",
        "Hi {name}, thank you for your {bill} with us. Please enjoy {offer} off your bill.",
        "Hi {name}, please enjoy {offer} off, so your bill is {bill} lower. Thank you.",
        "Hi there, we value your {name} with us. Please enjoy {offer} off your bill.",
        "Hi there, take {name} off your bill, and {offer} off for {months}. Thank you.",
    ],
)
def test_a_slot_in_anothers_place_is_refused(template: str) -> None:
    """Why: every value is right by itself, and the sentence around it makes it a lie."""
    assert "misused_slot" in template_violations(template)
    values = Renderer("$", 6).values(brief())
    assert "misused_slot" in SHIELD.check_text(fill(template, values), brief(), values).violations


@pytest.mark.parametrize("template", [
    "Hi {name}, you pay {bill} less every month. Thank you for being with us.",
    "Hi {name}, your next bill is {bill} lower than before. Thank you for being with us.",
    "Hi {name}, you save {bill} with us. Thank you for your {tenure} with us. Take care.",
])  # fmt: skip
def test_a_bill_is_no_discount_where_there_is_none(template: str) -> None:
    """Why: at 0 % the bill's slot is the only amount that a model has at hand."""
    assert "misused_slot" in template_violations(template, offer_percentage=0)


@pytest.mark.parametrize(
    "template",
    [
        "Hi {name}, after {tenure} with us you have earned {offer} off for {months}.",
        "Hi {name}, thank you for {tenure} with us. Enjoy {offer} off your {bill} bill.",
        "Hi {name}, your bill is {bill}, and you get a discount of {offer} for {months}.",
    ],
)
def test_a_slot_in_its_own_place_is_right(template: str) -> None:
    """Why: the places are a list, and one that is too short leaves only the grammar's words."""
    assert template_violations(template) == ()


def test_values_that_coincide_may_stand_in_either_place() -> None:
    """Why: after 12 months the tenure reads like the discount's length: both are right."""
    text = "Hi Sam, thank you for your 12 months with us. Enjoy 10% off for 12 months."
    assert violations(text, tenure=12) == ()


@pytest.mark.parametrize(
    "promise",
    [
        "ten percent off your next bill", "six months off", "two more years", "a free phone",
        "half of the next bill", "twice the discount", "a refund", "a gift card", "a voucher too",
        "your money back", "a bonus", "a waived fee", "dinner on us",
    ],
)  # fmt: skip
@pytest.mark.parametrize("offer", [0, 10])
def test_nothing_is_promised_beside_the_decided_offer(promise: str, offer: int) -> None:
    """Why: a discount in words is binding too, and nobody decided it."""
    text = f"Hi Sam, thank you for being with us. Enjoy {promise} with our thanks."
    if offer:
        text += " And 10% off your bill."
    assert "promised_discount" in violations(text, offer_percentage=offer, services=("phone",))


@pytest.mark.parametrize(("percent", "article"), [(8, "an"), (11, "an"), (18, "an"), (80, "an"),
                                                  (1, "a"), (10, "a"), (15, "a")])  # fmt: skip
def test_an_offer_has_its_article(percent: int, article: str) -> None:
    """Why: companies have offers of their own, and "a 8% discount" reads like a machine."""
    own = {"offers": (0, percent), "offer_percentage": percent}
    for word in ("a", "an"):
        text = (
            f"Hi Sam, we have {word} {percent}% discount for you, with our thanks for your trust."
        )
        assert ("ill_formed" in violations(text, **own)) is (word == "a" and article == "an")


def test_one_month_is_no_full_or_next_one() -> None:
    """Why: "over the next 1 month" is a template for several, filled for one."""
    values = Renderer("$", 1).values(brief())
    for words, right in (("for", True), ("over the next", False), ("for a full", False)):
        template = (
            f"Hi {{name}}, please take {{offer}} off {words} {{months}}. We are here for you."
        )
        text = fill(template, values)
        whole = SHIELD.check_text(text, brief(), values)
        quick = SHIELD.check_filled(template, text, brief(), values)
        assert ("ill_formed" not in {*whole.violations, *quick.violations}) is right


@pytest.mark.parametrize(
    "sentence",
    ["Pay less from now on.", "Here is a special price.", "We reduced it.", "It is a bargain."],
)
def test_words_of_a_discount_need_one(sentence: str) -> None:
    """Why: beside a real offer these words are right, without one they promise it."""
    assert "promised_discount" in violations(
        f"Hi Sam, thank you for being with us a while. {sentence}", offer_percentage=0
    )
    assert violations(f"Hi Sam, enjoy 10% off your bill with our thanks. {sentence}") == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "Wilhelmina, please enjoy it.", "It was sarah and john who wanted it.", "Ask maria for it.",
        "Your friend Xqzlor says so.",
    ],
)  # fmt: skip
def test_other_names_are_found_wherever_they_stand(sentence: str) -> None:
    """Why: a name at a sentence's beginning or in small letters is somebody else's too."""
    assert "other_name" in violations(f"Hi Sam. {sentence} Please take 10% off your bill.")


@pytest.mark.parametrize(
    "link",
    [
        "t.me/promo", "wa.me/abc", "evil.xyz", "evil.ai", "evil.me", "evil.eu", "bit.ly/x",
        "evil.example", "www.evil", "http: evil", "evil dot me", "evil . com", "a@b",
    ],
)  # fmt: skip
def test_links_of_any_ending_are_found(link: str) -> None:
    """Why: there are over a thousand top-level domains, and a list of a few of them is no rule."""
    assert "link" in violations(f"Hi Sam, see {link} and enjoy 10% off your bill. Thank you.")
    assert "link" in template_violations(
        f"Hi {{name}}, see {link} and enjoy {{offer}} off your bill. Thank you."
    )
    assert "link" in template_violations("Hi {name}.com, please enjoy {offer} off your bill. Bye.")


@pytest.mark.parametrize(
    "sentence",
    [
        "you are stupid and we hate you.", "send us your password and your card number.",
        "only a few left, while stocks last.", "pay now or we take legal action.",
        "we will disconnect your service.", "please verify your account.",
    ],
)  # fmt: skip
def test_insults_threats_secrets_and_scarcity_are_banned(sentence: str) -> None:
    """Why: a public model knows such sentences, and none may reach a customer."""
    assert "banned_phrase" in violations(f"Hi Sam, enjoy 10% off your bill. Well, {sentence}")


@pytest.mark.parametrize(
    "sentence",
    [
        "We think I’m right to say thanks.", "We call you on Monday.", "Please drop us a line.",
        "We often think about you. Online support is here.", "You can count on us.",
        "In May we check your plan.", "To be frank, we like you.", "Thanks, and take care.",
        "Feel free to reply.", "Your two year plan stays.",
    ],
)  # fmt: skip
def test_ordinary_sentences_are_not_refused(sentence: str) -> None:
    """Why: what is refused for nothing is replaced by a template for nothing."""
    for offer, rest in ((10, "Enjoy 10% off your bill."), (0, "Thank you for being with us.")):
        text = f"Hi Sam, it is good to have you here. {rest} {sentence}"
        assert violations(text, offer_percentage=offer, contract="Two year") == ()


@given(briefs)
def test_template_that_passes_is_safe_with_every_value(made: object) -> None:
    """Why: the bank is judged once, then filled for millions; the two checks must agree."""
    values = RENDERER.values(made)
    assume(made.name and made.tenure)
    template = "Hello {name}, thank you for your {tenure} with us. Any question on your {bill} bill? Just ask."
    if made.offer_percentage:
        template = "Hello {name}, thank you for your {tenure} with us. Take {offer} off your {bill} bill for {months}."
    assert SHIELD.check_template(template, made).passed
    assert SHIELD.check_text(fill(template, values), made, values).violations == ()


@given(st.text(max_size=120), names)
def test_judging_any_text_ends_in_a_verdict(text: str, name: str) -> None:
    """Why: a model can write anything, and the shield must not raise on it."""
    made = brief(name=name)
    assert SHIELD.check_template(text, made).passed == (
        not SHIELD.check_template(text, made).violations
    )
    assert judged(SHIELD, text, made).passed == (not judged(SHIELD, text, made).violations)


@pytest.mark.parametrize("phrase", default_rules().all_banned)
def test_every_rule_of_the_file_bites(phrase: str) -> None:
    """Why: a phrase that the matcher cannot find would be a rule on paper only."""
    assert "banned_phrase" in violations(f"Hi Sam, {phrase}, take 10% off your bill. Thank you.")


@pytest.mark.parametrize(
    ("sentence", "violation"),
    [
        ("Enjoy 10% off, and the next one is free!", "promised_discount"),
        ("Enjoy 10% off, this is on us!!", "promised_discount"),
        ("Enjoy 10% off your yearly plan!", "wrong_contract"),
        ("Enjoy 10% off and your broadband!", "wrong_service"),
        ("Enjoy 10% off, you have been here a long time!", "wrong_tenure_band"),
        ("Enjoy 10% off for l!fe.", "banned_phrase"),
    ],
)
def test_an_exclamation_mark_hides_no_word(sentence: str, violation: str) -> None:
    """Within a word it is read as an "i", behind one it only ends it."""
    made = brief(tone="cheerful")
    assert violation in judged(SHIELD, f"Hi Sam! {sentence}", made).violations
    good = "Hi Sam! Thank you for your trust. Enjoy 10% off your monthly plan!"
    assert judged(SHIELD, good, made).passed
