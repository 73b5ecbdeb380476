"""Whether a text says something twice."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
SENTENCE_END = re.compile(r"[.!?:…]+")
_DOUBLED = re.compile(r"\b(\w+)\s+\1\b", re.IGNORECASE)


def repeats(text: str) -> bool:
    """The same word twice running, the same four words twice, or the same sentence twice."""
    if _DOUBLED.search(text):
        return True
    words = [word.casefold() for word in WORD.findall(text)]
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    sentences = [part.strip().casefold() for part in SENTENCE_END.split(text) if part.strip()]
    return len(set(runs)) < len(runs) or len(set(sentences)) < len(sentences)
