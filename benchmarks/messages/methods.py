"""One function for each way of writing: situations and a seed in, one template each out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import about
from churn_assets.messages.models.ppo_text import POLICY, REFERENCE
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.authors import grammar_texts
from churn_assets.messages.writing.bank import ScoredTemplate
from churn_assets.messages.writing.live import LiveModel

DPO = "dpo"
AT_ONCE = 256
STRIDE = 1_000_003
Draw = Callable[[Sequence[Situation], int], list[ScoredTemplate]]
Method = Callable[[LiveModel, Sequence[Situation], int], list[str]]


def drawn(model: LiveModel, adapter: str, *, whole: bool = False) -> Draw:
    """Draws of an adapter; `whole` from the whole distribution, else with the set min-p."""
    generation = model.generation.whole() if whole else model.generation

    def draw(situations: Sequence[Situation], seed: int) -> list[ScoredTemplate]:
        return [
            template
            for i in range(0, len(situations), AT_ONCE)
            for template in model.write(
                situations[i : i + AT_ONCE], seed + i, adapter=adapter, generation=generation
            )
        ]

    return draw


def by_grammar(model: LiveModel) -> Draw:
    """Draws of the grammar, never bare."""

    def draw(situations: Sequence[Situation], seed: int) -> list[ScoredTemplate]:
        texts = grammar_texts(situations, seed)
        scores = [
            score
            for i in range(0, len(texts), AT_ONCE)
            for score in model.score(texts[i : i + AT_ONCE], situations[i : i + AT_ONCE])
        ]
        return [ScoredTemplate(t, s) for t, s in zip(texts, scores, strict=True)]

    return draw


def single(draw: Draw, situations: Sequence[Situation], seed: int) -> list[str]:
    return [template.text for template in draw(situations, seed)]


def best(draw: Draw, n: int, situations: Sequence[Situation], seed: int) -> list[str]:
    """The passing one of n with the largest score; where none passes, that with the largest."""
    shield = Shield.load()
    rounds = [draw(situations, seed + STRIDE * turn) for turn in range(n)]
    return [
        max(
            own,
            key=lambda t: (shield.check_template_facts(t.text, one.facts).passed, t.score, t.text),
        ).text
        for one, own in zip(situations, zip(*rounds, strict=True), strict=True)
    ]


def sft(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """SFT, any token may be drawn."""
    return single(drawn(model, REFERENCE, whole=True), situations, seed)


def sft_min_p(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """SFT as it is sampled in every stage."""
    return single(drawn(model, REFERENCE), situations, seed)


def sft_best_of_4(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """Four draws of SFT, the best by shield and reward model."""
    return best(drawn(model, REFERENCE), 4, situations, seed)


def sft_best_of_8(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """Eight draws of SFT, the best by shield and reward model."""
    return best(drawn(model, REFERENCE), 8, situations, seed)


def ppo(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """PPO-Text, one draw."""
    return single(drawn(model, POLICY), situations, seed)


def ppo_best_of_4(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """Four draws of PPO-Text, the best by shield and reward model."""
    return best(drawn(model, POLICY), 4, situations, seed)


def ppo_best_of_8(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """Eight draws of PPO-Text, the best by shield and reward model."""
    return best(drawn(model, POLICY), 8, situations, seed)


def dpo(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """The adapter that TRL's DPOTrainer made of SFT's, one draw."""
    return single(drawn(model, DPO), situations, seed)


def of_grammar(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """The grammar, never bare, one draw: no model at all."""
    return grammar_texts(situations, seed)


def grammar_best_of_8(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """Eight draws of the grammar, the best by shield and reward model."""
    return best(by_grammar(model), 8, situations, seed)


def reviewed(model: LiveModel, situations: Sequence[Situation], seed: int) -> list[str]:
    """A reviewed template of the situation's offer, tenure band and tone, about a service or the
    contract."""
    rng = random.Random(f"reviewed-{seed}")
    return [
        rng.choice(about(rng.choice([*one.services, one.contract]), one.offer, one.band, one.tone))
        for one in situations
    ]


METHODS: Mapping[str, Method] = {
    "sft": sft,
    "sft_min_p": sft_min_p,
    "sft_best_of_4": sft_best_of_4,
    "sft_best_of_8": sft_best_of_8,
    "ppo": ppo,
    "ppo_best_of_4": ppo_best_of_4,
    "ppo_best_of_8": ppo_best_of_8,
    "dpo": dpo,
    "grammar": of_grammar,
    "grammar_best_of_8": grammar_best_of_8,
    "reviewed": reviewed,
}
"""By the names of the rows of benchmarks/messages.json."""
ADAPTER_OF: Mapping[str, str] = {
    "sft": REFERENCE,
    "sft_min_p": REFERENCE,
    "ppo": POLICY,
    "dpo": DPO,
}
"""The methods that draw once as the stages do, for which a KL to SFT is meant."""
