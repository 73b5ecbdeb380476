"""Whether the experiment runs: the settings, and the command that overrules them."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.release.bundle import read_manifest, write_manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import experiment
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.settings import Settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.release.small_release import build_release


@pytest.mark.parametrize("setting", [None, False, True])
def test_the_command_overrules_the_settings(tmp_path: Path, setting: bool | None) -> None:
    """One act for everything that uses the store."""
    store, settings = LocalArtifactStore(tmp_path), ExperimentConfig(enabled=setting)
    assert experiment.in_force(store, settings).enabled is bool(setting)
    for on in (True, False):
        experiment.switch(store, on=on)
        assert experiment.switched(store) is on
        assert experiment.in_force(store, settings).enabled is on


def test_a_switch_that_says_neither_is_refused(tmp_path: Path) -> None:
    """Somebody wrote it by hand; a guess would contact people or leave them alone by accident."""
    store = LocalArtifactStore(tmp_path)
    store.write_pointer(experiment.POINTER, b"maybe")
    with pytest.raises(ArtifactError, match="churn experiment on"):
        experiment.in_force(store, ExperimentConfig())


def test_ones_own_customers_are_experimented_with(tmp_path: Path) -> None:
    """With the built-in data set the specification's sample is answered as written."""
    contract = tmp_path / "customers.yaml"
    assert Settings().experiment.enabled is None
    assert Settings(customers=contract).experiment.enabled is True
    off = Settings(customers=contract, experiment=ExperimentConfig(enabled=False))
    assert off.experiment.enabled is False


@pytest.mark.parametrize("said", [None, False])
def test_a_shell_that_names_no_contract_leaves_a_companys_control_group_alone(
    tmp_path: Path, said: bool | None
) -> None:
    """Why: `churn serve` in another terminal contacted the control group, without a word."""
    store = LocalArtifactStore(tmp_path / "store")
    host = EngineHost(store, "UTC", experiment_settings=ExperimentConfig(enabled=said))
    for contract in ("", "Acme"):
        publish(store, tmp_path / f"release-{contract}", contract)
        host.refresh()
        assert host.experiment.enabled is (bool(contract) and said is None)
    experiment.switch(store, on=False)
    host.refresh()
    assert host.experiment.enabled is False


def publish(store: LocalArtifactStore, root: Path, contract: str) -> None:
    """Serve a release of this contract's customers; of the built-in one where it is empty."""
    root.mkdir()
    build_release(root, seed=len(contract))
    facts = read_manifest(root / "bundle").model_dump(
        include={"models", "data", "report", "settings", "code_version", "comparison"}
    )
    del facts["report"]["release_id"]
    if contract:
        facts["data"] = {name: {**of, "contract": contract} for name, of in facts["data"].items()}
    write_manifest(root / "bundle", **facts)
    registry = ReleaseRegistry(store)
    registry.promote(registry.publish(root / "bundle").release_id, "by a test")
