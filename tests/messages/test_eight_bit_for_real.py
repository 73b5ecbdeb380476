"""LLM.int8 itself, by the library's kernels for processors: what a card does in production.

Only the question whether there is a card is left out. Skipped where bitsandbytes isn't installed.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from churn_assets.messages.models import language_model, ppo_stage, reward, sft
from churn_assets.messages.models.language_model import (
    SFT,
    last_hidden,
    load_base,
)
from churn_assets.messages.models.ppo_text import POLICY
from churn_assets.messages.models.reward import REWARD
from tests.messages.conftest import TINY, Chain
from tests.messages.test_resume import assert_same_weights, stop

bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes isn't installed (`dev`)")
EIGHT_BIT = TINY.model_copy(
    update={
        "base": TINY.base.model_copy(update={"eight_bit": True}),
        "sft": TINY.sft.model_copy(update={"steps": 12, "checkpoint_every": 100}),
        "reward": TINY.reward.model_copy(update={"steps": 1, "comparisons": 4}),
        "ppo": TINY.ppo.model_copy(update={"iterations": 1}),
    }
)


@pytest.fixture(autouse=True)
def on_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "_require_cuda", lambda: None)


def types_of(folder: Path) -> set[torch.dtype]:
    return {value.dtype for value in load_file(folder / "adapter_model.safetensors").values()}


def test_the_base_is_quantized_and_says_nothing_of_it(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    """Why: the library warned at each layer of each forward pass, and all of it went to Dagster's
    log: millions of lines a stage."""
    model, _ = load_base(chain.folders["message_base_model"], eight_bit=True)
    layers = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear8bitLt)]
    assert len(layers) == 2 * 6 + 2  # of each block, and the projections
    assert {layer.weight.dtype for layer in layers} == {torch.int8}
    with caplog.at_level(logging.DEBUG):  # the root's: the library's own level holds
        ids = torch.arange(8).unsqueeze(0)
        last_hidden(model, ids, torch.ones_like(ids))
    assert not caplog.records


def test_sft_learns_in_32_bits_and_resumes_to_the_same_model(chain: Chain, tmp_path: Path) -> None:
    """Why: the adapter and Adam's moments were of bfloat16 in one run, of 32 bits in a resumed."""
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir(), checkpoints.mkdir()
    stop(sft.run, 10, dict(chain.folders), out, EIGHT_BIT, checkpoints)
    kept = torch.load(checkpoints / "checkpoint-11" / "optimizer.pt")["state"]
    assert {moment.dtype for state in kept.values() for moment in state.values()} == {torch.float32}
    sft.run(chain.folders, out, EIGHT_BIT, checkpoints=checkpoints)
    sft.run(chain.folders, whole, EIGHT_BIT)
    assert_same_weights("sft/adapter_model.safetensors", out, whole)
    assert types_of(whole / SFT) == {torch.float32}


def test_reward_model_and_ppo_learn_in_32_bits(chain: Chain, tmp_path: Path) -> None:
    """Why: gradients have to come through the quantised layers, into adapters of 32 bits."""
    folders = {**chain.folders, "reward_model": tmp_path / "reward", "policy": tmp_path / "ppo"}
    for name in ("reward_model", "policy"):
        folders[name].mkdir()
    for adapter in (REWARD, reward.JUDGE):
        reward.train_and_evaluate(adapter, folders, folders["reward_model"], EIGHT_BIT)
        assert types_of(folders["reward_model"] / adapter) == {torch.float32}
    ppo_stage.run(folders, folders["policy"], EIGHT_BIT)
    assert types_of(folders["policy"] / POLICY) == {torch.float32}
    learnt = load_file(folders["policy"] / POLICY / "adapter_model.safetensors")
    begun = load_file(chain.folders["sft_model"] / SFT / "adapter_model.safetensors")
    assert any(not torch.equal(learnt[name], begun[name]) for name in learnt)
