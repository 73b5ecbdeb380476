"""Who can fill the bank: PPO-Text's policy, SFT and the grammar, all scored by one reward model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.corpus.grammar import WITH_REASON, grammar, write_message
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models.ppo_text import POLICY, REFERENCE
from churn_assets.messages.writing.bank import Author, ScoredTemplate
from churn_assets.messages.writing.live import LiveModel

Method = Literal["ppo", "sft", "grammar"]
METHODS: tuple[Method, ...] = get_args(Method)
ADAPTERS: Mapping[Method, str] = {"ppo": POLICY, "sft": REFERENCE}


class Authors:
    """Every author on one base model."""

    def __init__(self, model: LiveModel) -> None:
        self.model = model

    @classmethod
    def load(
        cls, inputs: Mapping[str, Path], generation: GenerationConfig, *, eight_bit: bool = False
    ) -> Authors:
        """From the artifacts message_base_model, sft_model, reward_model and ppo_text_model."""
        model = LiveModel.load(
            inputs["message_base_model"],
            inputs["ppo_text_model"],
            inputs["reward_model"],
            generation,
            eight_bit=eight_bit,
        )
        if REFERENCE not in model.model.peft_config:  # an informed reward model brings it
            model.model.load_adapter(inputs["sft_model"] / REFERENCE, adapter_name=REFERENCE)
        model.model.eval()
        return cls(model)

    def write(
        self, method: Method, situations: Sequence[Situation], seed: int
    ) -> list[ScoredTemplate]:
        """One scored template per situation, in order; the grammar's are never bare."""
        if method != "grammar":
            return self.model.write(situations, seed, adapter=ADAPTERS[method])
        texts = grammar_texts(situations, seed)
        found = self.model.score(texts, situations)
        return [ScoredTemplate(t, s) for t, s in zip(texts, found, strict=True)]


def author_of(method: Method) -> Author:
    """What a customer's answer names as the source of such a template."""
    return "grammar" if method == "grammar" else "model"


def grammar_texts(situations: Sequence[Situation], seed: int) -> list[str]:
    """A message of the grammar for each situation, never bare: each gives a reason."""
    rng, families = random.Random(f"grammar-{seed}"), grammar().families_of("train")
    return [write_message(rng, one, rng.choice(families), WITH_REASON) for one in situations]
