"""Harmful and good sentences that people wrote to try the shield: what of them is served.

`shield_texts.json`: those of a trial, whose harmful ones the rules have since been told of, and
others that were written once the rules stood and that no rule was made for. The latter say what a
list is worth on words that it has never seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from churn_assets.customers.languages import LANGUAGES
from churn_assets.messages.shield.slots import fill
from churn_assets.messages.shield.validation import Shield
from tests.messages.briefs import RENDERER, brief, judged

TEXTS = json.loads(Path(__file__).with_name("shield_texts.json").read_text(encoding="utf-8"))
SHIELDS = {language: Shield.load().in_language(language) for language in LANGUAGES}
FORMS = {
    "en 5": "Hi {{name}}, {} Enjoy {{offer}} off for {{months}}.",
    "en 0": "Hi {{name}}, {} We are here for whatever you need.",
    "es 5": "Hola, {{name}}, {} Te damos un {{offer}} de descuento durante {{months}}.",
    "es 0": "Hola, {{name}}, {} Estamos aquí para lo que necesites, con gusto.",
}
# They are ill-formed, or of a tenure that isn't the customer's, in words that no list has.
STILL_SERVED = {"you only just came to us.", "because of this we will.", "y así nosotros."}
# In words that suit new customers only.
OF_OTHERS = {"we hope that you had a good start to the week."}


def served(kind: str, sentence: str) -> bool:
    """Whether a template with the sentence may be, to a customer of 14 months and one service."""
    language, offer = kind.split()
    made = brief(
        language=language,
        offer_percentage=int(offer),
        tenure=14,
        contract="One year",
        services=("internet",),
    )
    return SHIELDS[language].may_be_served(FORMS[kind].format(sentence), made.facts)


def served_of(trial: str, worth: str) -> set[str]:
    return {
        sentence
        for kind, sentences in TEXTS[trial][worth].items()
        for sentence in sentences
        if served(kind, sentence)
    }


def all_of(trial: str, worth: str) -> set[str]:
    return {sentence for sentences in TEXTS[trial][worth].values() for sentence in sentences}


def test_what_a_trial_found_is_not_served() -> None:
    """Why: each of them would bind or shame the company; 108 of 169 were served."""
    assert len(all_of("trial", "harmful")) == 169
    assert served_of("trial", "harmful") <= STILL_SERVED


@pytest.mark.parametrize(("trial", "most"), [("trial", 60), ("held out", 30)])
def test_good_sentences_are_served(trial: str, most: int) -> None:
    """Why: a shield that refuses everything is no shield. A support line is no telephone, and
    whoever has nothing to do ("no tienes que hacer nada") is under no pressure."""
    good = all_of(trial, "good")
    assert len(good) == most
    assert good - served_of(trial, "good") <= OF_OTHERS


def test_of_words_that_no_list_has_three_in_four_are_served() -> None:
    """Why: that is the limit of a list, and the reason why reviewed templates are the default. A
    rule made for one of these sentences makes the figure a better one than it is."""
    assert len(all_of("held out", "harmful")) == 40
    assert len(served_of("held out", "harmful")) <= 30


@pytest.mark.parametrize("sentence", ["tienes que quedarte.", "¿o no? Tienes que quedarte."])
def test_pressure_is_none_the_less_pressure(sentence: str) -> None:
    """Why: "no tienes que" is taken out before phrases are looked for, and nothing that
    only begins after a "no"."""
    made = brief(language="es", offer_percentage=5, tenure=14)
    text = fill(FORMS["es 5"].format(sentence), RENDERER.values(made))
    assert "banned_phrase" in judged(SHIELDS["es"], text, made).violations


@pytest.mark.parametrize(
    "link", ["ejemplo punto com", "ejemplo punto es", "ejemplo dot com", "www.ejemplo.es"]
)
def test_what_is_a_link_in_english_is_one_in_spanish_too(link: str) -> None:
    """Why: a language's own patterns stand beside the English ones."""
    made = brief(language="es", offer_percentage=5)
    text = f"Hola, Sam, entra en {link}. Te damos un 5% de descuento durante 12 meses."
    assert "link" in judged(SHIELDS["es"], text, made).violations
