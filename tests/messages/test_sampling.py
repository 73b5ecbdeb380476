"""How messages are drawn: as the settings say, in every stage the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.models import language_model, ppo_evaluation, ppo_text
from churn_assets.messages.models.language_model import (
    activate,
    drawable,
    drawing_logits,
    drawn_token,
    features,
    load_base,
    sample,
    tempered_logits,
)
from churn_assets.messages.models.ppo_evaluation import sequence_kl
from churn_assets.messages.models.ppo_formulas import (
    TokenSets,
    exact_kl,
    log_probs,
)
from churn_assets.messages.models.ppo_text import (
    POLICY,
    REFERENCE,
)
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
    logits = model.get_output_embeddings()(features(model, samples))
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
    logits = torch.tensor([[3.0, 2.9, -9.0, -9.0]])
    allowed = drawable(logits, 0.1)
    assert allowed.tolist() == [[True, True, False, False]]
    shares = drawing_logits(logits, allowed).softmax(-1)
    for draw, token in ((0.0, 0), (0.5, 0), (0.53, 1), (1.0, 1)):
        assert drawn_token(shares, torch.tensor([draw])).tolist() == [token]


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_ppos_first_ratio_is_one_with_min_p(chain: Chain, temperature: float) -> None:
    """Why: probabilities under another distribution than the one drawn from bias every update."""
    made = trainer(chain)
    made.generation = GenerationConfig(max_new_tokens=16, min_p=0.95, temperature=temperature)
    rollout = made.collect(0)
    real = rollout.samples.response_mask.bool()
    activate(made.model, POLICY)
    hidden = features(made.model, rollout.samples)
    logits = made.model.get_output_embeddings()(hidden)[real] / temperature
    tokens = rollout.samples.ids[:, rollout.samples.prompt_width :][real]
    allowed = rollout.allowed.dense(rollout.places[real])
    again = log_probs(drawing_logits(logits, allowed), tokens)
    torch.testing.assert_close(again, rollout.log_probs[real])
    assert torch.isfinite(again).all()
    assert (again >= log_probs(logits, tokens) - 1e-5).all()
    assert not allowed.all()


def test_the_kl_in_the_reward_is_of_the_temperature_that_is_sampled_at(chain: Chain) -> None:
    """Why: at another temperature the price of leaving SFT was that of a distribution that nothing
    was drawn from."""
    made = trainer(chain)
    for name, parameter in made.model.named_parameters():
        if f".{POLICY}." in name and "lora_B" in name:
            parameter.data += 0.3
    made.generation = GenerationConfig(max_new_tokens=16, temperature=0.5)
    figures, expected = made.collect(1).metrics, []
    rollout = made.collect(1)
    for adapter in (POLICY, REFERENCE):
        activate(made.model, adapter)
        hidden = features(made.model, rollout.samples)
        expected.append(made.model.get_output_embeddings()(hidden) / 0.5)
    kl = (exact_kl(*expected) * rollout.samples.response_mask).sum(1).mean()
    assert figures["kl"] == pytest.approx(kl.item(), rel=1e-4)
    assert figures["kl"] > 0.01


def test_chunks_of_logits_give_what_the_whole_batch_gives(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: of a whole batch the logits of a public model are gigabytes."""
    made = trainer(chain)
    whole = made.collect(0)
    monkeypatch.setattr(ppo_text, "LOGIT_ROWS", 3)
    parts = made.collect(0)
    torch.testing.assert_close(parts.log_probs, whole.log_probs)
    torch.testing.assert_close(parts.advantages, whole.advantages)
    real = whole.samples.response_mask.bool()
    for sets in ("head", "allowed"):
        one, other = (getattr(r, sets).dense(r.places[real]) for r in (parts, whole))
        assert torch.equal(one, other)


def test_an_update_in_parts_takes_the_same_step(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: as above; gradients of parts must add up to the minibatch's own, token by token."""
    found = []
    for limit in (language_model.LOGITS, 3 * 16 * TINY.base.vocabulary):
        monkeypatch.setattr(language_model, "LOGITS", limit)
        made = trainer(chain)
        gauges = made.update(made.collect(0), 0)
        found.append((gauges, [p.detach().clone() for p in made.policy_parameters]))
    (whole_gauges, whole), (part_gauges, parts) = found
    assert part_gauges == pytest.approx(whole_gauges, rel=1e-3, abs=1e-5)
    for one, other in zip(parts, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_logits_in_memory_together_are_bounded(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: 192 messages of 64 tokens over 49,152 words are 2.4 GB, and an update holds several."""
    limit, sizes = 2 * 16 * TINY.base.vocabulary, []

    def counted(model: Any, hidden: Tensor, config: GenerationConfig) -> Tensor:
        logits = tempered_logits(model, hidden, config)
        sizes.append(logits.numel())
        return logits

    monkeypatch.setattr(language_model, "LOGITS", limit)
    for module in (ppo_text, ppo_evaluation):
        monkeypatch.setattr(module, "tempered_logits", counted)
    made = trainer(chain)
    rollout = made.collect(0)
    collected = len(sizes)
    made.update(rollout, 0)
    updated = len(sizes)
    sequence_kl(made.model, [rollout.samples], made.generation)
    assert 0 < collected < updated < len(sizes)
    assert max(sizes) <= limit


class Largest(TorchDispatchMode):
    """The most numbers in any tensor that an operation makes while it is active."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, Tensor):
                self.numbers = max(self.numbers, each.numel())
        return made


def test_sampling_copies_no_weights_for_each_prompt(chain: Chain) -> None:
    """Why: 64 prompts made 64 copies of a public model's words, four fifths of the prompt's time
    and, for 256 prompts, 14 GB."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    words = model.get_output_embeddings().weight
    with Largest() as largest:
        sample(model.eval(), tokenizer, ["a:\n", "longer one:\n"] * 32, TINY.generation, 1)
    assert words.numel() < largest.numbers < 64 * words.numel() / 2


def test_sets_of_tokens_are_what_they_were_made_of() -> None:
    """Why: a set of another position would be a silent error of every ratio."""
    torch.manual_seed(0)
    members = torch.rand(7, 11) < 0.3
    members[2] = False
    joined = TokenSets.joined([TokenSets.of(members[:4]), TokenSets.of(members[4:])])
    places = torch.tensor([6, 0, 2, 2, 5])
    assert torch.equal(joined.dense(places), members[places])


def test_a_message_that_is_cut_off_is_not_paid_as_finished(chain: Chain) -> None:
    """Why: a policy that never ends would earn the verdict of its first sentences."""
    made = trainer(chain)
    made.generation = GenerationConfig(max_new_tokens=8)
    free = made.collect(0)
    cut = ~free.samples.ended(made.tokenizer.eos_token_id)
    assert cut.any()
    assert free.metrics["ended_rate"] == pytest.approx(1 - cut.float().mean().item())
    made.config = made.config.model_copy(update={"missing_end_penalty": 0.0})
    unpunished = made.collect(0)
    difference = unpunished.metrics["score"] - free.metrics["score"]
    assert difference == pytest.approx(2.0 * cut.float().mean().item(), abs=1e-4)
    made.scorer.rule = lambda samples, _: torch.ones(len(samples.texts))  # type: ignore[method-assign]
    assert made.collect(0).metrics["pass_rate"] == pytest.approx(1 - cut.float().mean().item())


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
