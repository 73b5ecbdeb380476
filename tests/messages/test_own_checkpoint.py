"""A checkpoint of your own as the base model: what is in its folder now, wherever that is read."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from churn_assets.messages import assets
from churn_assets.messages.config import BaseModelConfig, MessagesConfig
from churn_assets.messages.models import base_model
from churn_assets.messages.models.embedded.tokenizer import train_tokenizer
from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.resources import ArtifactIOManager, StoreResource
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.messages.conftest import TINY


def write_checkpoint(folder: Path, seed: int) -> None:
    """A tiny Llama; another seed has other weights and all else alike."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(["Thank you for staying with us."] * 50, 320)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, bos_token_id=0, eos_token_id=2,
        )
    ).save_pretrained(folder)  # fmt: skip
    tokenizer.save_pretrained(folder)


def settings(folder: Path, gguf_file: str | None = None) -> MessagesConfig:
    base = BaseModelConfig(source=str(folder), gguf_file=gguf_file)
    return TINY.model_copy(update={"base": base})


def test_another_model_in_the_same_folder_is_another_base_model(tmp_path: Path) -> None:
    """Replaced in place, it is read again; the same again is not, whatever else lies there."""
    folder, store = tmp_path / "ours", StoreResource(url=str(tmp_path / "store"), cache="unused")
    compute = ComputeConfig.model_validate({"backend": "local"}).model_dump(mode="json")
    resources = {
        "messages_config": settings(folder),
        "compute": Compute(home=str(tmp_path / "home"), config=compute, store=store),
        "store": store,
        "io_manager": ArtifactIOManager(store=store),
    }
    chain = [assets.retention_messages, assets.retention_preferences, assets.message_base_model]

    def made(instance: dg.DagsterInstance) -> tuple[Artifact, bool]:
        result = dg.materialize(chain, resources=resources, instance=instance)
        [event] = result.asset_materializations_for_node("message_base_model")
        return result.output_for_node("message_base_model"), "unchanged" in event.metadata

    with dg.DagsterInstance.ephemeral() as instance:
        write_checkpoint(folder, seed=0)
        first, _ = made(instance)
        write_checkpoint(folder, seed=1)
        second, unchanged = made(instance)
        assert not unchanged
        assert second != first
        (folder / ".git").mkdir()
        (folder / ".git" / "HEAD").write_text("main")
        assert made(instance) == (second, True)


def test_the_stage_reads_what_it_is_given(tmp_path: Path) -> None:
    """On another machine there is no such folder."""
    folder, out = tmp_path / "ours", tmp_path / "out"
    write_checkpoint(folder, seed=0)
    assert assets.CHECKPOINT == base_model.CHECKPOINT
    given = {base_model.CHECKPOINT: folder}
    report = base_model.run(given, out, settings(Path("/srv/not/here")))
    assert report["base_model"] == "/srv/not/here"
    assert (out / "model.safetensors").is_file()


def test_of_a_folder_with_several_only_the_named_gguf_file_counts(tmp_path: Path) -> None:
    """Quantised versions of a model lie beside one another, each of gigabytes."""
    store, folder = LocalArtifactStore(tmp_path / "store"), tmp_path / "ours"
    (folder / "small").mkdir(parents=True)
    for name in ("small/q4.gguf", "q8.gguf"):
        (folder / name).write_text(name)
    base = settings(folder, "small/q4.gguf").base
    assert store.read(assets.publish_checkpoint(store, base), "*") == {
        "small/q4.gguf": b"small/q4.gguf"
    }


@pytest.mark.parametrize("gguf_file", [None, "q4.gguf"])
def test_a_folder_without_a_model_is_named(tmp_path: Path, gguf_file: str | None) -> None:
    """One line that says which setting is meant, and no second attempt."""
    store = LocalArtifactStore(tmp_path / "store")
    with pytest.raises(dg.Failure, match="CHURN_MESSAGES__BASE__SOURCE") as refused:
        assets.publish_checkpoint(store, settings(tmp_path / "nothing", gguf_file).base)
    assert str(tmp_path / "nothing") in str(refused.value.description)
    assert not refused.value.allow_retries
