"""What SFT tells of itself as it goes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from churn_assets.messages.models import sft


def test_the_speed_after_a_resume_is_of_the_tokens_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: it counted those of before the stop, so that a resumed training looked many times as
    fast as it was."""
    said: list[float] = []

    def progress(step: int, total: int, **figures: float) -> None:
        said.append(figures["tokens_per_second"])

    clock = iter([100.0, 200.0, 204.0])  # made, begun, first told
    monkeypatch.setattr(sft.time, "perf_counter", lambda: next(clock))
    report = sft._Report(progress, lambda: False)
    state = TrainerState(num_input_tokens_seen=50_000)
    asked: tuple[Any, ...] = (cast("TrainingArguments", None), state, TrainerControl())
    report.on_train_begin(*asked)
    state.num_input_tokens_seen += 1_000
    report.on_log(*asked, logs={"loss": 1.0})
    assert said == [250.0]
