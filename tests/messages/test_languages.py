# ruff: noqa: E501  (tables of whole sentences)
"""Languages: each has its own prompt, reviewed templates and shield words."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given

from churn_assets.customers.languages import LANGUAGES, served_language
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import (
    reviewed_for,
    reviewed_templates,
    topic_templates,
)
from churn_assets.messages.shield.brief import TENURE_BANDS, TONES, MessageBrief
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, SAM, brief, briefs, judged

SHIELD = Shield.load()
SPANISH = SHIELD.in_language("es")


def violations(text: str, **changes: object) -> tuple[str, ...]:
    return judged(SPANISH, text, brief(language="es", **changes)).violations


def test_every_language_has_every_reviewed_template() -> None:
    """Why: a cell without one would have nothing to send."""
    for language, offer, band, tone in product(LANGUAGES, (0, 5), TENURE_BANDS, TONES):
        templates = reviewed_for(offer, band, tone, language)
        assert len(set(templates)) >= 2
        assert all(("{offer}" in template) == bool(offer) for template in templates)


@given(briefs)
def test_every_spanish_template_passes_for_everybody(made: MessageBrief) -> None:
    """Why: in Spanish the reviewed templates are all that is sent."""
    made = replace(made, language="es")
    own = (*topic_templates(made.facts), *reviewed_templates(made.facts))
    for template in own:
        assert SPANISH.check_template(template, made).violations == ()
    message = MessageWriter(SHIELD, RENDERER).write(made, "C1:r1")
    assert message.source == "template"
    assert message.verdict.passed
    assert message.template in own or message.name_doubt


@pytest.mark.parametrize(("tone", "tenure"), list(product(TONES, (0, 1, 2, 80))))
def test_a_spanish_discount_may_last_a_month(tone: str, tenure: int) -> None:
    """Why: it lasts "1 mes", as somebody's first month is called, and for whoever has no month
    behind them there was no message: the request was answered 500."""
    made = brief(language="es", offer_percentage=5, tone=tone, tenure=tenure)
    message = MessageWriter(SHIELD, Renderer("€", 1)).write(made, "C1:r1")
    assert message.verdict.passed
    assert "5% de descuento durante 1 mes" in message.text


@pytest.mark.parametrize(
    ("months", "words"), [(1, "estos 1 mes con nosotros"), (12, "tu 1 mes con nosotros")]
)
def test_nobody_of_no_month_is_told_of_their_first(months: int, words: str) -> None:
    """Why: that a discount lasts as long doesn't make it their time with us."""
    made = brief(language="es", tenure=0)
    text = f"Hola, Sam, gracias por {words}. Te damos un 10% de descuento durante {months} mes."
    assert not SPANISH.check_text(text, made, Renderer("€", months).values(made)).passed


@pytest.mark.parametrize(("offer", "tone"), list(product(OFFER_PERCENTAGES, TONES)))
def test_a_spanish_customer_is_written_to_in_spanish_though_the_bank_is_english(
    offer: int, tone: str
) -> None:
    """Why: the model writes English only; its words may not reach anybody else."""
    english = "Hello {name}, we are glad that you are here. Thank you for your {tenure} with us."
    bank = MessageBank({cell: [ScoredTemplate(english, 1.0)] for cell in all_cells()})
    writer = MessageWriter(SHIELD, RENDERER, bank)
    for tenure in (0, 1, 2, 12, 80):
        made = brief(language="es", offer_percentage=offer, tone=tone, tenure=tenure)
        message = writer.write(made, "C1:r1")
        assert message.source == "template"
        assert message.text.startswith(("Hola", "¡Hola"))
        assert "month" not in message.text
        nameless = writer.write(replace(made, name=None), "C1:r1")
        assert nameless.verdict.passed
        assert "Sam" not in nameless.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hola Sam, es tu última oportunidad. Te damos un 10% de descuento.", "banned_phrase"),
        ("Hola Sam, URGENTE: te damos un 10% de descuento en tu factura.", "banned_phrase"),
        ("Hola Sam, act now y disfruta de un 10% de descuento en tu factura.", "banned_phrase"),
        ("Hola Sam, dinos tu contraseña y te damos un 10% de descuento.", "banned_phrase"),
        ("Hola Sam, te damos un 10% de descuento y un mes gratis por tu confianza.", "promised_discount"),
        ("Hola Sam, no valoramos tu confianza. Te damos un 10% de descuento.", "negated_kindness"),
        ("Hola Sam, no te agradecemos nada. Te damos un 10% de descuento.", "negated_kindness"),
        ("Hola Sam, disfruta de un 10% de descuento en tu factura. Un saludo de", "unfinished"),
        ("Hola Sam, disfruta de un 10% de descuento en tu factura. Gracias por tu.", "unfinished"),
        ("Hola Sam, dejamos de escucharte. Te damos un 10% de descuento.", "negated_kindness"),
        ("Hola Sam, no eres un buen cliente. Te damos un 10% de descuento.", "negated_kindness"),
        ("Hola Sam, gracias por nada. Te damos un 10% de descuento en tu factura.", "banned_phrase"),
        ("Hola Sam, tus móviles van bien. Te damos un 10% de descuento en tu factura.", "wrong_service"),
        ("Hola Sam, tu plan bienal sigue igual. Te damos un 10% de descuento.", "wrong_contract"),
        ("Hola Sam, gracias por tus años de confianza. Te damos un 10% de descuento.", "wrong_tenure_band"),
        ("Hola Sam, estimado cliente. Te damos un 10% de descuento en tu factura.", "wrong_tone"),
        ("Hola Sam, tu plan anual sigue igual. Te damos un 10% de descuento.", "wrong_contract"),
        ("Hola Sam, disfruta de tus series con un 10% de descuento en tu factura.", "wrong_service"),
        ("Hola Sam, bienvenida a casa. Te damos un 10% de descuento en tu factura.", "wrong_tenure_band"),
        ("Hola Sam, le ofrecemos un 10% de descuento en su factura. Atentamente, el equipo.", "wrong_tone"),
        ("Hola Sam, tu factura sube un 10% durante 12 meses. Gracias por tu confianza.", "misused_slot"),
        ("Hola Sam, Lucía y nosotros te damos un 10% de descuento en tu factura.", "other_name"),
        ("Hola Sam, te damos un 15% de descuento en tu factura durante 12 meses.", "missing_offer"),
    ],
)  # fmt: skip
def test_each_spanish_fault_is_named(text: str, expected: str) -> None:
    """Why: a shield that only reads English lets anything through in Spanish."""
    assert expected in violations(text)


def test_a_good_spanish_message_passes() -> None:
    """Why: a shield that refuses everything is no shield."""
    text = "Hola Sam, gracias por 12 meses con nosotros. Disfruta de un 10% de descuento durante 12 meses."
    assert violations(text) == ()
    assert "promised_discount" in violations(text, offer_percentage=0)


@pytest.mark.parametrize(
    ("asked", "served", "missing"),
    [
        (None, "en", False), ("en", "en", False), ("es", "es", False), ("es-MX", "es", False),
        ("ES_es", "es", False), ("en-GB", "en", False), ("fr", "en", True), ("", "en", True),
        ("Spanish", "es", False), ("Español", "es", False), ("spa", "es", False),
        ("German", "en", True), ("English", "en", False), ("Spanisch", "es", False),
    ],
)  # fmt: skip
def test_a_missing_language_is_announced(asked: str | None, served: str, missing: bool) -> None:
    """Why: whoever sends must know that a customer is written to in another language."""
    assert served_language(asked) == (served, missing)


def test_a_language_that_nothing_is_reviewed_in_is_refused() -> None:
    """Why: the brief says what will be written, and there is nothing to write in it."""
    with pytest.raises(ValueError, match="language"):
        brief(language="fr")


def test_the_prompt_says_the_language_and_english_prompts_stay_as_they_are() -> None:
    """Why: a model trained on one prompt must meet it again."""
    english = "10% settled monthly warm about monthly nothing:\n"
    assert Situation.of(SAM).prompt == english
    assert Situation.of(brief(language="es")).prompt == f"es {english}"
