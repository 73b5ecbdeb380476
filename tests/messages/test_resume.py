"""A stage that was killed goes on from its checkpoint, as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models import base_model, ppo_stage, reward, sft
from churn_assets.messages.models.ppo_text import POLICY
from churn_assets.messages.models.reward import JUDGE, REWARD
from churn_assets.messages.writing import bank_stage
from churn_assets.messages.writing.authors import Authors, Method
from churn_assets.messages.writing.bank import ScoredTemplate
from churn_assets.messages.writing.choice import held_out_situations
from churn_assets.storage.trees import tree_files
from tests.messages.conftest import PROCESSES, TINY, Chain
from tests.processes import wait_until

Run = Callable[..., dict[str, Any]]


def run_until_killed(run: Run, last_step: int, *arguments: Any) -> None:
    """A stage's process; at `last_step` it and its children are gone, with no chance to tidy up."""

    def killed(step: int, total: int, **metrics: float) -> None:
        if step == last_step:
            os.killpg(os.getpgrp(), signal.SIGKILL)

    os.setsid()
    folders, out, config, checkpoints = arguments
    run(folders, out, config, killed, checkpoints)


def kill(run: Run, last_step: int, *arguments: Any) -> None:
    process = PROCESSES.Process(target=run_until_killed, args=(run, last_step, *arguments))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def stop(
    run: Run, after_step: int, *arguments: Any, when: Callable[[], bool] = lambda: True
) -> None:
    """A stage that is asked to stop, in the middle of a step's work, after it told of a step and
    `when` is true."""

    def stopped(step: int, total: int, **metrics: float) -> None:
        if step == after_step:
            wait_until(when)
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    folders, out, config, checkpoints = arguments
    with pytest.raises(KeyboardInterrupt):
        run(folders, out, config, stopped, checkpoints)
    assert signal.getsignal(signal.SIGTERM) is before


def assert_same_weights(name: str, resumed_folder: Path, whole_folder: Path) -> None:
    resumed, whole = load_file(resumed_folder / name), load_file(whole_folder / name)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[key], whole[key]) for key in resumed)


def test_killed_pretraining_ends_with_the_same_weights(chain: Chain, tmp_path: Path) -> None:
    """Why: it is the chain's longest stage on this machine; both optimizers' moments must go on."""
    base = TINY.base.model_copy(update={"checkpoint_every": 5})
    config = TINY.model_copy(update={"base": base})
    out, checkpoints = tmp_path / "out", tmp_path / "checkpoints"
    out.mkdir()
    kill(base_model.run, 8, dict(chain.folders), out, config, checkpoints)
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000005"]
    stop(base_model.run, 6, dict(chain.folders), out, config, checkpoints)
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000007"]
    steps: list[int] = []
    report = base_model.run(
        chain.folders, out, config, lambda step, total, **_: steps.append(step), checkpoints
    )
    assert steps == list(range(8, 13))
    assert_same_weights("model.safetensors", out, chain.folders["message_base_model"])
    assert report == chain.reports["message_base_model"]
    assert base_model.run(chain.folders, out, config, checkpoints=checkpoints) == report


def test_killed_ppo_ends_with_the_same_weights(chain: Chain, tmp_path: Path) -> None:
    """Why: a preempted GPU must cost time, not a different model. Bit for bit on the CPU."""
    out, checkpoints = tmp_path / "out", tmp_path / "checkpoints"
    out.mkdir()
    kill(ppo_stage.run, 3, dict(chain.folders), out, TINY, checkpoints)
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000002"]
    (checkpoints / "writing-leftover").mkdir()
    report = ppo_stage.run(chain.folders, out, TINY, checkpoints=checkpoints)
    for name in (f"{POLICY}/adapter_model.safetensors", "value_head.safetensors"):
        assert_same_weights(name, out, chain.folders["ppo_text_model"])
    assert report["history"] == chain.reports["ppo_text_model"]["history"]


def test_stopped_ppo_leaves_a_last_checkpoint(chain: Chain, tmp_path: Path) -> None:
    """Why: a time limit comes with a minute's notice, which saves what no checkpoint holds yet."""
    out, checkpoints = tmp_path / "out", tmp_path / "checkpoints"
    out.mkdir()
    stop(ppo_stage.run, 3, dict(chain.folders), out, TINY, checkpoints)
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000003"]
    report = ppo_stage.run(chain.folders, out, TINY, checkpoints=checkpoints)
    assert_same_weights(f"{POLICY}/adapter_model.safetensors", out, chain.folders["ppo_text_model"])
    assert report["history"] == chain.reports["ppo_text_model"]["history"]


def test_stopped_sft_leaves_a_last_checkpoint(chain: Chain, tmp_path: Path) -> None:
    """Why: as for PPO; the step under way is finished first."""
    settings = TINY.sft.model_copy(update={"steps": 15, "checkpoint_every": 100})
    config = TINY.model_copy(update={"sft": settings})
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir(), checkpoints.mkdir()
    stop(sft.run, 10, dict(chain.folders), out, config, checkpoints)
    assert [p.name for p in checkpoints.glob("checkpoint-*")] == ["checkpoint-11"]
    sft.run(chain.folders, out, config, checkpoints=checkpoints)
    sft.run(chain.folders, whole, config)
    assert_same_weights("sft/adapter_model.safetensors", out, whole)


def test_killed_sft_ends_with_the_same_weights(chain: Chain, tmp_path: Path) -> None:
    """Why: as for PPO; here the library keeps the checkpoints."""
    settings = TINY.sft.model_copy(update={"steps": 25, "checkpoint_every": 10})
    config = TINY.model_copy(update={"sft": settings})
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir(), checkpoints.mkdir()
    kill(sft.run, 20, dict(chain.folders), out, config, checkpoints)
    assert [p.name for p in checkpoints.glob("checkpoint-*")] == ["checkpoint-10"]
    (checkpoints / "checkpoint-20").mkdir()  # killed while it was written
    resumed = sft.run(chain.folders, out, config, checkpoints=checkpoints)
    uninterrupted = sft.run(chain.folders, whole, config)
    assert_same_weights("sft/adapter_model.safetensors", out, whole)
    assert resumed["losses"] == uninterrupted["losses"]


def assert_ends_as_if_never_stopped(
    chain: Chain, config: MessagesConfig, out: Path, whole: Path, checkpoints: Path
) -> None:
    """Both reward models, gone on with in `out`, are those of one run, in `whole`."""
    resumed = reward.run(chain.folders, out, config, checkpoints=checkpoints)
    uninterrupted = reward.run(chain.folders, whole, config)
    for adapter in (REWARD, JUDGE):
        assert_same_weights(f"{adapter}/adapter_model.safetensors", out, whole)
        assert_same_weights(f"{adapter}_head.safetensors", out, whole)
    assert resumed == uninterrupted


def test_killed_reward_model_ends_with_the_same_weights(chain: Chain, tmp_path: Path) -> None:
    """Why: as for PPO, for each of the two; with dropout, whose draws must go on too."""
    config = TINY.model_copy(
        update={
            "reward": TINY.reward.model_copy(update={"steps": 7, "checkpoint_every": 2}),
            "lora": TINY.lora.model_copy(update={"dropout": 0.2}),
        }
    )
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir()
    kill(reward.run, 5, dict(chain.folders), out, config, checkpoints)
    assert [p.name for p in (checkpoints / REWARD).glob("iteration-*")] == ["iteration-000004"]
    assert_ends_as_if_never_stopped(chain, config, out, whole, checkpoints)


def test_stopped_reward_model_and_judge_leave_their_last_checkpoints(
    chain: Chain, tmp_path: Path
) -> None:
    """Why: as for PPO; of two processes only one hears of the stop. The judge has learnt already
    here and is judged, or is done: it isn't trained again."""
    settings = TINY.reward.model_copy(update={"steps": 7, "checkpoint_every": 100})
    config = TINY.model_copy(update={"reward": settings})
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir()
    arguments = (dict(chain.folders), out, config, checkpoints)
    stop(reward.run, 3, *arguments, when=(checkpoints / JUDGE / "iteration-000007").exists)
    assert not multiprocessing.active_children()
    assert [p.name for p in (checkpoints / REWARD).iterdir()] == ["iteration-000003"]
    assert [p.name for p in (checkpoints / JUDGE).iterdir()] == ["iteration-000007"]
    assert_ends_as_if_never_stopped(chain, config, out, whole, checkpoints)


def write_bank(*arguments: Any, **checkpoints: Path) -> dict[str, Any]:
    """The bank's stage, whatever gates the tiny models missed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bank_stage, "failed_gates", lambda reports: [])
        patch.setattr(bank_stage, "held_out_situations", lambda: held_out_situations()[:32])
        return bank_stage.run(*arguments, **checkpoints)


def test_a_killed_and_stopped_bank_ends_with_the_same_bytes(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the pretrained base writes a minute at each of its batches; none is written twice."""
    whole, out, checkpoints = (tmp_path / name for name in ("whole", "out", "checkpoints"))
    whole.mkdir(), out.mkdir()
    kill(write_bank, 272, dict(chain.folders), out, TINY, checkpoints)
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000005"]
    written: list[Method] = []

    def write(
        self: Authors, method: Method, situations: Sequence[Situation], seed: int
    ) -> list[ScoredTemplate]:
        written.append(method)
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, method, situations, seed)

    original = Authors.write
    monkeypatch.setattr(Authors, "write", write)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        write_bank(chain.folders, out, TINY, checkpoints=checkpoints)
    assert signal.getsignal(signal.SIGTERM) is before
    assert [p.name for p in checkpoints.iterdir()] == ["iteration-000007"]
    resumed = write_bank(chain.folders, out, TINY, checkpoints=checkpoints)
    # Of a method that writes nothing that passes, all is asked for twice: four batches.
    grammars = ["grammar"] * (len(written) - 3)
    assert written == ["sft"] * 3 + grammars
    assert resumed == write_bank(chain.folders, whole, TINY)
    assert tree_files(out) == tree_files(whole)
    assert written[len(grammars) + 3 :] == ["ppo"] * 4 + ["sft"] * 4 + grammars
