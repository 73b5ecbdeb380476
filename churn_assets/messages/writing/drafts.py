"""What authors have written so far, kept after each batch: a killed stage goes on behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter

from churn_assets.messages.writing.bank import ScoredTemplate
from churn_assets.stages.checkpoints import newest_checkpoint, write_checkpoint
from churn_assets.stages.stopping import stop_between_steps
from churn_assets.storage.current import parse_json

FILE = "written.json"
_BATCHES = TypeAdapter(list[list[tuple[str, float]]])


class Drafts:
    """The batches written so far, in order; from `checkpoints` and kept there, if it is given."""

    def __init__(self, checkpoints: Path | None) -> None:
        self.checkpoints = checkpoints
        newest = newest_checkpoint(checkpoints)
        self.batches = _read(newest / FILE) if newest else []
        self._asked = 0

    def next_batch(self, write: Callable[[], list[ScoredTemplate]]) -> list[ScoredTemplate]:
        """What `write` writes, or wrote before: the same batches are asked for in the same order.

        A stop request waits until the batch is written and kept.
        """
        number = self._asked
        self._asked += 1
        if number == len(self.batches):
            with stop_between_steps():
                self.batches.append(write())
                if self.checkpoints:
                    write_checkpoint(self.checkpoints, len(self.batches), self._save)
        return self.batches[number]

    def _save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(self.batches), encoding="utf-8")


def _read(path: Path) -> list[list[ScoredTemplate]]:
    saved = parse_json(_BATCHES, str(path), path.read_bytes(), f"remove {path.parent}")
    return [[ScoredTemplate(text, score) for text, score in batch] for batch in saved]
