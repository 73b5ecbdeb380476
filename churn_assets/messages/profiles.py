"""The message writer's settings by profile: what each base needs, and what a machine affords."""

from __future__ import annotations

from typing import Literal

from churn_assets.messages.config import (
    PRETRAINED,
    BaseModelConfig,
    CorpusConfig,
    GenerationConfig,
    LoraSettings,
    MessageBankConfig,
    MessagesConfig,
    PpoTextConfig,
    RewardConfig,
    SftConfig,
)

OPT_350M = "facebook/opt-350m"
OPT_350M_REVISION = "08ab08cc4b72ff5593870b5d527cf4230323703c"
LLAMA_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

Profile = Literal["embedded", "pretrained", "production"]


def messages_config(profile: Profile) -> MessagesConfig:
    """The settings of a profile.

    `embedded`: the defaults. `pretrained`: SmolLM2-135M, sized for about an hour on two CPU cores
    (what it takes: benchmarks/messages.md). `production`: opt-350m in 8 bit on a GPU.
    """
    return {"embedded": MessagesConfig, "pretrained": _pretrained, "production": _production}[
        profile
    ]()


def _pretrained() -> MessagesConfig:
    """Few texts and steps, since it knows the language; its texts are longer: prompts are in plain
    words, and its tokens don't reach across this corpus's phrases."""
    return MessagesConfig(
        threads=2,
        corpus=CorpusConfig(
            messages=1_100,
            pairs=1_600,
            phrasing="varied",
            public_pairs=40,
            public_test_pairs=40,  # 220 of up to 512 tokens take 18 minutes
        ),
        base=BaseModelConfig(source=PRETRAINED, dtype="auto"),
        lora=LoraSettings(targets=LLAMA_LAYERS),
        sft=SftConfig(
            steps=600,
            batch=8,
            learning_rate=1e-3,
            max_length=160,
            like_length=True,
            whole_logits=True,
            checkpoint_every=25,
        ),
        reward=RewardConfig(
            steps=40,
            batch=8,
            learning_rate=1e-4,
            probe=True,
            informed=True,
            max_length=512,
            checkpoint_every=5,  # of up to 20 s each: no stop request waits that long
            comparisons=60,
        ),
        ppo=PpoTextConfig(
            iterations=16,
            batch=48,
            minibatch=24,
            learning_rate=1e-4,
            value_learning_rate=1e-3,
            fit_reward=4.0,
            variety_reward=4.0,
            kl_target=1.0,
            beta=1.0,
            beta_every=2,
            beta_limit=10.0,
            checkpoint_every=2,
            evaluation_samples=192,
        ),
        generation=GenerationConfig(max_new_tokens=80),
        live_seconds=10,
        bank=MessageBankConfig(candidates=4, keep=2),
    )


def _production() -> MessagesConfig:
    return MessagesConfig(
        threads=0,
        corpus=CorpusConfig(
            messages=40_000, pairs=40_000, public_dialogues=16_440, public_pairs=100_000
        ),
        base=BaseModelConfig(source=OPT_350M, revision=OPT_350M_REVISION, eight_bit=True),
        sft=SftConfig(steps=3_000, learning_rate=2e-4, max_length=512),
        reward=RewardConfig(steps=4_000, learning_rate=1e-4, max_length=512),
        lora=LoraSettings(targets=("q_proj", "v_proj")),
        ppo=PpoTextConfig(
            iterations=300,
            batch=128,
            minibatch=32,
            learning_rate=3e-5,
            variety_reward=2.0,
            kl_target=1.0,
            beta=0.2,
            evaluation_samples=2_048,
        ),
        bank=MessageBankConfig(candidates=12),
    )
