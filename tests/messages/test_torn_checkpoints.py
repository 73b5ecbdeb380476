"""Half of a checkpoint's file, as a power cut leaves it: it is named, with what to do."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import save_file
from transformers import OPTConfig, OPTForCausalLM

from churn_assets.messages.config import BaseModelConfig, LoraSettings
from churn_assets.messages.models import base_model, ppo_stage, sft
from churn_assets.messages.models.language_model import (
    load_training,
    save_training,
    with_new_adapter,
)
from churn_assets.messages.models.ppo_text import PpoText
from churn_assets.messages.writing.drafts import FILE, Drafts
from churn_assets.stages.checkpoints import write_checkpoint
from churn_assets.storage.protocol import DamagedArtifactError

SMALL = OPTConfig(
    vocab_size=16, hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=1
)


def cut(path: Path, left: int | None) -> None:
    """Keep so many bytes of a file; None: it is gone."""
    content = path.read_bytes()[:left]
    path.unlink()
    if left is not None:
        path.write_bytes(content)


def torn(folder: Path, name: str, content: str) -> Path:
    newest = folder / "iteration-000002"
    newest.mkdir()
    (newest / name).write_text(content)
    return newest


def test_a_checkpoint_has_its_name_only_once_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: what no disk holds yet is lost with the power, its name isn't."""
    flushed: set[str] = set()

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        [writing] = tmp_path.glob("writing-*")
        flushed.add(path.relative_to(writing).as_posix())

    def write(fresh: Path) -> None:
        (fresh / "a").write_text("1")
        (fresh / "sft").mkdir()  # PEFT gives an adapter with a name a folder of its own
        (fresh / "sft" / "b").write_text("2")

    monkeypatch.setattr(os, "fsync", fsync)
    write_checkpoint(tmp_path, 2, write)
    assert flushed == {".", "a", "sft", "sft/b"}

    def of_files_alone(descriptor: int) -> None:  # as of some network's file systems
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", of_files_alone)
    write_checkpoint(tmp_path, 4, write)
    assert (tmp_path / "iteration-000004" / "sft" / "b").read_text() == "2"


def test_torn_drafts_are_named(tmp_path: Path) -> None:
    newest = torn(tmp_path, FILE, '[[["Hi {name}, thank')
    with pytest.raises(DamagedArtifactError) as raised:
        Drafts(tmp_path)
    why = "Invalid JSON: EOF while parsing a string at line 1 column 20"
    assert str(raised.value) == f"{newest / FILE} is damaged: {why}; remove {newest}"


def test_a_torn_state_of_ppo_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppo_stage, "load_training", Mock())
    newest = torn(tmp_path, "state.json", '{"history": [')
    with pytest.raises(DamagedArtifactError, match=f"state.json is damaged: .*; remove {newest}$"):
        ppo_stage.restore(cast("PpoText", Mock()), tmp_path)


@pytest.mark.parametrize(
    "name", ["adapter.safetensors", "head.safetensors", "optimizer.safetensors"]
)
@pytest.mark.parametrize("left", [0, 100, None])
def test_a_torn_file_of_a_training_is_named(tmp_path: Path, name: str, left: int | None) -> None:
    """Why: `Error while deserializing header` was all that each retry of the stage said."""
    model = with_new_adapter(OPTForCausalLM(SMALL), LoraSettings(), "reward")
    head = torch.nn.Linear(8, 1)
    optimizer = torch.optim.AdamW(head.parameters())
    head(torch.ones(1, 8)).sum().backward()
    optimizer.step()
    newest = tmp_path / "iteration-000002"
    newest.mkdir()
    save_training(newest, model, "reward", head, optimizer)
    load_training(newest, model, "reward", head, optimizer)
    cut(newest / name, left)
    with pytest.raises(DamagedArtifactError) as raised:
        load_training(newest, model, "reward", head, optimizer)
    assert str(raised.value).startswith(f"{newest / name} is damaged: ")
    assert str(raised.value).endswith(f"; remove {newest}")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer-1.safetensors"])
def test_a_torn_file_of_the_base_is_named(tmp_path: Path, name: str) -> None:
    """Why: as for the reward model; it has a checkpoint of its own kind."""
    model = OPTForCausalLM(SMALL)
    optimizers = base_model._optimizers(model, BaseModelConfig())
    ids = torch.arange(8).unsqueeze(0)
    model(input_ids=ids, labels=ids).loss.backward()
    for optimizer, _ in optimizers:
        optimizer.step()
    newest = tmp_path / "iteration-000002"
    newest.mkdir()
    base_model._save(newest, model, optimizers, torch.zeros(()))
    base_model._restore(tmp_path, model, optimizers)
    cut(newest / name, 100)
    with pytest.raises(DamagedArtifactError, match=f"{name} is damaged: .*; remove {newest}$"):
        base_model._restore(tmp_path, model, optimizers)


@pytest.mark.parametrize("left", [0, 100])
def test_a_torn_adapter_of_sft_is_named(tmp_path: Path, left: int) -> None:
    """Why: the library that resumes it would say neither file nor folder."""
    adapter = tmp_path / "checkpoint-2" / "sft" / "adapter_model.safetensors"
    adapter.parent.mkdir(parents=True)
    save_file({"weight": torch.ones(8, 8)}, adapter)
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text("{}")
    assert sft._last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")
    cut(adapter, left)
    with pytest.raises(DamagedArtifactError, match=rf"{adapter} is damaged.*checkpoint-2$"):
        sft._last_whole_checkpoint(tmp_path)
