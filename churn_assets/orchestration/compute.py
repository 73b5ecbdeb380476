"""Where stages run: as subprocesses of this machine, or as Modal functions. One setting decides.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

import base64
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

import dagster as dg
from pydantic import BaseModel

from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.local_backend import LocalBackend
from churn_assets.orchestration.resources import SettingsResource, StoreResource
from churn_assets.stages.child_process import StageError
from churn_assets.stages.spec import StageReport, StageSpec
from churn_assets.storage.protocol import Artifact

CPU_STAGE: dict[str, Any] = {"retry_policy": dg.RetryPolicy(max_retries=1, delay=10)}
"""Arguments of `dg.asset` for a stage: once more if it failed, as it does where Modal pre-empts it.
Modal's own second start ends at once (nobody reads its messages), so the retry is Dagster's."""

GPU_STAGE: dict[str, Any] = {**CPU_STAGE, "pool": "gpu"}
"""For a stage that needs a GPU in production: one at a time (the instance sets the pool's limit).
`sft_model` and `ppo_text_model` resume from their last checkpoint, the others begin anew."""


class Backend(Protocol):
    """Runs a stage somewhere; raises StageError with the last lines of its log if it fails."""

    def run(self, context: dg.AssetExecutionContext, spec: StageSpec) -> StageReport: ...


def choose_backend(config: ComputeConfig, home: Path) -> Backend:
    """The backend that the settings name; the local one keeps its checkpoints below `home`."""
    if config.backend == "local":
        return LocalBackend(config.local, checkpoints=home / "checkpoints")
    # Imported here: the clients of Modal and Google Cloud cost seconds; a local run needs neither.
    from churn_assets.orchestration.modal_backend import ModalBackend

    return ModalBackend(config.modal)


class Compute(dg.ConfigurableResource):
    """Runs a stage and turns its report into an asset's materialization."""

    settings: dg.ResourceDependency[SettingsResource]
    store: dg.ResourceDependency[StoreResource]

    def run(
        self,
        context: dg.AssetExecutionContext,
        stage: str,
        inputs: Mapping[str, Artifact],
        config: BaseModel,
    ) -> dg.MaterializeResult[Artifact]:
        """Run `stage` on `inputs` and publish what it made.

        Raises:
            dg.Failure: the stage failed (its last log lines are in the metadata); nothing was
                published, and an asset with a retry policy tries again.
        """
        settings = self.settings.get()
        store = self.store.open()
        spec = StageSpec(
            stage=stage,
            inputs=dict(inputs),
            config=config.model_dump(mode="json"),
            store_url=store.url,
            code_version=context.assets_def.code_versions_by_key[context.asset_key],
        )
        try:
            report = choose_backend(settings.compute, settings.home).run(context, spec)
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
                **({} if report.seconds is None else {"seconds": report.seconds}),
                **scalar_metadata(report.metrics),
                **plot_metadata(store.read(report.artifact, "plots/*.png")),
            },
        )


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
