"""Slots and facts at their edges: what fills a template, what is found again, what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.messages.shield.bounded import bounded
from churn_assets.messages.shield.brief import tenure_band
from churn_assets.messages.shield.names import MAX_LENGTH, MAX_NAME_LENGTH, read_name, validate_name
from churn_assets.messages.shield.repetition import repeats
from churn_assets.messages.shield.rules import (
    PhraseMatcher,
    QuietHours,
    default_rules,
    skeleton,
    spelled,
)
from churn_assets.messages.shield.slots import (
    context_pattern,
    fill,
    has_stray_brace,
    length_range,
    mask_slots,
    slot_places,
    slots_in,
    standing_alone,
    unfill,
    without_name,
)
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.shield.verdict import Verdict
from churn_assets.messages.writing.renderer import Renderer, sign_of
from tests.messages.briefs import SAM, brief, judged

SHIELD = Shield.load()


@pytest.mark.parametrize(
    ("tenure", "months", "expected"),
    [
        (0, 12, {"months": "12 months"}),
        (1, 1, {"months": "1 month", "tenure": "first month"}),
        (2, 2, {"months": "2 months", "tenure": "2 months"}),
        (23, 24, {"months": "24 months", "tenure": "23 months"}),
        (24, 12, {"months": "12 months", "tenure": "2 years"}),
        (119, 12, {"months": "12 months", "tenure": "9 years"}),
    ],
)
def test_values_read_as_a_person_writes_them(
    tenure: int, months: int, expected: dict[str, str]
) -> None:
    """Why: "1 months" in a customer's message is ours; a value that isn't there has no slot."""
    made = brief(tenure=tenure, monthly_charges=7.5)
    always = {"offer": "10%", "bill": "€7.50", "name": "Sam"}
    assert Renderer("€", months).values(made) == always | expected
    unnamed = Renderer("$", months).values(brief(name=None))
    assert "name" not in unnamed
    assert "bill" not in Renderer(None, months).values(made)


def test_a_tenure_in_years_is_one_in_spanish_too() -> None:
    made = brief(tenure=119, language="es")
    assert Renderer("€", 12).values(made)["tenure"] == "9 años"


def test_a_customer_of_one_month_who_is_not_new_has_no_tenure_to_write() -> None:
    """Why: "our first month together deserve a treat"; templates of these bands count in months."""
    assert "tenure" not in Renderer("$", 12).values(brief(tenure=1, bounds=(1, 12)))


@pytest.mark.parametrize(
    ("currency", "sign"),
    [("EUR", "€"), ("USD", "$"), ("GBP", "£"), ("CHF", "CHF "), ("kr", "kr "), ("₹", "₹"),
     ("", None), ("Euros", None), ("Euro", None)],
)  # fmt: skip
def test_amounts_begin_with_the_currency_s_sign(currency: str, sign: str | None) -> None:
    """Why: a customer who pays in euros has no bill of dollars; the slot has room for four."""
    assert sign_of(currency) == sign


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Dear {name}, we thank you.", "Hello, we thank you."),
        ("Hi {name}, we thank you.", "Hi, we thank you."),
        ("HELLO {name}! We thank you.", "HELLO! We thank you."),
        ("Hello again, {name}: we thank you.", "Hello again: we thank you."),
        ("We thank you, {name}.", None),
        ("Hi {name} and all, we thank you.", None),
        ("Well, hi {name}, we thank you.", None),
    ],
)
def test_a_greeting_without_a_name(template: str, expected: str | None) -> None:
    """Why: "Dear, we thank you" is no greeting, and a sentence with a hole is no sentence."""
    assert without_name(template, default_rules().greetings) == expected


def test_what_a_template_holds() -> None:
    """Why: the checks of a template rest on these."""
    template = "Hi {name}, {offer} off {bill}{odd}."
    assert slots_in(template) == ["name", "offer", "bill", "odd"]
    assert slot_places(template) == {3, 11, 23, 29}
    assert mask_slots(template, "#") == "Hi #, # off ##."
    assert not has_stray_brace(template)
    assert has_stray_brace("Hi {name}, {offer off.")
    assert has_stray_brace("Hi {name}, offer} off.")
    # "Hi " and "," around 1 to 40 characters of a name, 2 or 3 of an offer.
    assert length_range("Hi {name},{offer}") == (4 + 1 + 2, 4 + 40 + 3)
    assert fill("{name}: {bill}", {"name": "{bill}", "bill": "$1"}) == "{bill}: $1"


@pytest.mark.parametrize(
    ("value", "text", "starts"),
    [
        ("5%", "5% or 15%, 5%.", [0, 11]),
        ("5%", "1.5% and $5% and 1,5%", []),
        ("Sam", "Sam, Samantha, xSam and Sam", [0, 24]),
        ("a a", "a a a a", [0, 4]),
        ("aa", "aaa aa", [4]),
        ("x", "", []),
    ],
)
def test_a_value_is_found_where_it_stands_alone(value: str, text: str, starts: list[int]) -> None:
    """Why: "5%" is not in "15%", nor Sam in Samantha."""
    found = standing_alone(value, text)
    assert [place.start for place in found] == starts
    assert all(text[place] == value for place in found)


def test_a_text_is_unfilled_as_it_was_filled() -> None:
    """Why: a filled message is judged by the places of its values; the longest is found first, and
    two of one value are both named."""
    values = {"name": "Sam", "tenure": "12 months", "months": "12 months", "offer": "12%"}
    text = "Sam, 12 months, 12%, Sam."
    assert unfill(text, values) == "{name}, {tenure|months}, {offer}, {name}."
    inside = {"name": "Sam 12%", "offer": "12%"}
    assert unfill("Sam 12% has 12%.", inside) == "{name} has {offer}."


def test_a_context_names_one_slot_and_takes_its_doubles() -> None:
    """Why: after 12 months the tenure reads like the discount's length."""
    place = context_pattern("for {months}")
    for text in ("FOR {months}.", "for {tenure|months}.", "for {months|tenure}."):
        found = place.search(text)
        assert found is not None
        assert text[found.start("slot")] == "{"
    assert not place.search("for {tenure}.")
    for wrong in ("for {years}", "for months"):
        with pytest.raises(ValueError, match="names no slot"):
            context_pattern(wrong)


@pytest.mark.parametrize(
    ("tenure", "band"), [(0, "new"), (5, "new"), (6, "settled"), (23, "settled"), (24, "long")]
)
def test_bands_of_tenure(tenure: int, band: str) -> None:
    """Why: "a long time with us" in the second year would be a wrong word."""
    assert tenure_band(tenure) == band
    assert brief(tenure=tenure).band == band


@pytest.mark.parametrize(
    ("column", "value", "service"),
    [
        ("internet_service", "DSL", "internet"),
        ("internet_service", "Fiber optic", "internet"),
        ("phone_service", True, "phone"),
        ("streaming_tv", "Yes", "streaming"),
        ("streaming_movies", "Yes", "streaming"),
        ("online_security", "Yes", "security"),
        ("online_backup", "Yes", None),
        ("device_protection", "Yes", None),
        ("internet_service", "No", None),
        ("phone_service", False, None),
        ("streaming_tv", "No internet service", None),
    ],
)
def test_services_by_their_columns(column: str, value: object, service: str | None) -> None:
    """Why: a service that somebody doesn't have must not be praised to them."""
    assert BUILT_IN_SCHEMA.spoken_of({column: value}).services == ((service,) if service else ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenure": -1}, {"tenure": 1201}, {"offer_percentage": 20}, {"monthly_charges": -0.01},
        {"monthly_charges": 100_000_000.0}, {"monthly_charges": float("nan")}, {"tone": "rude"},
        {"contract": "Weekly"}, {"services": ("internet", "pool")},
    ],
    ids=str,
)  # fmt: skip
def test_facts_outside_their_range_are_named(wrong: dict[str, Any]) -> None:
    """Why: the API's own model and the shield must not disagree on what can be."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SAM, **wrong)


def test_facts_at_the_ends_of_their_range_are_good() -> None:
    """Why: a free customer of a hundred years is one."""
    assert brief(tenure=1200, monthly_charges=99_999_999.99, offer_percentage=15).tenure == 1200
    assert brief(tenure=0, monthly_charges=0.0, offer_percentage=0).tenure == 0


@pytest.mark.parametrize(
    ("start", "end", "quiet"),
    [(22, 8, {22, 23, *range(8)}), (1, 3, {1, 2}), (5, 5, set()), (0, 23, set(range(23)))],
)
def test_hours_of_rest(start: int, end: int, quiet: set[int]) -> None:
    """Why: from the first until, not with, the last; over midnight where it lies between them."""
    hours = QuietHours(start=start, end=end)
    assert {hour for hour in range(24) if hours.contains(hour)} == quiet


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("we are glad to help. We are glad of it", False),
        ("we are glad to. We are glad to", True),  # four words in a row, twice
        ("Thanks. Bye. Thanks.", True),
        ("Thanks you. Bye. Thanks.", False),
        ("The the end", True),
        ("The other the end", False),
    ],
)
def test_a_repetition(text: str, found: bool) -> None:
    """Why: a language model that is stuck says things twice."""
    assert repeats(text) is found


def test_a_messages_length_may_be_either_end() -> None:
    """Why: the rules file gives the shortest and the longest that are right."""
    least, most = default_rules().length
    start, step = "Hi Sam, enjoy 10% off. ", "Good it is to have you with us here, as we value it. "
    for length, right in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        text = (start + step * 9)[:length]
        assert ("invalid_length" not in judged(SHIELD, text, SAM).violations) is right, length
    # A template: the shortest values must be enough, the longest not too many.
    fixed = len("Hi , enjoy  off. ")
    for spare, right in (
        (least - fixed - 3 - 1, False),
        (least - fixed - 3, True),
        (most - fixed - 43, True),
        (most - fixed - 43 + 1, False),
    ):
        template = "Hi {name}, enjoy {offer} off. " + (step * 9)[:spare]
        found = SHIELD.check_template(template, SAM).violations
        assert ("invalid_length" not in found) is right, spare


def test_a_verdict_names_each_violation_once() -> None:
    """Why: two slots too many are one fault to a reader."""
    assert Verdict.of(iter(("link", "shouting", "link"))) == Verdict(False, ("link", "shouting"))
    assert Verdict.of(iter(())) == Verdict(True, ())


@pytest.mark.parametrize(
    ("pattern", "right"),
    [
        ("a?" * 17, True),  # 2^17 = 131,072 ways
        ("a?" * 18, False),
        (r"\s*\s*", True),  # 251^2 = 63,001
        (r"(?:ab|cd|e)\s*\s*", True),  # three times as many
        (r"(?:ab|cd|e|fg)\s*\s*", False),  # four times: 252,004
        (r"(?=\s*)\s*(?!x{0,2})", True),
        (r"(?=\s*)\s*(?!x{0,4})", False),
        ("(a)?" * 15 + "(?(1)b|c)", True),  # 2^15 x 2
        ("(a)?" * 17 + "(?(1)b|c)", False),
        ("(?>a?)" * 18, False),
        (r"(?:abc){0,200}\s*", True),
        (r"a{3,5}\s*\s*", True),
        (r"a{3,6}\s*\s*", False),
    ],
)
def test_ways_of_a_pattern_are_counted(pattern: str, right: bool) -> None:
    """Why: too few counted would let a server freeze; too many would refuse an honest rule."""
    if right:
        assert bounded(pattern) == pattern
    else:
        with pytest.raises(ValueError, match="may take too long"):
            bounded(pattern)


def test_a_name_may_be_as_long_as_is_said() -> None:
    """Why: the borders are in the documentation of the API."""
    assert read_name("a" * MAX_NAME_LENGTH).text
    assert read_name("a" * (MAX_NAME_LENGTH + 1)).text is None
    assert validate_name("a" * MAX_LENGTH)
    with pytest.raises(ValueError, match="at position 3"):
        validate_name("ab\x00")


@pytest.mark.parametrize(("marks", "written"), [(4, True), (5, False)])
def test_marks_on_one_letter(marks: int, written: bool) -> None:
    """Why: no written language needs five; more of them paint over the lines above."""
    name = "x" + "".join(chr(0x0323 + i) for i in range(marks)) + "ab"
    assert (read_name(name).text is not None) is written


def test_a_phrase_is_found_stretched_but_not_shortened() -> None:
    """Why: "feee" still says "fee", "fe" does not."""
    assert spelled("fee") == "f+e(?:e){1,}"
    fee = PhraseMatcher(["fee"], {}, whole_words=True)
    assert [fee.finds(text) for text in ("a fee", "feeee!", "f.e-e", "fe", "coffee", "fees")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert PhraseMatcher(["fee"], {}).finds("fees")
    assert fee.without("no fee and fees") == "no   and fees"


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_plain_letters_are_read_like_all_others(text: str) -> None:
    """Why: text without accents takes a short cut, and must not come out otherwise."""
    for confusables in ({}, default_rules().confusables):
        assert skeleton(text, confusables) == skeleton(text + "é", confusables)[:-1]


@given(st.text(max_size=2), st.text(max_size=2))
def test_a_value_within_a_word_is_none(before: str, after: str) -> None:
    """Why: what is part of a word in any language is judged without regular expressions."""
    alone = re.fullmatch(r"(?s:.*[^\w.,$])?", before) and re.fullmatch(r"(?s:\W.*)?", after)
    assert bool(standing_alone("5%", before + "5%" + after)) == bool(alone)
