"""Where stages run: in this process, as subprocesses of this machine, or as Modal functions.

Which machine a stage needs is declared in the registry; one setting decides between this machine
and Modal.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

import dagster as dg
from pydantic import BaseModel

from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.local_backend import LocalBackend
from churn_assets.orchestration.pipes import stop_if_canceled
from churn_assets.orchestration.resources import StoreResource
from churn_assets.orchestration.sharing import MADE_AHEAD, Shared
from churn_assets.stages.child_process import StageError
from churn_assets.stages.registry import STAGES, Declaration
from churn_assets.stages.runner import made_before, make_once, run_stage, with_sources
from churn_assets.stages.sources import code_version
from churn_assets.stages.spec import StageReport, StageSpec, narrowed
from churn_assets.storage.protocol import Artifact, ArtifactStore

PRIORITY = "dagster/priority"
"""The tag by which Dagster chooses among steps that could be next: the highest, 0 without it."""

RETRY = dg.RetryPolicy(max_retries=1, delay=10)
"""Once more if it failed, as it does where Modal pre-empts it. Modal's own second start ends at
once (nobody reads its messages), so the retry is Dagster's."""


def stage_options(name: str) -> dict[str, Any]:
    """Arguments of `dg.asset` for the stage that makes the asset.

    The code version is the stage's own sources', so that the UI shows what a changed line makes
    stale. A program of its own is tried twice; those that need a GPU in production run one at a
    time (the instance sets the limit of the pool `gpu`). A resumable stage goes on from its last
    checkpoint, the others begin anew. Where several steps could be next, data sets and checks come
    before messages, and messages before what can be made ahead meanwhile.
    """
    declared = STAGES[name]
    options: dict[str, Any] = {
        "code_version": code_version(declared.function),
        "op_tags": {PRIORITY: "-2" if declared.area in MADE_AHEAD else "-1"},
    }
    match declared.machine:
        case "here":
            return options
        case "cpu":
            return options | {"retry_policy": RETRY}
        case "gpu":
            return options | {"retry_policy": RETRY, "pool": "gpu"}


SAY_SECONDS = 30.0
AHEAD = "made by a second process while the run was at other steps"
UNCHANGED = "made before from the same inputs, settings and code"


class Backend(Protocol):
    """Runs a stage somewhere; raises StageError with the last lines of its log if it fails."""

    def run(self, context: dg.AssetExecutionContext, spec: StageSpec) -> StageReport:
        """Run a stage on an asset's inputs to its end, and say what it made."""
        ...


def choose_backend(config: ComputeConfig, home: Path, store: StoreResource) -> Backend:
    """The backend that the settings name; the local one keeps its checkpoints below `home`."""
    if config.backend == "local":
        return LocalBackend(config.local, home / "checkpoints", Path(store.cache))
    # Imported here: the clients of Modal and Google Cloud cost seconds; a local run needs neither.
    from churn_assets.orchestration.modal.backend import ModalBackend

    return ModalBackend(config.modal, store.client())


class Compute(dg.ConfigurableResource):
    """Runs a stage and turns its report into an asset's materialization.

    Attributes:
        home: folder of this machine below which local stages keep their checkpoints.
        config: a `ComputeConfig` as JSON.
    """

    home: str
    config: dict[str, Any]
    store: dg.ResourceDependency[StoreResource]

    def run(
        self,
        context: dg.AssetExecutionContext,
        stage: str,
        inputs: Mapping[str, Artifact],
        config: BaseModel,
    ) -> dg.MaterializeResult[Artifact]:
        """Run `stage` on `inputs` and publish what it made; nothing is run where the same inputs,
        settings and code have made it before.

        Args:
            config: the area's settings, of which the stage is given those that it reads.

        Raises:
            dg.Failure: the stage failed (its last log lines are in the metadata); nothing was
                published, and an asset with a retry policy tries again.
        """
        store, declared = self.store.open(), STAGES[stage]
        spec = StageSpec(
            stage=stage,
            inputs=dict(inputs),
            config=narrowed(declared.settings_type(), config).model_dump(mode="json"),
            store_url=store.url,
            code_version=context.assets_def.code_versions_by_key[context.asset_key],
            reuse=ComputeConfig.model_validate(self.config).reuse,
        )
        try:
            report, ahead = self._report(context, declared, spec, store)
        except StageError as failure:
            raise dg.Failure(
                description=f"{stage} {failure.message}",
                metadata={"log": dg.MetadataValue.md(f"```\n{failure.log}\n```")},
            ) from failure
        return dg.MaterializeResult(
            value=report.artifact,
            data_version=dg.DataVersion(report.artifact.sha256),
            metadata={
                "sha256": report.artifact.sha256,
                **_time_of(report),
                **({"ahead": AHEAD} if ahead else {}),
                **scalar_metadata(report.metrics),
                **plot_metadata(store.read(report.artifact, "plots/*.png")),
            },
        )

    def once(
        self,
        asset: str,
        function: str,
        asked: Mapping[str, Any],
        make: Callable[[Path], object],
        *,
        again: bool = False,
    ) -> tuple[Artifact, dict[str, Any]]:
        """Publish what `make` writes for an asset that is no stage, unless it was made before.

        Args:
            function: `module:function` that does the work; its code is part of what is asked.
            asked: all that the work depends on, as JSON.
            again: make it anew, since it depends on something else, such as the time.

        Returns:
            The artifact, and for the asset's metadata why it is unchanged where it wasn't made now.
        """
        store = self.store.open()
        spec = StageSpec(
            stage=asset,
            inputs={},
            config=dict(asked),
            store_url=store.url,
            code_version=code_version(function),
        )
        reuse = ComputeConfig.model_validate(self.config).reuse
        artifact, new = make_once(spec, store, make, again=again or not reuse)
        return artifact, {} if new else {"unchanged": UNCHANGED}

    def _report(
        self,
        context: dg.AssetExecutionContext,
        declared: Declaration,
        spec: StageSpec,
        store: ArtifactStore,
    ) -> tuple[StageReport, bool]:
        """What was made before, ahead of this run, or else now; and whether it was made ahead."""
        if (shared := Shared.of(context.run.tags)) is None:
            return self._made(context, declared, spec, store), False
        with shared.turn(spec.stage, while_waiting=_patience(context)):
            if known := shared.made(spec):
                return known, True
            report = self._made(context, declared, spec, store)
            if report.seconds is not None:
                shared.leave(spec, report)
            return report, False

    def _made(
        self,
        context: dg.AssetExecutionContext,
        declared: Declaration,
        spec: StageSpec,
        store: ArtifactStore,
    ) -> StageReport:
        config = ComputeConfig.model_validate(self.config)
        if config.reuse and (known := made_before(spec, store)):  # no process, no container
            return known
        if declared.machine != "here":
            return choose_backend(config, Path(self.home), self.store).run(context, spec)

        def progress(step: int, total: int, **metrics: float) -> None:
            context.log.info(f"{declared.name}: {step}/{total} {metrics}")

        return run_stage(declared.load(), with_sources(spec), store, progress)


def _time_of(report: StageReport) -> dict[str, float | str]:
    """The seconds that a stage took, or why it took none."""
    return {"unchanged": UNCHANGED} if report.seconds is None else {"seconds": report.seconds}


def _patience(context: dg.AssetExecutionContext) -> Callable[[], None]:
    """What to do again and again while another process makes a stage: say so now and then, and end
    if somebody asked for the run's end."""
    said = float("-inf")

    def wait() -> None:
        nonlocal said
        stop_if_canceled(context)
        if (now := time.monotonic()) >= said + SAY_SECONDS:
            said = now
            context.log.info("another process makes it at this moment; waits for that")

    return wait


def scalar_metadata(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The numbers and short texts of a nested report, flattened as `risk.auc` for the UI."""
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= scalar_metadata(value, f"{key}.")
        elif isinstance(value, bool | int | float | str):
            flat[key] = value
    return flat


def plot_metadata(plots: Mapping[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """Each PNG, by its path, as a Markdown image that the Dagster UI shows in place."""
    return {
        f"plot: {(name := PurePath(path).stem)}": dg.MetadataValue.md(
            f"![{name}](data:image/png;base64,{base64.b64encode(content).decode()})"
        )
        for path, content in plots.items()
    }
