"""How usual a text's words are in their order: an interpolated word-trigram language model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"\{\w+\}|[\w']+|[.,!?:]")
START = "<s>"
# Shares of trigram, bigram, word and any word at all.
SHARES = (0.6, 0.25, 0.1, 0.05)


def words_of(text: str) -> list[str]:
    """Words, slots and stops in small letters."""
    return _WORD.findall(text.lower())


class WordModel:
    """Counts of runs of one to three words; `mean` and `least` are in nats a word."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = Counter(counts)
        self.size = 1 + sum(" " not in run for run in self.counts)
        self._words = sum(count for run, count in self.counts.items() if " " not in run)
        self._followed: Counter[str] = Counter()
        for run, count in self.counts.items():
            if " " in run:
                self._followed[run.rsplit(" ", 1)[0]] += count

    @classmethod
    def of(cls, texts: Iterable[str]) -> WordModel:
        """Count the runs of one, two and three words of these texts; those of three also reach back
        before a text's first word."""
        counts: Counter[str] = Counter()
        for text in texts:
            words = words_of(text)
            padded = [START, START, *words]
            counts.update(words)
            counts.update(" ".join(padded[i + 1 : i + 3]) for i in range(len(words)))
            counts.update(" ".join(padded[i : i + 3]) for i in range(len(words)))
        return cls(counts)

    def log_probs(self, text: str) -> list[float]:
        """Natural logarithm of each word's probability after the two before it."""
        words = words_of(text)
        padded = [START, START, *words]
        return [self._log_prob(*padded[i : i + 3]) for i in range(len(words))]

    def _log_prob(self, before: str, last: str, word: str) -> float:
        found = SHARES[3] / self.size
        found += SHARES[2] * self.counts[word] / max(self._words, 1)
        for share, context in ((SHARES[1], last), (SHARES[0], f"{before} {last}")):
            if seen := self._followed[context]:
                found += share * self.counts[f"{context} {word}"] / seen
        return math.log(found)
