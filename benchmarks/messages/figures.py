"""What is measured of each method's messages, with 95 % intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.messages.methods import ADAPTER_OF, AT_ONCE
from churn_assets.domain.statistics import Estimate, bootstrap_mean, share
from churn_assets.messages.corpus.corpus import read_jsonl
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import all_reviewed
from churn_assets.messages.judging.judge import fitted_judge
from churn_assets.messages.models.evaluation import distinct_n, fits, passes
from churn_assets.messages.models.language_model import (
    activate,
    features,
    sample_many,
    tempered_logits,
)
from churn_assets.messages.models.ppo_formulas import exact_kl
from churn_assets.messages.models.ppo_text import REFERENCE
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.live import LiveModel

_SENTENCES = re.compile(r"(?<=[.!?:])\s+|(?<=\},)\s+")
KL_MESSAGES = 256


def sentences(text: str) -> list[str]:
    """A template's sentences in small letters; a greeting is one of its own."""
    return [part.strip().lower() for part in _SENTENCES.split(text) if part.strip()]


def known_sentences(corpus: Path) -> set[str]:
    """All sentences of the training messages and of the reviewed templates."""
    texts: list[str] = [row["response"] for row in read_jsonl(corpus / "train.jsonl")]
    texts += all_reviewed("en")
    return {sentence for text in texts for sentence in sentences(text)}


def new_share(texts: Iterable[str], known: set[str]) -> Estimate | None:
    """Share of the sentences that stand in no corpus; None where there is no message."""
    found = [sentence not in known for text in texts for sentence in sentences(text)]
    return share(sum(found), len(found)) if found else None


def figures(
    texts: Sequence[str],
    situations: Sequence[Situation],
    against: NDArray[np.float64],
    known: set[str],
) -> dict[str, Any]:
    """A row's figures; `against` (N,): the judge's sums for SFT's messages, the win rate's other
    side."""
    shield, judge = Shield.load(), fitted_judge()
    passed = passes(shield, texts, situations)
    sums = judge.sums(texts, situations)
    wins = (sums > against) + 0.5 * (sums == against)
    new = new_share([text for text, good in zip(texts, passed, strict=True) if good], known)
    count = len(texts)
    return {
        **rounded(share(sum(passed), count).as_dict("pass_rate")),
        **rounded(share(sum(fits(shield, texts, situations)), count).as_dict("fit")),
        **rounded(new.as_dict("new_sentence_share") if new else {"new_sentence_share": None}),
        **rounded(bootstrap_mean(judge.score(texts, situations)).as_dict("naturalness")),
        **rounded(bootstrap_mean(wins).as_dict("win_rate")),
        "distinct2": round(distinct_n(texts, 2), 4),
    }


def rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, 4) + 0.0 for name, value in figures.items()
    }


@torch.no_grad()
def kl_to_sft(
    model: LiveModel, method: str, situations: Sequence[Situation], seed: int
) -> float | None:
    """KL(method || SFT), nats a message, exact at each position visited; None for what is no
    single draw of an adapter."""
    adapter = ADAPTER_OF.get(method)
    if adapter is None:
        return None
    if adapter == REFERENCE:
        return 0.0
    activate(model.model, adapter)
    prompts = [one.prompt for one in situations[:KL_MESSAGES]]
    drawn = sample_many(model.model, model.tokenizer, prompts, model.generation, seed, AT_ONCE)
    total = 0.0
    for samples in drawn:
        for rows in torch.arange(len(samples.texts)).split(32):
            part, logits = samples.rows(rows), []
            for name in (adapter, REFERENCE):
                activate(model.model, name)
                hidden = features(model.model, part)[part.response_mask.bool()]
                logits.append(tempered_logits(model.model, hidden, model.generation))
            total += float(exact_kl(*logits).sum())
    return round(total / len(prompts), 4)
