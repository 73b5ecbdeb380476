"""What a company's contract lets messages say: its words, in the brief, the slot and the shield."""

from __future__ import annotations

from itertools import product

import pytest

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.customers.schema import CustomerSchema, FieldWords
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.corpus.reviewed import subject_templates
from churn_assets.messages.shield.brief import TONES
from churn_assets.messages.shield.own_words import unfit_words
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import Cell, MessageBank, ScoredTemplate
from churn_assets.messages.writing.writer import MessageWriter
from churn_assets.settings import PROJECT
from tests.messages.briefs import RENDERER, SAM, brief, judged

IRANIAN = schema_of(load_contract(PROJECT / "examples/iranian_telecom/customers.yaml"))
SHIELD = Shield.load()
GENERATED = "Hi {name}, we value your {tenure} with us! Please enjoy {offer} off for {months}."
LONGEST = "Wolfeschlegelsteinhausenbergerdorffsmith"


def test_customers_without_a_contract_column_are_spoken_to_in_their_own_words() -> None:
    """The Iranian table knows a tariff, no kind of contract and no service: the message speaks of
    the tariff, and the language model, which knows none of it, isn't asked."""
    row = {"tariff_plan": "1", "status": "1"}
    assert IRANIAN.spoken_of(row)[:2] == (None, ())
    assert not IRANIAN.knows_contracts
    bank = MessageBank({Cell.of(SAM): [ScoredTemplate(GENERATED, 1.0)]})
    writer = MessageWriter(SHIELD, RENDERER, bank)
    for cell, words in (("1", "your pay-as-you-go tariff"), ("2", "your monthly tariff")):
        subject = IRANIAN.spoken_of({"tariff_plan": cell}).subject
        made = brief(contract=None, subject=subject)
        assert RENDERER.values(made)["subject"] == words
        message = writer.write(made, seed="C1:1")
        assert (message.source, message.verdict.passed) == ("template", True)
        assert words in message.text
    assert IRANIAN.spoken_of({"tariff_plan": None}).subject is None
    assert "tariff" not in writer.write(brief(contract=None), seed="C1:1").text


def test_the_built_in_contract_speaks_as_ever() -> None:
    """Its kinds of contract and services are the language model's own; no words besides."""
    row = {"contract": "One year", "internet_service": "DSL", "phone_service": True}
    assert BUILT_IN_SCHEMA.spoken_of(row).contract == "One year"
    assert BUILT_IN_SCHEMA.spoken_of(row).services == ("internet", "phone")
    assert BUILT_IN_SCHEMA.spoken_of(row).subject is None
    message = MessageWriter(
        SHIELD, RENDERER, MessageBank({Cell.of(SAM): [ScoredTemplate(GENERATED, 1.0)]})
    )
    assert message.write(SAM, seed="C1:1").source == "model"


@pytest.mark.parametrize("subject", ["your tv", "our family tariff for the whole long hom"])
def test_every_template_with_a_subject_passes_for_everybody(subject: str) -> None:
    """Short and long, in every tone and tenure band, with and without name and offer; and it fits
    them: what the contract has words for is named."""
    kinds = product(TONES, OFFER_PERCENTAGES, ("Sam", None, LONGEST), (3, 14, 1200))
    for tone, offer, name, tenure in kinds:
        known = {"tone": tone, "offer_percentage": offer, "name": name, "tenure": tenure}
        made = brief(subject=subject, contract=None, **known)
        assert len(subject_templates(made.facts)) >= 2
        assert all(SHIELD.gives_a_reason(t, made.facts) for t in subject_templates(made.facts))
        for template in subject_templates(made.facts):
            assert SHIELD.check_template(template, made).violations == ()
        message = MessageWriter(SHIELD, RENDERER).write(made, seed="C1:1")
        assert subject in message.text
        assert message.verdict.passed


@pytest.mark.parametrize("subject", ["tv", "tarifa familiar para una casa"])
def test_every_spanish_template_with_a_subject_passes_for_everybody(subject: str) -> None:
    """As in English: in every tone, with and without name and offer."""
    spanish = SHIELD.in_language("es")
    for tone, offer, name in product(TONES, OFFER_PERCENTAGES, ("Sam", None, LONGEST)):
        made = brief(
            subject=subject,
            tone=tone,
            offer_percentage=offer,
            name=name,
            contract=None,
            language="es",
        )
        assert len(subject_templates(made.facts)) >= 2
        for template in subject_templates(made.facts):
            assert spanish.check_template(template, made).violations == ()
        message = MessageWriter(SHIELD, RENDERER).write(made, seed="C1:1")
        assert subject in message.text
        assert message.verdict.passed


@pytest.mark.parametrize("words", ["tu tarifa familiar", "Su tarifa", "la fibra", "nuestra fibra"])
def test_spanish_words_follow_a_possessive_and_bring_none(words: str) -> None:
    """Why: "Disfruta de tu tu tarifa familiar" is what a customer would read."""
    [line] = unfit_words({}, {"Plan": {"es": {"Max": words, "Basic": "tulipa nueva"}}})
    assert line.startswith(f"messages.Plan.say_in.es.Max: no message may say {words!r} (form)")
    made = brief(contract=None, subject=words, language="es")
    message = MessageWriter(SHIELD, RENDERER).write(made, seed="C1:1")
    assert (words in message.text, message.verdict.passed) == (False, True)


def test_a_contract_s_words_are_said_in_the_customer_s_language() -> None:
    """Of a cell without words in it nothing is said there, and never in another language."""
    words = FieldWords(
        field="plan",
        say={"Basic": "your basic plan", "Max": "your Max plan"},
        say_in={"es": {"Max": "tarifa grande"}},
    )
    schema = CustomerSchema.model_validate(IRANIAN.model_dump() | {"messages": (words,)})
    assert schema.spoken_of({"plan": "Max"}).subject == "your Max plan"
    assert schema.spoken_of({"plan": "Max"}, "es").subject == "tarifa grande"
    assert schema.spoken_of({"plan": "Basic"}, "es").subject is None
    assert schema.spoken_of({"plan": None}, "es").subject is None


def test_spanish_words_are_judged_by_the_spanish_rules() -> None:
    """The check says so before any message is written."""
    [line] = unfit_words({}, {"Plan": {"es": {"Max": "tarifa gratis", "Basic": "tarifa básica"}}})
    assert line.startswith("messages.Plan.say_in.es.Max: no message may say 'tarifa gratis'")


@pytest.mark.parametrize(
    ("words", "violation"),
    [
        ("your free plan", "promised_discount"),
        ("your discount tariff", "promised_discount"),
        ("the last chance plan", "banned_phrase"),
        ("your 5G plan", "wrong_value"),
        ("our shop www.shop.example", "link"),
        ("your plan. It is new", "unexpected_character"),
        ("your MEGA PLAN", "shouting"),
        ("family tariff", "form"),
    ],
)
def test_words_that_no_message_may_have_are_left_out(words: str, violation: str) -> None:
    """Masked as a value they would pass any other rule. The check says so before, and a customer
    gets a message without them all the same."""
    made = brief(contract=None, subject=words)
    filled = f"Hi Sam, thank you for keeping {words} with us. Please enjoy 10% off for 12 months."
    assert violation in judged(SHIELD, filled, made).violations
    message = MessageWriter(SHIELD, RENDERER).write(made, seed="C1:1")
    assert words not in message.text
    assert message.verdict.passed
    [line] = unfit_words({"Plan": {"Max": words, "Basic": "your basic plan"}})
    assert line.startswith(f"messages.Plan.say.Max: no message may say {words!r}")
    assert violation in line


@pytest.mark.parametrize(
    "words",
    ["your Friends & Family plan", "your Grundgebühr", "your Tarifa Única", "your Über-Flat",
     "our Forfait Été", "the Ålesund package", "your Groß-Tarif"],
)  # fmt: skip
def test_words_are_written_in_the_letters_of_western_europe(words: str) -> None:
    """Why: a tariff's name is the company's; refused, the message spoke of nothing."""
    assert not [*unfit_words({"Plan": {"Max": words}})]
    made = brief(contract=None, subject=words)
    message = MessageWriter(SHIELD, RENDERER).write(made, seed="C1:1")
    assert (words in message.text, message.verdict.passed) == (True, True)


@pytest.mark.parametrize(
    ("words", "odd"),
    [("your Sаver plan", "а"), ("your Ρlus plan", "Ρ"), ("your *new* plan", "*"),
     ("your 好 plan", "好"),
     ("your <b>Max</b> plan", "<"), ("your A &amp; B plan", "&"), ("your plan. It is new", ".")],
)  # fmt: skip
def test_a_character_that_no_message_may_have_is_named(words: str, odd: str) -> None:
    """Why: "unexpected_character" alone sends people looking; a letter of another script, which
    looks the same, they would never find."""
    [line] = unfit_words({"Plan": {"Max": words}})
    assert f"unexpected_character {odd!r}" in line


@pytest.mark.parametrize(
    "words", ["your frée plan", "your rëfund plan", "your Fréé plan", "your Dïscóunt"]
)
def test_accents_hide_no_promise(words: str) -> None:
    """Why: allowed letters must not become a disguise."""
    [line] = unfit_words({"Plan": {"Max": words}})
    assert "promised_discount" in line


def test_no_model_may_write_the_slot_of_own_words() -> None:
    """Of whom nothing is known to fill it in, it would stay a hole."""
    template = "Hi {name}, thank you for keeping {subject} with us. Please enjoy {offer} off."
    assert "unknown_slot" in SHIELD.check_template(template, brief()).violations
    assert SHIELD.check_template(template, brief(subject="your tariff")).passed


def test_a_phrase_that_words_complete_is_found() -> None:
    """ "last" in the template and "chance" in the words are a phrase to whoever reads them."""
    made = brief(contract=None, subject="the chance plan")
    filled = "Hi Sam, this is the last chance plan with us. Please enjoy 10% off for 12 months."
    assert "banned_phrase" in judged(SHIELD, filled, made).violations
