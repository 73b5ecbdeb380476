"""What the judge sees of a message: counts of words and sentences, fit by lexicon, usual wording.

Nothing here comes from the language model that writes, nor from its reward model: what one of them
can be fooled by doesn't fool the other for the same cause.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from churn_assets.messages.corpus.grammar import SENTENCES
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.judging.word_model import WordModel, words_of
from churn_assets.messages.shield.validation import Shield

_THANKS = re.compile(r"\b(?:thank|thanks|grateful|appreciat\w+|loyalty|glad)\b", re.IGNORECASE)
_ASKS = re.compile(r"\?|\b(?:reply|tell us|let us know|question|reach us)\b", re.IGNORECASE)
_GRACE = re.compile(r"\b(?:please|would|pleased|happy|small|little)\b", re.IGNORECASE)
_LINKS = re.compile(
    r"\b(?:as an?|after|because|if|so|since|while|whenever|and|with our|in appreciation|just to)\b",
    re.IGNORECASE,
)
# Nats a word. Text known by heart reaches -1, reviewed text that wasn't seen -3, garbled -4: above
# this a text earns nothing more, or the judge would like only what it has read before.
USUAL_ENOUGH = -3.0


@cache
def _shield() -> Shield:
    return Shield.load()


def features(text: str, situation: Situation, words: WordModel) -> dict[str, float]:
    """The judge's features by name, each about 1 in size; `text` is a template."""
    shield, facts = _shield(), situation.facts
    sentences = [part for part in SENTENCES.split(text) if part.strip()]
    lengths = [len(words_of(part)) for part in sentences] or [0]
    usual = words.log_probs(text) or [0.0]
    total = max(sum(lengths), 1)
    return {
        "passes": float(shield.check_template_facts(text, facts).passed),
        "reason": float(shield.gives_a_reason(text, facts)),
        "tenure": float("{tenure}" in text),
        "lasts": float(situation.offer > 0 and "{months}" in text),
        "bill": float("{bill}" in text),
        "sentences": float(len(sentences)),
        "many_sentences": float(max(0, len(sentences) - 4)),
        "bare": float(len(sentences) < 3 and max(lengths) < 12),
        "words": total / 10,
        "words_a_sentence": total / len(lengths) / 5,
        "longest_sentence": max(lengths) / 10,
        "shortest_sentence": min(lengths) / 5,
        "thanks": float(bool(_THANKS.search(text))),
        "asks": float(bool(_ASKS.search(text))),
        "grace": float(bool(_GRACE.search(text))),
        "links": min(len(_LINKS.findall(text)), 3) / 2,
        "colon": float(": " in text),
        "usual": min(sum(usual) / len(usual), USUAL_ENOUGH),
    }


def runs_of(text: str) -> set[str]:
    """The words of a text and its pairs of words that follow each other."""
    words = words_of(text)
    return {*words, *map(" ".join, pairwise(words))}
