"""Weights, moments and token ids lie on one device, whichever that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import OPTForCausalLM

from churn_assets.messages.models import base_model, encoding
from churn_assets.messages.models.base_model import Optimizers, Row
from tests.messages.conftest import TINY, Chain


def test_the_embedded_base_is_trained_where_its_texts_are(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: its weights stayed on the processor while its texts went to the graphics card, so that
    the default profile ended at its first step on any machine with one. `meta` is another device
    than the processor, on which nothing can be computed: the first loss is as far as it goes."""
    elsewhere = torch.device("meta")
    found: set[torch.device] = set()

    def loss(model: OPTForCausalLM, rows: Sequence[Row]) -> torch.Tensor:
        ids, mask = encoding.pad_right([row.ids for row in rows], 1)
        found.update({ids.device, mask.device}, (p.device for p in model.parameters()))
        raise InterruptedError

    def optimizers(model: OPTForCausalLM, config: base_model.BaseModelConfig) -> Optimizers:
        found.update(p.device for p in model.parameters())
        return []

    for module in (encoding, base_model):
        monkeypatch.setattr(module, "device", lambda: elsewhere, raising=False)
    monkeypatch.setattr(base_model, "_loss", loss)
    monkeypatch.setattr(base_model, "_optimizers", optimizers)
    with pytest.raises(InterruptedError):
        base_model.run(chain.folders, tmp_path, TINY)
    assert found == {elsewhere}
