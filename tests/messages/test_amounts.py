"""Amounts in words: with a discount of the decision's, any other one is a promise of its own."""

from __future__ import annotations

import pytest

from churn_assets.customers.languages import LANGUAGES, Language
from churn_assets.messages.shield.validation import Shield
from tests.messages.briefs import brief

ENGLISH = """
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty
fifty sixty seventy eighty ninety dozen thousand
"""
SPANISH = """
diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve veinte veintiún
veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve treinta
cuarenta cincuenta sesenta setenta ochenta noventa ciento mil
"""


SHIELDS = {language: Shield.load().in_language(language) for language in LANGUAGES}


def refused(text: str, language: Language) -> bool:
    """Whether a template isn't served for a discount of 10 % to a customer of a year's contract."""
    made = brief(language=language, offer_percentage=10, contract="One year", tenure=30)
    return not SHIELDS[language].may_be_served(text, made.facts)


@pytest.mark.parametrize("number", ENGLISH.split())
@pytest.mark.parametrize("counted", ["percent more", "more months", "euros", "cents a week"])
def test_no_other_amount_is_promised(number: str, counted: str) -> None:
    """Why: "Seventeen percent more comes after that." was served."""
    assert refused(
        f"Hi {{name}}, enjoy {{offer}} off for {{months}}, then {number} {counted}.", "en"
    )


@pytest.mark.parametrize("number", SPANISH.split())
@pytest.mark.parametrize("counted", ["por ciento", "meses más", "euros", "céntimos"])
def test_no_other_amount_is_promised_in_spanish(number: str, counted: str) -> None:
    """Why: the list ended at fifteen and left out most tens."""
    text = "Hola, {{name}}, te damos un {{offer}} de descuento durante {{months}}, y {} {}."
    assert refused(text.format(number, counted), "es")


@pytest.mark.parametrize("gift", ["one year more of it", "a year of music", "another year on us"])
def test_no_year_is_given_away(gift: str) -> None:
    """Why: of years only "two years" and more were amounts, since a contract may be of one year."""
    text = "Hi {{name}}, enjoy {{offer}} off your bill for {{months}}, and {} after that."
    assert refused(text.format(gift), "en")


@pytest.mark.parametrize(
    "text",
    [
        "Hi {name}, enjoy {offer} off for {months} on your one year contract.",
        "Hi {name}, it was a good year for all of us. Enjoy {offer} off for {months}.",
        "Hi {name}, a year of your trust means a lot to us. Enjoy {offer} off for {months}.",
        "Hi {name}, a thousand thanks for staying. Enjoy {offer} off for {months}.",
    ],
)
def test_what_is_no_amount_is_served(text: str) -> None:
    """Why: a contract, thanks and a customer's years are none."""
    assert not refused(text, "en")
