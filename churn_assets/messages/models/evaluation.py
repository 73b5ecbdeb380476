"""Measures of generated templates, each with an interval where it is a mean."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import SENTENCES
from churn_assets.messages.corpus.prompts import Situation, random_situation
from churn_assets.messages.corpus.vocabulary import unwritten_words
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.rules import default_rules
from churn_assets.messages.shield.validation import Shield

WHOLE_SAMPLES = 512  # drawn without min-p, to show beside the gates what it does for them


def evaluation_situations(count: int, seed: int) -> list[Situation]:
    """Customers to write to when a model is judged, drawn at random; the same for a seed, so that
    models are compared on the same ones."""
    rng = random.Random(f"evaluation-{seed}")
    return [random_situation(rng) for _ in range(count)]


def is_right(text: str, brief: MessageBrief, *, currency: str | None, offer_months: int) -> bool:
    """Whether a filled text is right by its figures, name, length and words alone.

    It shares no code with the shield but the lists of the rules file, so that a fault of the
    shield's matching or masking shows.
    """
    rules = default_rules()
    allowed = {str(brief.tenure if brief.tenure < 24 else brief.tenure // 12)}  # months, years
    if currency is not None:
        allowed.add(f"{currency}{brief.monthly_charges:.2f}")
    if brief.offer_percentage:
        allowed |= {f"{brief.offer_percentage}%", str(offer_months)}
    sign = re.escape(currency or "")
    figures = re.findall(rf"(?:{sign})?\d+(?:\.\d+)?%?", text)
    offered = f"{brief.offer_percentage}%" in figures
    name = brief.name or ""
    words = text.replace(name, "", 1).lower()
    return (
        set(figures) <= allowed
        and offered == bool(brief.offer_percentage)
        and (not name or len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text)) == 1)
        and rules.length[0] <= len(text) <= rules.length[1]
        and not any(f" {phrase} " in f" {words} " for phrase in rules.all_banned)
    )


def passes(shield: Shield, texts: Sequence[str], situations: Sequence[Situation]) -> list[bool]:
    """Whether each raw template passes the shield for its situation."""
    return [
        shield.check_template_facts(text, situation.facts).passed
        for text, situation in zip(texts, situations, strict=True)
    ]


def gives_reason(
    shield: Shield, texts: Sequence[str], situations: Sequence[Situation]
) -> list[bool]:
    """Whether each raw template names the situation's contract or one of its services."""
    return [
        shield.gives_a_reason(text, situation.facts)
        for text, situation in zip(texts, situations, strict=True)
    ]


def fits(shield: Shield, texts: Sequence[str], situations: Sequence[Situation]) -> list[bool]:
    """Whether each passes the shield, which refuses misfits, and says why it is written."""
    passed, reasons = (f(shield, texts, situations) for f in (passes, gives_reason))
    return [a and b for a, b in zip(passed, reasons, strict=True)]


def violation_counts(
    shield: Shield, texts: Sequence[str], situations: Sequence[Situation]
) -> dict[str, int]:
    """Violation -> how many raw templates have it, the most frequent first; each may have many."""
    found = Counter(
        violation
        for text, situation in zip(texts, situations, strict=True)
        for violation in shield.check_template_facts(text, situation.facts).violations
    )
    return dict(found.most_common())


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """The runs of n words of a text in their order, in lower case; words are what white space
    parts."""
    words = text.lower().split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Share of different n-grams among all n-grams (Li et al. 2016); in [0, 1]."""
    found = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(found)) / len(found) if found else 0.0


def clean_sentences(
    texts: Sequence[str], passed: Sequence[bool], phrasing: Phrasing = "fixed"
) -> list[str]:
    """The sentences of texts that pass the shield, less those with a word that nobody wrote.

    Variety is counted on them: of a garbled message every word pair is a new one.
    """
    sentences = [
        sentence
        for text, right in zip(texts, passed, strict=True)
        if right
        for sentence in SENTENCES.split(text)
    ]
    return [sentence for sentence in sentences if not unwritten_words(sentence, phrasing)]


def top_ngram_share(texts: Sequence[str], n: int = 4) -> float:
    """Share of texts that hold the commonest n-gram: one phrase everywhere shows here."""
    found = Counter(gram for text in texts for gram in set(ngrams(text, n)))
    return found.most_common(1)[0][1] / len(texts) if found else 0.0


def self_bleu(texts: Sequence[str], n: int = 4, limit: int = 64) -> float:
    """Mean BLEU-n of each text against all others (Zhu et al. 2018), the first `limit` texts.

    Precisions are add-one smoothed; without brevity penalty, since the references are many.
    0 for fewer than two texts.
    """
    sample = list(texts[:limit])
    if len(sample) < 2:
        return 0.0
    bleus = []
    for i, text in enumerate(sample):
        others = sample[:i] + sample[i + 1 :]
        logs = [math.log(_precision(text, others, order)) for order in range(1, n + 1)]
        bleus.append(math.exp(sum(logs) / n))
    return sum(bleus) / len(bleus)


def _precision(text: str, references: Sequence[str], order: int) -> float:
    counts = Counter(ngrams(text, order))
    best: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        best |= Counter(ngrams(reference, order))
    matched = sum(min(count, best[gram]) for gram, count in counts.items())
    return (matched + 1) / (sum(counts.values()) + 1)


def text_quality(texts: Sequence[str]) -> dict[str, float]:
    """What reward hacking would move: variety, length, one phrase everywhere."""
    return {
        "distinct_1": distinct_n(texts, 1),
        "distinct_2": distinct_n(texts, 2),
        "self_bleu": self_bleu(texts),
        "unique_share": len(set(texts)) / len(texts),
        "top_phrase_share": top_ngram_share(texts),
        "mean_length": sum(map(len, texts)) / len(texts),
    }
