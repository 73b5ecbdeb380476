"""A small graph with a blocking check around the toy stage, on any backend and store.

No postponed annotations here: Dagster reads the types of an asset function's parameters.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.resources import ArtifactIOManager, StoreResource
from churn_assets.orchestration.stores import store_resources
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import Artifact
from tests.stages.toy.stage import Behaviour, ToyConfig


@dataclass(frozen=True)
class Backend:
    """Where a test's graph runs: folder of this machine, store's URL, `ComputeConfig` as JSON."""

    home: str
    store: str
    compute: dict[str, Any]

    def resources(self) -> dict[str, Any]:
        """What the definitions bind for the assets, with the settings of this test."""
        stores = store_resources(self.store, Path(self.home) / "cache")
        store = stores["store"]
        config = ComputeConfig.model_validate(self.compute).model_dump(mode="json")
        return {
            "home": Path(self.home),
            **stores,
            "compute": Compute(home=self.home, config=config, store=store),
            "io_manager": ArtifactIOManager(store=store),
        }


def toy_definitions(
    backend: Backend,
    behaviour: Behaviour = "succeed",
    pids: Path | None = None,
    retries: int = 0,
    least_auc: float = 0.5,
) -> dg.Definitions:
    """`numbers` -> `sft_model` (the toy stage) -> blocking check -> `consumer`."""

    @dg.asset
    def numbers(
        store: StoreResource, home: dg.ResourceParam[Path]
    ) -> dg.MaterializeResult[Artifact]:
        folder = home / "numbers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "numbers.txt").write_text("1 2 3 4")
        return dg.MaterializeResult(value=store.open().put("numbers", folder))

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=retries) if retries else None)
    def sft_model(
        context: dg.AssetExecutionContext, compute: Compute, numbers: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        config = ToyConfig(behaviour=behaviour, pids=str(pids or ""))
        return compute.run(context, "sft_model", {"numbers": numbers}, config)

    @dg.asset_check(asset=sft_model, blocking=True)
    def auc_is_high(store: StoreResource, sft_model: Artifact) -> dg.AssetCheckResult:
        auc = store.report(sft_model)["held_out"]["auc"]
        return dg.AssetCheckResult(passed=auc >= least_auc, metadata={"auc": auc})

    @dg.asset
    def consumer(store: StoreResource, sft_model: Artifact) -> None:
        assert (store.open().get(sft_model) / "model.json").read_text() == "10\n"

    return dg.Definitions(
        assets=[numbers, sft_model, consumer],
        asset_checks=[auc_is_high],
        jobs=[dg.define_asset_job("toy", dg.AssetSelection.all())],
        resources=backend.resources(),
        executor=dg.in_process_executor,
    )


def event_log(instance: dg.DagsterInstance, run_id: str) -> str:
    """Everything that the UI shows of a run: messages, errors with their causes, metadata."""
    lines = []
    for entry in instance.all_logs(run_id):
        lines.append(entry.user_message)
        event = entry.dagster_event
        data = event.event_specific_data if event else None
        error = getattr(data, "error", None)
        while error is not None:
            lines.append(error.message)
            error = error.cause
        failure = getattr(data, "user_failure_data", None)
        if failure is not None:
            lines += [str(value.value) for value in failure.metadata.values()]
    return "\n".join(lines)


def stored_models(backend: Backend) -> list[str]:
    """Versions of the toy's artifact in the store."""
    return open_store(backend.store, cache=Path(backend.home) / "cache").versions("sft_model")
