"""Whether the experiment runs: the settings, and the command that overrules them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.domain.experiment import CONTROL, ExperimentConfig, group_of
from churn_assets.release.switches import experiment
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.settings import Settings, load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.release.small_release import publish
from tests.release.test_assets import World, instance, run, world

__all__ = ["instance", "world"]  # fixtures of a small graph


@pytest.mark.parametrize("setting", [None, False, True])
def test_the_command_overrules_the_settings(tmp_path: Path, setting: bool | None) -> None:
    """One act for everything that uses the store."""
    store, settings = LocalArtifactStore(tmp_path), ExperimentConfig(enabled=setting)
    assert experiment.in_force(store, settings, own_customers=False).enabled is bool(setting)
    for on in (True, False):
        experiment.switch(store, on=on)
        assert experiment.switched(store) is on
        for own in (True, False):
            assert experiment.in_force(store, settings, own_customers=own).enabled is on


def test_a_switch_that_says_neither_is_refused(tmp_path: Path) -> None:
    """Somebody wrote it by hand; a guess would contact people or leave them alone by accident."""
    store = LocalArtifactStore(tmp_path)
    store.write_pointer(experiment.POINTER, b"maybe")
    with pytest.raises(ArtifactError, match="churn experiment on"):
        experiment.in_force(store, ExperimentConfig(), own_customers=False)


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


@pytest.mark.parametrize("contract", ["", "Acme"])
def test_predictions_leave_a_companys_control_group_alone_in_any_shell(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, contract: str
) -> None:
    """Why: the nightly list contacted everybody where no contract was named, without a word."""
    monkeypatch.setenv("CHURN_EXPERIMENT__EXPLORATION", "0")
    load_settings.cache_clear()
    assert run(world, "everything", instance).success
    publish(world.store, world.root / "published", contract)
    artifact = run(world, "score_customers", instance).output_for_node("predictions")
    table = pq.read_table(world.store.get(artifact) / "predictions.parquet")
    assert left_alone(table) == (control_of(table) if contract else set())


def left_alone(table: pa.Table) -> set[str]:
    """The customers of predictions whom nobody contacts."""
    return {row["customer_id"] for row in table.to_pylist() if not row["contact"]}


def control_of(table: pa.Table) -> set[str]:
    """The customers of predictions who are in the control group that is drawn by default."""
    drawn, now = ExperimentConfig(enabled=True), datetime.now(UTC)  # no date rotates it
    ids = table["customer_id"].to_pylist()
    found = {i for i in ids if group_of(i, drawn, now) == CONTROL}
    assert found
    return found
