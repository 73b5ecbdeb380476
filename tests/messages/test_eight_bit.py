"""The base model in 8 bit, as a GPU stage loads it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from churn_assets.messages.models.language_model import load_base
from tests.messages.conftest import Chain


def test_eight_bit_is_asked_for_and_prepared_for_training(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: no CUDA here, so this is the last place to see that the weights would be quantised and
    that gradients can flow through them. Only the library's loader and the device are stand-ins."""
    load = AutoModelForCausalLM.from_pretrained
    asked: dict[str, Any] = {}

    def quantized(folder: Any, **options: Any) -> Any:
        asked.update(options)
        model = load(folder)
        model.is_loaded_in_8bit = True
        return model

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", quantized)
    model, _ = load_base(chain.folders["message_base_model"], eight_bit=True)
    config = asked["quantization_config"]
    assert isinstance(config, BitsAndBytesConfig)
    assert config.load_in_8bit
    assert asked["device_map"] == {"": torch.device("cuda")}  # whole, where its inputs are
    assert model.is_gradient_checkpointing  # prepare_model_for_kbit_training
    assert model.get_input_embeddings()._forward_hooks  # inputs that require gradients
    assert not any(parameter.requires_grad for parameter in model.parameters())
