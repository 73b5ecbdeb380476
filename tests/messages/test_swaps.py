"""What doesn't fit: a part that suits another customer, in as many sentences."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from churn_assets.messages.corpus.comparisons import (
    REASON,
    REVIEWED,
    RIGHT_OVER_WRONG,
    Comparison,
    write_comparisons,
)
from churn_assets.messages.corpus.grammar import SENTENCES, SPLITS, Split, grammar
from churn_assets.messages.corpus.prompts import random_situation, situations
from churn_assets.messages.corpus.swaps import SWAPS, write_swapped
from churn_assets.messages.shield.brief import TENURE_BANDS
from churn_assets.messages.shield.validation import Shield

SHIELD = Shield.load()
FOUND = list(write_comparisons(1, each=60))
SITUATIONS = situations()
PART_OF = {
    "wrong_fact": "reason",
    "missing_reason": "reason",
    "wrong_band": "opening",
    "wrong_closing": "closing",
    "wrong_greeting": "greeting",
}


def of_kind(kind: str) -> list[Comparison]:
    return [comparison for comparison in FOUND if comparison.kind == kind]


def sentences(text: str) -> list[str]:
    """Without the names, whose commas and stops differ by tone."""
    return SENTENCES.split(text)


def violations(text: str, prompt: str) -> tuple[str, ...]:
    return SHIELD.check_template_facts(text, SITUATIONS[prompt].facts).violations


def test_there_are_as_many_of_every_kind_and_the_same_every_time() -> None:
    """Why: figures of two models are compared on one set."""
    kinds = Counter(comparison.kind for comparison in FOUND)
    assert kinds == dict.fromkeys((*RIGHT_OVER_WRONG, REASON, REVIEWED), 60)
    assert list(write_comparisons(1, each=60)) == FOUND


def test_every_better_message_is_one_that_may_be_sent() -> None:
    """Why: a good message that is refused would teach nothing about fit."""
    for comparison in FOUND:
        assert violations(comparison.better, comparison.prompt) == (), comparison.better


@pytest.mark.parametrize("kind", ["fact", "band", "closing"])
def test_right_and_wrong_differ_in_one_sentence_of_as_many(kind: str) -> None:
    """Why: a wrong fact that was added to a message was found by its length alone, and right
    against wrong at equal length was chance (0.49)."""
    for comparison in of_kind(kind):
        right, wrong = sentences(comparison.better), sentences(comparison.worse)
        assert len(right) == len(wrong), comparison
        assert sum(a != b for a, b in zip(right, wrong, strict=True)) == 1, comparison


def test_a_wrong_fact_is_another_customers_and_a_right_one_the_own() -> None:
    """Why: a wrong reason that happens to be right teaches noise."""
    for comparison in of_kind("fact"):
        facts = SITUATIONS[comparison.prompt].facts
        assert SHIELD.gives_a_reason(comparison.better, facts)
        found = violations(comparison.worse, comparison.prompt)
        assert {"wrong_service", "wrong_contract"} & set(found), comparison
    for comparison in of_kind(REASON):
        facts = SITUATIONS[comparison.prompt].facts
        assert SHIELD.gives_a_reason(comparison.better, facts)
        assert not SHIELD.gives_a_reason(comparison.worse, facts)


def test_a_wrong_opening_is_of_another_time_with_us() -> None:
    """Why: what suits this customer as well is nothing wrong."""
    families = [grammar().families[name] for name in grammar().families_of("test")]
    for comparison in of_kind("band"):
        own = {
            opening[1:]
            for family in families
            for opening in family.of_the_band(SITUATIONS[comparison.prompt].band)
        }
        assert any(opening in comparison.better for opening in own)
        assert not any(opening in comparison.worse for opening in own)


@pytest.mark.parametrize("kind", ["closing", "greeting"])
def test_a_wrong_tone_is_in_no_list_of_the_own_one(kind: str) -> None:
    """Why: "Hello {name}," suits three tones; against itself it would be noise."""
    words = grammar().closings if kind == "closing" else grammar().greetings
    for comparison in of_kind(kind):
        own = words[SITUATIONS[comparison.prompt].tone]
        found = str.endswith if kind == "closing" else str.startswith
        assert any(found(comparison.better, word) for word in own)
        assert not any(found(comparison.worse, word) for word in own)


def test_a_bare_message_speaks_of_nobody() -> None:
    """Why: it must be the lesser one of what people wrote and reviewed."""
    for comparison in of_kind(REVIEWED):
        assert not SHIELD.gives_a_reason(comparison.worse, SITUATIONS[comparison.prompt].facts)
        assert "{tenure}" not in comparison.worse


def test_openings_are_of_held_out_families() -> None:
    """Why: on words that were trained on, the figures would be memory."""
    words = grammar()
    seen = {
        opening[1:]
        for name in words.families_of("train")
        for band in TENURE_BANDS
        for opening in words.families[name].openings(band)
    }
    for comparison in FOUND:
        if comparison.kind != REVIEWED:
            assert not any(opening in comparison.better for opening in seen)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("swap", SWAPS)
def test_a_training_pair_of_fit_differs_in_one_part_of_its_own_splits_words(
    swap: str, split: Split
) -> None:
    """Why: a fact that is only ever added teaches to count sentences; words of the other split
    would teach what is to be tested."""
    rng, families = random.Random(swap), grammar().families_of(split)
    others = {o for s in SPLITS if s != split for f in grammar().families_of(s) for o in offers(f)}
    for _ in range(60):
        situation = random_situation(rng)
        right, wrong = write_swapped(rng, situation, rng.choice(families), swap)
        assert SHIELD.check_template_facts(right.text, situation.facts).passed
        assert SHIELD.gives_a_reason(right.text, situation.facts)
        part = PART_OF[swap]
        assert getattr(wrong, part) != getattr(right, part)
        assert replace(wrong, **{part: getattr(right, part)}) == right
        assert not any(other in wrong.text for other in others)


def offers(family: str) -> tuple[str, ...]:
    return grammar().families[family].no_offer
