"""Run a stage: fetch its inputs, call it in a fresh folder, publish what it wrote."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from churn_assets.stages.child_process import StageError
from churn_assets.stages.registry import STAGES
from churn_assets.stages.sources import sources_now, sources_version
from churn_assets.stages.spec import Progress, Stage, StageReport, StageSpec, silent
from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import ARTIFACT, Artifact, ArtifactStore, DamagedArtifactError
from churn_assets.storage.scratch import scratch_folder

log = logging.getLogger(__name__)


def run_stage(
    stage: Stage, spec: StageSpec, store: ArtifactStore, progress: Progress = silent
) -> StageReport:
    """Fetch the inputs, run the stage in a fresh folder, publish what it wrote.

    Nothing is published unless the stage returned: a failed attempt leaves only its checkpoints.
    What it made is noted under the digest of the spec, where `made_before` finds it.

    Raises:
        ValueError: the stage's metrics hold a number that JSON can't (NaN, infinity), or a
            resumable stage was given no checkpoints folder.
        StageError: the stage's sources are others than those that it was asked by, or became others
            while it ran; what it made is not published.
    """
    _refuse_other_sources(spec)
    inputs: Mapping[str, Path] = {name: store.get(item) for name, item in spec.inputs.items()}
    config = stage.settings.model_validate(spec.config)
    checkpoints = _checkpoints(stage, spec)
    extra: dict[str, Any] = {} if checkpoints is None else {"checkpoints": checkpoints}
    with scratch_folder(stage.name) as out:
        started = time.perf_counter()
        metrics = stage.run(inputs, out, config, progress, **extra)
        seconds = time.perf_counter() - started
        _refuse_other_sources(spec)  # what is imported late is read late
        # In the stage's own order, which says what matters most: readers see the head first.
        text = json.dumps(metrics, indent=2, allow_nan=False)
        (out / "report.json").write_text(text + "\n")
        artifact = store.put(stage.name, out)
    _note(spec, store, artifact)
    return StageReport(artifact=artifact, metrics=metrics, seconds=seconds)


class SpecOfSources(StageSpec):
    """A spec for a program that imports the same files as who asks it.

    Attributes:
        sources: `sources_version` of the stage, taken when its code version was.
    """

    sources: str | None = None


def with_sources(spec: StageSpec) -> StageSpec:
    """The spec with the sources that its code version is of: they may change before the stage has
    imported them."""
    if spec.code_version is None:
        return spec
    sources = sources_version(STAGES[spec.stage].function)
    return SpecOfSources(**spec.model_dump(), sources=sources)


def _refuse_other_sources(spec: StageSpec) -> None:
    """What other code made must not be found under the digest of the code that was asked."""
    if not isinstance(spec, SpecOfSources) or spec.sources is None:
        return
    if sources_now(STAGES[spec.stage].function) != spec.sources:
        raise StageError("stopped: the sources changed since the run began, so start it again")


def make_once(
    spec: StageSpec, store: ArtifactStore, make: Callable[[Path], object], *, again: bool = False
) -> tuple[Artifact, bool]:
    """Publish what `make` writes into a fresh folder, unless the same work was published before.

    For what is no stage since it has no report: its artifact holds the files of `make` alone.

    Args:
        again: make it whatever was made before.

    Returns:
        The artifact, and whether it was made now.
    """
    if not again and (known := _published_before(spec, store)):
        return known[0], False
    with scratch_folder(spec.stage) as out:
        make(out)
        artifact = store.put(spec.stage, out)
    _note(spec, store, artifact)
    return artifact, True


def _note(spec: StageSpec, store: ArtifactStore, artifact: Artifact) -> None:
    store.write_pointer(_cache_key(spec), artifact.model_dump_json().encode())


def _cache_key(spec: StageSpec) -> str:
    return f"stages/{spec.stage}/{spec.digest}.json"


def made_before(spec: StageSpec, store: ArtifactStore) -> StageReport | None:
    """What an earlier run of the same stage, code, inputs and settings published, or None.

    None too where it was removed or is damaged: then it is made again, and what is stored mended by
    that. The report has no `seconds`.
    """
    known = _published_before(spec, store)
    if known is None:
        return None
    artifact, folder = known
    metrics = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return StageReport(artifact=artifact, metrics=metrics)


def _published_before(spec: StageSpec, store: ArtifactStore) -> tuple[Artifact, Path] | None:
    """The artifact and its folder, whole."""
    pointer = store.read_pointer(_cache_key(spec))
    if pointer is None:
        return None
    try:
        artifact = parse_pointer(ARTIFACT, store.url, _cache_key(spec), pointer)
        return artifact, store.get(artifact)  # every file, since a damaged one is mended only here
    except DamagedArtifactError as error:
        log.warning("%s is made again: %s", spec.stage, error)
        return None


def _checkpoints(stage: Stage, spec: StageSpec) -> Path | None:
    if not stage.resumable:
        return None
    if spec.checkpoints is None:
        raise ValueError(f"{stage.name} is resumable: its spec must name a checkpoints folder")
    folder = Path(spec.checkpoints)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
