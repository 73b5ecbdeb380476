"""Generation on the spot: n candidates in one batch, best first by the reward model.

The message bank is made with it, and with `live_generation` the API asks it in place of the bank.
It needs torch, so nothing that the API imports at its start imports this module.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models.language_model import (
    RewardHead,
    activate,
    encode_dialogues,
    head_width,
    load_base,
    sample,
    scores,
)
from churn_assets.messages.models.ppo_text import POLICY
from churn_assets.messages.models.reward import REWARD, load_head
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bank import Author, ScoredTemplate

BASE_FOLDER = "base"
MOST_TOKENS = 224  # of prompt and message to be scored; a message has at most 64


class LiveModel:
    """The policy and the reward model on one base. One request at a time."""

    author: Author = "model"

    def __init__(
        self,
        model: PeftModel,
        tokenizer: Any,
        head: RewardHead,
        generation: GenerationConfig,
        candidates: int = 8,
    ) -> None:
        self.model, self.tokenizer, self.head = model, tokenizer, head
        self.generation = generation
        self.count = candidates

    @classmethod
    def load(
        cls,
        base: Path,
        ppo: Path,
        reward: Path,
        generation: GenerationConfig,
        *,
        eight_bit: bool = False,
        candidates: int = 8,
    ) -> LiveModel:
        """From the artifacts message_base_model, ppo_text_model and reward_model."""
        model, tokenizer = load_base(base, eight_bit=eight_bit)
        adapted = PeftModel.from_pretrained(model, ppo / POLICY, adapter_name=POLICY)
        adapted.load_adapter(reward / REWARD, adapter_name=REWARD)
        head = load_head(reward, REWARD, head_width(adapted))
        return cls(adapted.eval(), tokenizer, head, generation, candidates)

    @classmethod
    def load_released(
        cls, folder: Path, generation: GenerationConfig, *, candidates: int = 8
    ) -> LiveModel:
        """From a release's `messages/live/` folder, which `copy_for_live` wrote."""
        ppo, reward = folder / "ppo", folder / "reward"
        return cls.load(folder / BASE_FOLDER, ppo, reward, generation, candidates=candidates)

    def candidates(self, brief: MessageBrief, seed: str) -> list[ScoredTemplate]:
        """Templates for one brief, best first; the seed decides every draw. None for a contract of
        no kind: the model knows no other than its own."""
        if brief.contract is None:
            return []
        number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=4).digest(), "big")
        written = self.write([Situation.of(brief)] * self.count, number)
        return sorted(set(written), key=lambda t: (-t.score, t.text))

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
        found = scores(self.model, self.head, samples.ids, samples.mask).tolist()
        return [ScoredTemplate(t, s) for t, s in zip(samples.texts, found, strict=True)]

    @torch.no_grad()
    def score(self, texts: Sequence[str], situations: Sequence[Situation]) -> list[float]:
        """The reward model's score of texts that somebody else wrote, in order."""
        activate(self.model, REWARD)
        prompts = [situation.prompt for situation in situations]
        ids, mask = encode_dialogues(self.tokenizer, prompts, texts, MOST_TOKENS)
        found: list[float] = scores(self.model, self.head, ids, mask).tolist()
        return found


def copy_for_live(base: Path, ppo: Path, reward: Path, out: Path) -> None:
    """What `load_released` needs, and nothing else."""
    shutil.copytree(base, out / BASE_FOLDER)
    shutil.copytree(ppo / POLICY, out / "ppo" / POLICY)
    shutil.copytree(reward / REWARD, out / "reward" / REWARD)
    shutil.copy(reward / f"{REWARD}_head.safetensors", out / "reward")
