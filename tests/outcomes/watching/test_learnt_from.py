"""Today's customers are compared with those that the release in service learnt from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from churn_assets.decision.config import DecisionConfig
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.messages.config import MessagesConfig
from churn_assets.orchestration.resources import KEPT_VERSIONS, ArtifactIOManager, StoreResource
from churn_assets.orchestration.stores import store_resources
from churn_assets.outcomes import assets
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.release.bundle import MANIFEST, Manifest, read_manifest
from churn_assets.release.config import AlertsConfig
from churn_assets.release.learnt_from import spare_learnt_from
from churn_assets.release.registry import HISTORY, ReleaseRegistry
from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.api.conftest import publish_small_release
from tests.outcomes.watching.test_inputs import customers, folder
from tests.release.test_older_release import OLD, STORE

THEN, TODAY = customers(1, 1_000), customers(2, 1_000, dearer=25, monthly=0.2)


def made(home: Path, name: str, table: pd.DataFrame) -> Artifact:
    """A table as the newest of its asset."""
    store, number = LocalArtifactStore(home / "store"), len(list(home.glob("made-*")))
    artifact = store.put(name, folder(home / f"made-{number}", table))
    store.write_pointer(asset_pointer(name), artifact.model_dump_json().encode())
    return artifact


def released(home: Path, learnt: Artifact) -> str:
    """A release in service that notes the customers it learnt from."""

    def noting(bundle: Path) -> Manifest:
        manifest = read_manifest(bundle).model_copy(update={"customers": learnt})
        (bundle / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
        return manifest

    (home / "workspace").mkdir()
    return publish_small_release(home, home / "workspace", change=noting)


def found(home: Path) -> dict[str, Any]:
    """What the drift report of now says of the customers."""
    stores = store_resources(str(home / "store"), home / "cache")
    dg.materialize(
        [assets.campaign_outcomes, assets.drift_report],
        resources={
            "home": home,
            "outcomes_config": OutcomesConfig(),
            "decision_config": DecisionConfig(),
            "alerts_config": AlertsConfig(),
            "messages_config": MessagesConfig(),
            "experiment_config": ExperimentConfig(),
            "io_manager": ArtifactIOManager(store=stores["store"]),
            **stores,
        },
        instance=dg.DagsterInstance.ephemeral(),
    )
    store = LocalArtifactStore(home / "store")
    report = read_report(store, current_artifact(store, "drift_report"))
    [finding] = [f for f in report["findings"] if f["name"].startswith("customers_are_like")]
    return dict(finding)


def test_a_newer_history_makes_no_older_release_learn_from_it(tmp_path: Path) -> None:
    """Its challenger was refused: the release in service still knows the customers of then."""
    learnt = made(tmp_path, "customer_history", THEN)
    release = released(tmp_path, learnt)
    made(tmp_path, "active_customers", TODAY)
    assert found(tmp_path)["state"] == "error"
    made(tmp_path, "customer_history", TODAY)
    assert found(tmp_path)["state"] == "error"
    LocalArtifactStore(tmp_path / "store").delete(learnt.name, learnt.version)
    gone = found(tmp_path)
    assert gone["state"] == "unknown"
    assert f"release {release} learnt from are no longer in the store" in gone["sentence"]


def test_any_number_of_refused_challengers_leaves_the_customers_to_compare_with(
    tmp_path: Path,
) -> None:
    """Why: after five newer histories those of the release in service were removed, and a finding
    that was red said that it isn't known. They go when the release does."""
    store = LocalArtifactStore(tmp_path / "store")
    learnt = made(tmp_path, "customer_history", THEN)
    released(tmp_path, learnt)
    registry = ReleaseRegistry(store)
    spare_learnt_from(registry)
    made(tmp_path, "active_customers", TODAY)
    manager = ArtifactIOManager(store=StoreResource(url=store.url, cache=""))
    context = dg.build_output_context(asset_key=dg.AssetKey("customer_history"))

    def challenge(seed: int) -> None:
        newer = folder(tmp_path / f"newer-{seed}", customers(seed, 300))
        manager.handle_output(context, store.put("customer_history", newer))

    for seed in range(KEPT_VERSIONS + 2):
        challenge(10 + seed)
    assert len(store.versions("customer_history")) == KEPT_VERSIONS + 1
    assert found(tmp_path)["state"] == "error"
    store.write_pointer(HISTORY, b"[]")
    spare_learnt_from(registry)
    challenge(99)
    assert learnt.version not in store.versions("customer_history")


def test_before_a_release_there_is_nobody_to_compare_with(tmp_path: Path) -> None:
    made(tmp_path, "customer_history", THEN)
    made(tmp_path, "active_customers", TODAY)
    assert found(tmp_path)["sentence"].startswith("No release serves yet")


def test_an_older_release_does_not_say_whom_it_learnt_from(tmp_path: Path) -> None:
    """It loads, and nothing is guessed."""
    shutil.copytree(STORE, tmp_path / "store")
    assert ReleaseRegistry(LocalArtifactStore(tmp_path / "store")).manifest(OLD).customers is None
    made(tmp_path, "customer_history", THEN)
    made(tmp_path, "active_customers", TODAY)
    told = found(tmp_path)
    assert told["state"] == "unknown"
    assert f"Release {OLD} doesn't say which customers it learnt from" in told["sentence"]
