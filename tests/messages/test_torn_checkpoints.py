"""Half of a checkpoint's file, as a power cut leaves it: it is named, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from churn_assets.messages.models import ppo_stage
from churn_assets.messages.models.ppo_text import PpoText
from churn_assets.messages.writing.drafts import FILE, Drafts
from churn_assets.storage.protocol import DamagedArtifactError


def torn(folder: Path, name: str, content: str) -> Path:
    newest = folder / "iteration-000002"
    newest.mkdir()
    (newest / name).write_text(content)
    return newest


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
