"""A stage: one learned thing as a plain program, the same on this machine and on a GPU worker.

A stage reads artifacts, writes one, and reports metrics. It knows nothing of who started it:
`modal_jobs` wraps it as a program, `churn_assets.orchestration.compute` starts that program.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import ARTIFACT, Artifact, ArtifactStore, DamagedArtifactError
from churn_assets.storage.scratch import scratch_folder

log = logging.getLogger(__name__)


class Progress(Protocol):
    """Told by a stage how far it is, with whatever is worth watching (loss, tokens/s, KL)."""

    def __call__(self, step: int, total: int, **metrics: float) -> None: ...


def silent(step: int, total: int, **metrics: float) -> None:
    """A `Progress` that says nothing."""


class StageSpec(BaseModel):
    """Everything a stage needs, as JSON: which inputs, which settings, where the artifacts live."""

    model_config = ConfigDict(frozen=True)

    stage: str
    inputs: dict[str, Artifact]
    config: dict[str, Any]
    store_url: str
    code_version: str | None = None
    checkpoints: str | None = None

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


@dataclass(frozen=True)
class Stage:
    """A stage's function and the type of its settings.

    Attributes:
        name: the asset and artifact it makes.
        run: `run(inputs, out, config, progress) -> metrics`; `inputs` maps asset names to local
            folders, `out` is an empty folder for the files to publish.
        config: the pydantic model of `config`.
        resumable: `run` takes a further argument `checkpoints`, a folder that outlives a killed run
            and is the same for the next attempt at the same inputs and settings.
        cached: asked again with the same inputs, settings and code version, what it made is used
            again. For a stage that costs minutes and whose result others train from.
    """

    name: str
    run: Callable[..., dict[str, Any]]
    config: type[BaseModel]
    resumable: bool = False
    cached: bool = False


def run_stage(
    stage: Stage, spec: StageSpec, store: ArtifactStore, progress: Progress = silent
) -> StageReport:
    """Fetch the inputs, run the stage in a fresh folder, publish what it wrote.

    Nothing is published unless the stage returned: a failed attempt leaves only its checkpoints.

    Raises:
        ValueError: the stage's metrics hold a number that JSON can't (NaN, infinity), or a
            resumable stage was given no checkpoints folder.
    """
    if stage.cached and (known := _made_before(spec, store)):
        return known
    inputs: Mapping[str, Path] = {name: store.get(item) for name, item in spec.inputs.items()}
    config = stage.config.model_validate(spec.config)
    checkpoints = _checkpoints(stage, spec)
    extra = {} if checkpoints is None else {"checkpoints": checkpoints}
    with scratch_folder(stage.name) as out:
        started = time.perf_counter()
        metrics = stage.run(inputs, out, config, progress, **extra)
        seconds = time.perf_counter() - started
        # In the stage's own order, which says what matters most: readers see the head first.
        text = json.dumps(metrics, indent=2, allow_nan=False)
        (out / "report.json").write_text(text + "\n")
        artifact = store.put(stage.name, out)
    if stage.cached:
        store.write_pointer(_cache_key(spec), artifact.model_dump_json().encode())
    return StageReport(artifact=artifact, metrics=metrics, seconds=seconds)


def _cache_key(spec: StageSpec) -> str:
    return f"stages/{spec.stage}/{spec.digest}.json"


def _made_before(spec: StageSpec, store: ArtifactStore) -> StageReport | None:
    """What an earlier run of the same spec published, unless it was removed or is damaged: then it
    is made again, and what is stored mended by that."""
    pointer = store.read_pointer(_cache_key(spec))
    if pointer is None:
        return None
    try:
        artifact = parse_pointer(ARTIFACT, store.url, _cache_key(spec), pointer)
        folder = store.get(artifact)  # every file, since a damaged one is mended only here
    except DamagedArtifactError as error:
        log.warning("%s is made again: %s", spec.stage, error)
        return None
    metrics = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return StageReport(artifact=artifact, metrics=metrics)


def _checkpoints(stage: Stage, spec: StageSpec) -> Path | None:
    if not stage.resumable:
        return None
    if spec.checkpoints is None:
        raise ValueError(f"{stage.name} is resumable: its spec must name a checkpoints folder")
    folder = Path(spec.checkpoints)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
