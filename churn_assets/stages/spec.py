"""A stage: one learned thing as a plain program, the same on this machine and on a GPU worker.

A stage reads artifacts, writes one, and reports metrics: `run(inputs, out, config) -> metrics`. It
knows nothing of who started it. What is asked of it and what it answers are JSON: `StageSpec` and
`StageReport`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from churn_assets.storage.protocol import Artifact


class Progress(Protocol):
    """Told by a stage how far it is, with whatever is worth watching (loss, tokens/s, KL)."""

    def __call__(self, step: int, total: int, **metrics: float) -> None: ...


Report = Mapping[str, Any]
"""What a stage reports of itself: the content of its `report.json`."""


def silent(step: int, total: int, **metrics: float) -> None:
    """A `Progress` that says nothing."""


class StageSpec(BaseModel):
    """Everything a stage needs, as JSON: which inputs, which settings, where the artifacts live.

    `reuse`: what the same work has made meanwhile, in another run, is as good. `cache`: the folder
    of this machine's copies, of a store in a bucket; None in a container, which ends with its own.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    inputs: dict[str, Artifact]
    config: dict[str, Any]
    store_url: str
    code_version: str | None = None
    checkpoints: str | None = None
    cache: str | None = None
    reuse: bool = True

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what determines the result: stage, code version, inputs and settings."""
        asked = self.model_dump(mode="json", include={"stage", "code_version", "inputs", "config"})
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def with_checkpoints_below(self, root: PurePath) -> StageSpec:
        """The same spec with a checkpoints folder that every attempt at it shares."""
        folder = root / self.stage / self.digest[:16]
        return self.model_copy(update={"checkpoints": str(folder)})

    def remove_checkpoints(self) -> None:
        """The work is done and whoever asked for it has the report: nothing to resume is left."""
        if self.checkpoints is not None:
            shutil.rmtree(self.checkpoints, ignore_errors=True)


class StageReport(BaseModel):
    """What a stage made: the published artifact and the metrics in its `report.json`.

    `seconds` is the wall time, None for what an earlier run had made. It stands in no file of the
    artifact: the same work has the same digest, however long it took.
    """

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    metrics: dict[str, Any]
    seconds: float | None = None


class StageFunction(Protocol):
    """What a stage does: reads `inputs` (asset name -> local folder), writes the files to publish
    into the empty folder `out`, and returns its metrics as JSON's types."""

    def __call__(
        self, inputs: Mapping[str, Path], out: Path, config: Any, progress: Progress = silent
    ) -> dict[str, Any]: ...


class ResumableFunction(Protocol):
    """A `StageFunction` that goes on where a killed run stopped: `checkpoints` is a folder that
    outlives it and is the same for the next attempt at the same inputs and settings."""

    def __call__(
        self,
        inputs: Mapping[str, Path],
        out: Path,
        config: Any,
        progress: Progress = silent,
        *,
        checkpoints: Path,
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Stage:
    """A stage ready to run: its function and the type of the settings that it reads.

    Attributes:
        name: the asset and artifact it makes.
        run: the function; a `ResumableFunction` where `resumable` is set.
        settings: the pydantic model of `config`: what the stage reads and nothing else, since
            whatever is in it is part of the result's digest.
        resumable: `run` takes a checkpoints folder.
    """

    name: str
    run: StageFunction | ResumableFunction
    settings: type[BaseModel]
    resumable: bool = False


Settings = TypeVar("Settings", bound=BaseModel)


def narrowed(settings: type[Settings], config: BaseModel) -> Settings:
    """The part of an area's `config` that `settings` has fields for, section by section.

    A stage's digest is taken over what it is given: a setting that it doesn't read must not be in
    there, or changing that setting would train the stage again.
    """
    return settings.model_validate(_fields_of(settings, config))


def _fields_of(settings: type[BaseModel], config: BaseModel) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for name, field in settings.model_fields.items():
        value, kind = getattr(config, name), field.annotation
        if isinstance(value, BaseModel) and isinstance(kind, type) and issubclass(kind, BaseModel):
            value = _fields_of(kind, value)
        picked[name] = value
    return picked
