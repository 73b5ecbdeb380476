"""Release and predictions as Dagster makes them, on a company's own contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from checks import release as release_checks
from churn_assets.customers.schema import FILE, load_schema
from churn_assets.definitions import bind
from churn_assets.predictors.scoring import held_out
from churn_assets.release import assets as release_assets
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import load_settings
from churn_assets.storage.protocol import Artifact
from tests.customers.own_company import Company, make_company
from tests.release.test_assets import ABOVE, DATASETS, MODELS, World

NAMES = (*DATASETS[1:], *MODELS, *ABOVE)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return make_company(tmp_path_factory.mktemp("company"), rows=500)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("CHURN_DATA_MIRROR", "CHURN_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    load_settings.cache_clear()
    yield World(tmp_path)
    load_settings.cache_clear()


def definitions(world: World, company: Company) -> dg.Definitions:
    """The graph from the release on; above it the company's customers and models, and stand-ins for
    what doesn't depend on them."""
    folders = {name: world.folder(name) for name in NAMES}
    folders |= {
        "customer_history": company.root / "history",
        "active_customers": company.root / "active",
        "risk_model": company.root / "risk",
        "accept_model": company.root / "accept",
    }

    def stand_in(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def asset() -> dg.MaterializeResult[Artifact]:
            made = world.store.put(name, folders[name])
            return dg.MaterializeResult(value=made, data_version=dg.DataVersion(made.sha256))

        return asset

    whole = dg.Definitions(
        assets=[
            *map(stand_in, folders),
            *dg.load_assets_from_modules([release_assets]),
        ],
        asset_checks=dg.load_asset_checks_from_modules([release_checks]),
        resources=bind(load_settings()) | {"asset_graph": lambda: whole.resolve_asset_graph()},
        executor=dg.in_process_executor,
        jobs=[dg.define_asset_job("everything")],
    )
    return whole


def test_a_company_s_release_serves_and_scores_its_active_customers(
    world: World, company: Company
) -> None:
    """The release holds the contract and names nobody; predictions have the contract's columns."""
    job = definitions(world, company).resolve_job_def("everything")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    registry = ReleaseRegistry(world.store)
    folder = registry.folder()
    assert load_schema(folder) == load_schema(company.root / "history")
    assert (folder / "risk" / held_out.FILE).exists()
    manifest = registry.serving_manifest()
    assert manifest is not None
    facts = manifest.report["data"]["customer_history"]
    assert (facts["contract"], facts["source"]) == ("Lighthouse Broadband", "own")
    [artifact] = [a for a in world.store.artifacts() if a.name == "predictions"]
    predictions = pq.read_table(world.store.get(artifact) / "predictions.parquet")
    active = [pq.read_table(f) for f in (company.root / "active").glob("*.parquet")]
    assert predictions.num_rows == sum(table.num_rows for table in active)
    assert {"plan", "calls", "tenure", "churn_risk"} <= set(predictions.column_names)
    assert FILE not in [f.name for f in world.store.get(artifact).iterdir()]


def test_another_contract_s_champion_is_no_measure(world: World, company: Company) -> None:
    """A worse figure on other customers refuses nothing: they can't be compared."""
    whole = definitions(world, company)
    job = whole.resolve_job_def("everything")
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance)
        first = ReleaseRegistry(world.store).latest()
        other = Company(company.contract, world.root / "other", company.reports)
        shutil.copytree(company.root, other.root)
        for path in (other.root / "history", other.root / "active"):
            schema = load_schema(path)
            assert schema is not None
            schema.model_copy(update={"contract": "Beacon"}).save(path)
            facts = json.loads((path / "dataset.json").read_text()) | {"contract": "Beacon"}
            (path / "dataset.json").write_text(json.dumps(facts))
        report = {"risk": {**company.reports["risk"], "auc_oof": 0.51}}
        (other.root / "risk" / "report.json").write_text(json.dumps(report))
        job = definitions(world, other).resolve_job_def("everything")
        job.execute_in_process(instance=instance)
    second = ReleaseRegistry(world.store).latest()
    assert first is not None
    assert second is not None
    assert second.release_id != first.release_id
    assert "customers of another contract: Beacon" in second.reason
