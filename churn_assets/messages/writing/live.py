"""Generation: the message bank is made by `LiveModel`, and with `live_generation` the API asks
`ReleasedModel` in place of the bank, n candidates in one batch, best first by the reward model.

They need torch, so nothing that the API imports at its start imports this module.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models.encoding import encode_dialogues
from churn_assets.messages.models.language_model import (
    SFT,
    activate,
    head_width,
    load_base,
    sample,
)
from churn_assets.messages.models.ppo_text import POLICY, REWARD
from churn_assets.messages.models.scoring import RewardHead, load_head, scores
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bank import Author, ScoredTemplate

BASE_FOLDER = "base"
MOST_TOKENS = 224  # of prompt and message to be scored; a message has at most 64


class LiveModel:
    """The policy and the reward model as adapters on one base, switched as they are asked."""

    def __init__(
        self, model: PeftModel, tokenizer: Any, head: RewardHead, generation: GenerationConfig
    ) -> None:
        self.model, self.tokenizer, self.head = model, tokenizer, head
        self.generation = generation

    @classmethod
    def load(
        cls,
        base: Path,
        ppo: Path,
        reward: Path,
        generation: GenerationConfig,
        *,
        eight_bit: bool = False,
    ) -> LiveModel:
        """From the artifacts message_base_model, ppo_text_model and reward_model."""
        model, tokenizer = load_base(base, eight_bit=eight_bit)
        adapted = PeftModel.from_pretrained(model, ppo / POLICY, adapter_name=POLICY)
        adapted.load_adapter(reward / REWARD, adapter_name=REWARD)
        head = load_head(reward, REWARD, head_width(adapted))
        if head.speaker is not None:
            adapted.load_adapter(reward / head.speaker, adapter_name=head.speaker)
        return cls(adapted.eval(), tokenizer, head, generation)

    @torch.no_grad()
    def write(
        self,
        situations: Sequence[Situation],
        seed: int,
        *,
        adapter: str = POLICY,
        generation: GenerationConfig | None = None,
    ) -> list[ScoredTemplate]:
        """One scored template per situation, in order, by an adapter that is loaded."""
        activate(self.model, adapter)
        prompts = [situation.prompt for situation in situations]
        drawn = generation or self.generation
        samples = sample(self.model, self.tokenizer, prompts, drawn, seed)
        activate(self.model, REWARD)
        found = scores(self.model, self.head, samples.dialogues).tolist()
        return [ScoredTemplate(t, s) for t, s in zip(samples.texts, found, strict=True)]

    @torch.no_grad()
    def score(self, texts: Sequence[str], situations: Sequence[Situation]) -> list[float]:
        """The reward model's score of texts that somebody else wrote, in order."""
        activate(self.model, REWARD)
        prompts = [situation.prompt for situation in situations]
        dialogues = encode_dialogues(self.tokenizer, prompts, texts, MOST_TOKENS)
        found: list[float] = scores(self.model, self.head, dialogues).tolist()
        return found


class ReleasedModel:
    """A release's policy and reward model, each merged with its adapter into weights of its own:
    an adapter beside them takes as long as they do. The third is what the reward model's head is
    told by: the base by itself, or with SFT's adapter. One request at a time.

    `count` templates are written for a brief.
    """

    author: Author = "model"

    def __init__(
        self,
        policy: PreTrainedModel,
        reward: PreTrainedModel,
        base: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        head: RewardHead,
        generation: GenerationConfig,
        count: int,
    ) -> None:
        self.policy, self.reward, self.base, self.head = policy, reward, base, head
        self.tokenizer, self.generation, self.count = tokenizer, generation, count

    @classmethod
    def load(cls, folder: Path, generation: GenerationConfig, *, candidates: int) -> ReleasedModel:
        """From a release's `messages/live/` folder, which `copy_for_live` wrote."""
        source, scorer = folder / BASE_FOLDER, folder / "reward"
        policy = _merged(source, folder / "ppo" / POLICY)
        reward = _merged(source, scorer / REWARD)
        head = load_head(scorer, REWARD, head_width(reward))
        base, tokenizer = load_base(source, eight_bit=False)
        if head.speaker is not None:
            base = _merged(source, scorer / head.speaker)
        return cls(policy, reward, base.eval(), tokenizer, head, generation, candidates)

    @torch.inference_mode()
    def candidates(
        self, brief: MessageBrief, seed: str, until: float = math.inf
    ) -> list[ScoredTemplate]:
        """Templates for one brief, best first; the seed decides every draw.

        Raises TimeoutError once `time.monotonic()` is past `until`.
        """

        def in_time() -> None:
            if time.monotonic() > until:
                raise TimeoutError

        number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=4).digest(), "big")
        situation = Situation.of(brief)
        about = [replace(situation, topic=topic).prompt for topic in situation.topics]
        prompts = list(islice(cycle(about), self.count))  # of each topic as many
        found = sample(self.policy, self.tokenizer, prompts, self.generation, number, in_time)
        judged = scores(self.reward, self.head, found.dialogues, self.base).tolist()
        written = {ScoredTemplate(t, s) for t, s in zip(found.texts, judged, strict=True)}
        return sorted(written, key=lambda t: (-t.score, t.text))


def _merged(base: Path, adapter: Path) -> PreTrainedModel:
    model, _ = load_base(base, eight_bit=False)
    merged: PreTrainedModel = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return merged.eval()


def copy_for_live(base: Path, ppo: Path, reward: Path, out: Path) -> None:
    """What `ReleasedModel.load` needs, and nothing else."""
    shutil.copytree(base, out / BASE_FOLDER)
    shutil.copytree(ppo / POLICY, out / "ppo" / POLICY)
    for adapter in (REWARD, SFT):
        if (reward / adapter).exists():  # SFT's is there for an informed head
            shutil.copytree(reward / adapter, out / "reward" / adapter)
    shutil.copy(reward / f"{REWARD}_head.safetensors", out / "reward")
