"""Preference pairs: a good message against one with exactly one named flaw.

Flaws of fit exchange one part (`swaps.py`), the others spoil the text itself. The words of a flaw
are held out as template families are: those of a test pair stand in no training pair. Only what is
exchanged for words of the grammar that all families share (reasons, greetings, closings) isn't.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import (
    SENTENCES,
    WITH_REASON,
    Draft,
    Split,
    draw,
    write_draft,
    write_message,
)
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import about
from churn_assets.messages.corpus.swaps import SWAPS, write_swapped
from churn_assets.messages.shield.rules import default_rules

# The others are flawed messages of their own, so that the reward model learns to compare those too.
COPY_SHARE = 0.75
HELD_OUT_BANNED = 3  # of every four banned phrases the last
_MAX_LENGTH = 330  # what a flawed text may have at most, so that it fits the models' context


@cache
def phrases(split: Split) -> Mapping[str, tuple[str, ...]]:
    """The split's own wordings of every kind; test has a quarter of the banned phrases."""
    path = Path(__file__).with_name("flaws.json")
    kinds = json.loads(path.read_text(encoding="utf-8"))
    banned = default_rules().all_banned
    own = [p for i, p in enumerate(banned) if (i % 4 == HELD_OUT_BANNED) == (split == "test")]
    return {kind: tuple(words[split]) for kind, words in kinds.items()} | {"banned": tuple(own)}


def _words(draft: Draft, kind: str) -> tuple[str, ...]:
    return phrases(draft.split)[kind]


def _insert(rng: random.Random, text: str, sentence: str) -> str:
    sentences = SENTENCES.split(text)
    sentences.insert(rng.randint(1, len(sentences)), sentence)
    return " ".join(sentences)


def _pushy(rng: random.Random, draft: Draft) -> str:
    return _insert(rng, draft.text, " ".join(rng.sample(_words(draft, "pushy"), rng.randint(1, 2))))


def _over_promising(rng: random.Random, draft: Draft) -> str:
    return _insert(rng, draft.text, rng.choice(_words(draft, "over_promising")))


def _off_topic(rng: random.Random, draft: Draft) -> str:
    return _insert(rng, draft.text, rng.choice(_words(draft, "off_topic")))


def _banned_phrase(rng: random.Random, draft: Draft) -> str:
    form = rng.choice(_words(draft, "banned_forms")).format(rng.choice(_words(draft, "banned")))
    return _insert(rng, draft.text, form[0].upper() + form[1:])


def _shouting(rng: random.Random, draft: Draft) -> str:
    loud = re.sub(
        r"\{[^}]*\}|[^{]+", lambda m: m[0] if m[0][0] == "{" else m[0].upper(), draft.text
    )
    return re.sub(r"[.!]", "!!" if rng.random() < 0.5 else "!!!", loud)


def _too_long(rng: random.Random, draft: Draft) -> str:
    text = draft.text
    while len(text) < 240:
        text = _insert(rng, text, rng.choice(_words(draft, "filler")))
    return text[:_MAX_LENGTH]


def _too_short(rng: random.Random, draft: Draft) -> str:
    end = rng.choice(_words(draft, "short_offers" if draft.situation.offer else "short_words"))
    return f"{rng.choice(['Hi', 'Hello', 'Hey'])} {{name}}, {end}"


def _generic(rng: random.Random, draft: Draft) -> str:
    """Nothing personal: neither an opening nor a reason."""
    return write_message(rng, draft.situation, draft.family, {"bare": 1}, draft.phrasing)


def _cold(rng: random.Random, draft: Draft) -> str:
    bodies = rng.sample(_words(draft, "cold_bodies"), 2)
    offer = ["{offer} applied."] if draft.situation.offer else []
    return " ".join([rng.choice(_words(draft, "cold")), *offer, *bodies])


def _missing_slot(rng: random.Random, draft: Draft) -> str:
    if draft.situation.offer and rng.random() < 0.6:
        if rng.random() < 0.5:  # the sentence with the offer is gone altogether
            kept = [s for s in SENTENCES.split(draft.text) if "{offer}" not in s]
            if any("{name}" in s for s in kept):
                return " ".join(kept)
        return draft.text.replace("{offer}", rng.choice(_words(draft, "vague_offers")))
    return draft.text.replace(" {name}", rng.choice(_words(draft, "strangers")))


def _doubled_slot(rng: random.Random, draft: Draft) -> str:
    slot = rng.choice(["{name}", "{offer}"]) if draft.situation.offer else "{name}"
    if rng.random() < 0.5:
        return draft.text.replace(slot, f"{slot} {slot}", 1)
    return _insert(rng, draft.text, "Yes, {name}." if slot == "{name}" else "Take {offer} off.")


def _wrong_slot(rng: random.Random, draft: Draft) -> str:
    if not draft.situation.offer:
        families = draft.words.families_of(draft.split)
        lead = draw(rng, draft.words.families[rng.choice(families)].leads)
        return _insert(rng, draft.text, f"{lead} {{offer}} off.")
    wrong = rng.choice([*_words(draft, "unknown_slots"), "{months}", "{tenure}", "{bill}"])
    return draft.text.replace(rng.choice(["{offer}", "{offer}", "{name}"]), wrong)


def _swapped_slot(rng: random.Random, draft: Draft) -> str:
    """Every slot is there, and says what it does not mean: a bill as discount, a rise by offer."""
    if not draft.situation.offer:
        return _insert(rng, draft.text, rng.choice(_words(draft, "swapped_values")))
    kept = [s for s in SENTENCES.split(draft.text) if "{name}" in s or "{" not in s]
    if rng.random() < 0.5:
        sentence = rng.choice(_words(draft, "swapped_offers"))
    else:
        lead = draw(rng, draft.words.families[draft.family].leads)
        sentence = f"{lead} {rng.choice(_words(draft, 'swapped_objects'))}."
    return _insert(rng, " ".join(kept), sentence)


def _repetitive(rng: random.Random, draft: Draft) -> str:
    sentences = SENTENCES.split(draft.text)
    again = rng.choice(sentences[1:])
    return " ".join([*sentences, *[again] * rng.randint(1, 2)])[:_MAX_LENGTH]


def _garbled(rng: random.Random, draft: Draft) -> str:
    words = draft.text.split()
    for _ in range(max(3, len(words) // 4)):
        i = rng.randrange(1, len(words))
        word = words[i]
        if "{" in word or len(word) < 4 or rng.random() < 0.4:
            j = rng.randrange(1, len(words))
            words[i], words[j] = words[j], words[i]
        else:
            letters = list(word)
            rng.shuffle(letters)
            words[i] = "".join(letters)
    return " ".join(words)


Flaw = Callable[[random.Random, Draft], str]
SPOILT: Mapping[str, Flaw] = {
    "pushy": _pushy,
    "shouting": _shouting,
    "banned_phrase": _banned_phrase,
    "too_long": _too_long,
    "too_short": _too_short,
    "generic": _generic,
    "cold": _cold,
    "over_promising": _over_promising,
    "missing_slot": _missing_slot,
    "doubled_slot": _doubled_slot,
    "wrong_slot": _wrong_slot,
    "swapped_slot": _swapped_slot,
    "off_topic": _off_topic,
    "repetitive": _repetitive,
    "garbled": _garbled,
}

# An opening of another tenure band is not among them: a small base doesn't know those apart in
# words that it never saw, and such pairs took from all others what they taught.
FLAWS: tuple[str, ...] = (*SPOILT, *(swap for swap in SWAPS if swap != "wrong_band"))

# The hardest to see, shown more often: a missing opening or offer leaves no word behind, a doubled
# slot no new one, a closing of another tone has few. PPO exploits them first.
HARD_FLAWS = (
    *["generic", "missing_slot", "doubled_slot"] * 2,
    *["generic", "wrong_slot", *["wrong_closing"] * 3],
)

# No flaw: nothing personal beside a template that people wrote and reviewed.
UNREVIEWED = "unreviewed"


def taught(split: Split) -> list[str]:
    """What the split's pairs show, in turn; the hard flaws more often.

    That reviewed templates are better is learnt here and tested by comparisons (`comparisons.py`),
    with templates that stand in no pair.
    """
    reviewed = [UNREVIEWED] * 2 if split == "train" else []
    return [*FLAWS, *HARD_FLAWS, *reviewed]


def write_pair(
    rng: random.Random,
    situation: Situation,
    family: str,
    flaw: str,
    phrasing: Phrasing = "fixed",
) -> tuple[str, str]:
    """(chosen, rejected): the rejected text is mostly a flawed copy of the chosen one.

    The pair is of the family's split. Every chosen text gives a reason.
    """
    if flaw == UNREVIEWED:
        bare = write_message(rng, situation, family, {"bare": 1}, phrasing)
        return _reviewed(rng, situation), bare
    chosen, rejected = _write_copy(rng, situation, family, flaw, phrasing)
    if rng.random() >= COPY_SHARE:
        chosen = write_message(rng, situation, family, WITH_REASON, phrasing)
    return chosen, rejected


def _write_copy(
    rng: random.Random, situation: Situation, family: str, flaw: str, phrasing: Phrasing
) -> tuple[str, str]:
    """A good message and the same with the flaw."""
    if flaw in SWAPS:
        right, wrong = write_swapped(rng, situation, family, flaw, phrasing)
        return right.text, wrong.text
    while True:
        draft = write_draft(rng, situation, family, WITH_REASON, phrasing)
        spoilt = SPOILT[flaw](rng, draft)
        if spoilt != draft.text:
            return draft.text, spoilt


def _reviewed(rng: random.Random, situation: Situation) -> str:
    """A reviewed template about what the message is to speak of."""
    return rng.choice(about(situation.about, situation.offer, situation.band, situation.tone))
