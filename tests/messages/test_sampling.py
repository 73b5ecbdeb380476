"""How messages are drawn: as the settings say, in every stage the same."""

from __future__ import annotations

import pytest
import torch

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.models.language_model import (
    activate,
    drawable,
    drawing_logits,
    drawn_token,
    load_base,
    sample,
    token_logits,
)
from churn_assets.messages.models.ppo_text import POLICY, log_probs
from tests.messages.conftest import TINY, Chain
from tests.messages.test_stages import trainer


@pytest.mark.parametrize("min_p", [0.0, 0.02, 0.5])
def test_samples_follow_the_distribution_that_the_settings_say(chain: Chain, min_p: float) -> None:
    """Why: every figure is about samples; a sampler that sharpens unasked would flatter them."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    model.eval()
    prompts = ["hello:\n", "0% new monthly warm nothing:\n"] * 2_000
    generation = GenerationConfig(max_new_tokens=8, temperature=0.8, min_p=min_p)
    samples = sample(model, tokenizer, prompts, generation, 3)
    logits, _ = token_logits(model, samples)
    tokens = samples.ids[:, samples.prompt_width :]
    expected = (logits / 0.8).softmax(-1)
    floor = min_p * expected.amax(-1, keepdim=True)
    drawn = expected.gather(-1, tokens.unsqueeze(-1))
    assert (drawn >= 0.999 * floor)[samples.response_mask.bool()].all()
    expected = expected * (expected >= floor)
    expected /= expected.sum(-1, keepdim=True)
    for step in (0, 7):  # at the last step many rows have ended
        still = samples.response_mask[:, step].bool()
        counts = torch.bincount(tokens[still, step], minlength=logits.shape[-1])
        share = expected[still, step].mean(0)
        spread = (share * (1 - share) / still.sum()).sqrt()
        assert ((counts / still.sum() - share).abs() < 5 * spread + 1e-3).all()


def test_the_rarest_draw_is_a_token_that_may_be_drawn() -> None:
    """Why: a number rounded up to 1 would fall on the vocabulary's last token, drawable or not."""
    config = GenerationConfig(min_p=0.1)
    logits = torch.tensor([[3.0, 2.9, -9.0, -9.0]])
    allowed = drawable(logits, config)
    assert allowed.tolist() == [[True, True, False, False]]
    shares = drawing_logits(logits, allowed, config).softmax(-1)
    for draw, token in ((0.0, 0), (0.5, 0), (0.53, 1), (1.0, 1)):
        assert drawn_token(shares, torch.tensor([draw])).tolist() == [token]


def test_ppos_first_ratio_is_one_with_min_p(chain: Chain) -> None:
    """Why: probabilities under another distribution than the one drawn from bias every update."""
    made = trainer(chain)
    made.generation = GenerationConfig(max_new_tokens=16, min_p=0.95)  # it is hardly trained
    rollout = made.collect(0)
    real = rollout.samples.response_mask.bool()
    activate(made.model, POLICY)
    logits, _ = token_logits(made.model, rollout.samples)
    tokens = rollout.samples.ids[:, rollout.samples.prompt_width :]
    again = log_probs(drawing_logits(logits, rollout.allowed, made.generation), tokens)
    torch.testing.assert_close(again[real], rollout.log_probs[real])
    assert torch.isfinite(rollout.log_probs[real]).all()
    assert (rollout.log_probs >= log_probs(logits, tokens) - 1e-5)[real].all()
    assert not rollout.allowed.all()


def test_sampling_is_seeded_and_masks_end_at_the_end(chain: Chain) -> None:
    """Why: the same request gives the same message, and the score sits at the end of text."""
    made = trainer(chain)
    one, same, other = (
        sample(made.model, made.tokenizer, ["a:\n", "longer one:\n"], TINY.generation, seed)
        for seed in (1, 1, 2)
    )
    assert one.texts == same.texts != other.texts
    assert torch.equal(one.ids, same.ids)
    for row in range(2):
        length = int(one.response_mask[row].sum())
        response = one.ids[row, one.prompt_width :]
        assert (response[: length - 1] != made.tokenizer.eos_token_id).all()
        ended = response[length - 1] == made.tokenizer.eos_token_id
        assert ended or length == TINY.generation.max_new_tokens
