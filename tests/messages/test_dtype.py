"""The base model's type: half the memory where asked for, 32 bits for all that is computed."""

from __future__ import annotations

from pathlib import Path

import torch

from churn_assets.messages.config import BaseModelConfig
from churn_assets.messages.models.base_model import copy_pretrained
from churn_assets.messages.models.language_model import (
    features,
    head_width,
    load_base,
    sample,
    tempered_logits,
    with_new_adapter,
)
from churn_assets.messages.models.ppo_formulas import exact_kl
from churn_assets.messages.models.scoring import RewardHead, scores
from tests.messages.conftest import TINY, Chain


def test_a_base_is_loaded_in_the_type_that_it_was_saved_in(chain: Chain, tmp_path: Path) -> None:
    """Why: 32 bits were fixed, whatever the machine could do; an adapter in 16 would not learn."""
    source = chain.folders["message_base_model"]
    config = BaseModelConfig(source=str(source), dtype="bfloat16")
    copy_pretrained(config, tmp_path)
    half, tokenizer = load_base(tmp_path, eight_bit=False)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    whole, _ = load_base(source, eight_bit=False)
    assert {p.dtype for p in whole.parameters()} == {torch.float32}

    samples = sample(half.eval(), tokenizer, ["a:\n", "b:\n"], TINY.generation, 1)
    logits = [tempered_logits(m, features(m, samples), TINY.generation) for m in (half, whole)]
    assert logits[0].dtype == torch.float32
    assert exact_kl(*logits).max() < 0.01

    adapted = with_new_adapter(half, TINY.lora, "reward")
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert {p.dtype for p in trained} == {torch.float32}
    head = RewardHead(head_width(adapted))
    found = scores(adapted, head, samples.dialogues)
    assert found.dtype == torch.float32
    found.sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)
