"""The customers' assets in Dagster: a company's own tables, and what keeps bad ones out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from churn_assets.customers.assets import customer_assets
from churn_assets.definitions import bind, definitions
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.customers.conftest import CONTRACT, as_csv, made_rows
from tests.release.small_release import write_dataset


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the small company's contract, which the settings name, and its table."""
    (tmp_path / "customers.yaml").write_text(CONTRACT)
    (tmp_path / "history.csv").write_text(as_csv(made_rows(300)))
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHURN_CUSTOMERS", str(tmp_path / "customers.yaml"))
    load_settings.cache_clear()
    yield tmp_path
    load_settings.cache_clear()


def run() -> dg.ExecuteInProcessResult:
    """Materialize the customers, with their checks, as the whole graph would."""
    names = ("customer_history", "active_customers")
    job = definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in names],
            raise_on_error=False,
        )


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}  # type: ignore[union-attr]


def test_a_company_s_graph_knows_nothing_of_ibm_s_customers(company: Path) -> None:
    """Neither their download nor bounds that presuppose them."""
    graph = definitions().resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {"customer_history", "active_customers", "predictions"} <= keys
    assert "telco_customers" not in keys
    checks = {key.name for key in graph.asset_check_keys}
    assert "risk_is_not_shown_to_rank_worse_than_logistic_regression" in checks
    assert "risk_ranks_all_customers_out_of_fold" not in checks


def test_a_sound_table_is_published_with_its_columns(company: Path) -> None:
    """What a person sees in the Dagster UI is the contract's own words."""
    result = run()
    assert result.success
    assert made(result) == {"customer_history", "active_customers"}
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "tables_hold_the_contract": True,
        "the_history_is_as_long_as_lately": True,
        "as_many_customers_are_active_as_lately": True,
    }
    [event] = [
        e
        for e in result.get_asset_materialization_events()
        if e.asset_key == dg.AssetKey("customer_history")
    ]
    schema = event.materialization.metadata["dagster/column_schema"].value
    assert schema.columns[0].description == "plan (Plan)"  # type: ignore[union-attr]


def test_a_table_that_breaks_the_contract_goes_no_further(company: Path) -> None:
    """The check blocks: nothing learns from it, and the refused rows lie in a file."""
    rows = made_rows(300)
    rows[5]["Plan"] = "Gold"
    (company / "history.csv").write_text(as_csv(rows))
    result = run()
    assert not result.success
    assert made(result) == {"customer_history"}
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    checked = checks["tables_hold_the_contract"]
    assert not checked.passed
    assert "1 of 300 rows are refused" in (checked.description or "")
    [refused] = (company / "home" / "customers" / "refused").glob("*.csv")
    assert "Gold" in refused.read_text()


def test_a_table_without_a_column_fails_with_a_line(company: Path) -> None:
    """Not half read: the asset says which column, and names the setting."""
    rows = [{k: v for k, v in row.items() if k != "Months"} for row in made_rows(300)]
    (company / "history.csv").write_text(as_csv(rows))
    result = run()
    assert made(result) == set()
    said = result.failure_data_for_node("customer_history")
    assert said is not None
    assert "has no column 'Months'" in str(said.user_failure_data)
    assert "CHURN_CUSTOMERS" in str(said.user_failure_data)


def test_the_built_in_customers_are_handed_on_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same artifact, so that nothing is trained anew and no figure changes."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    load_settings.cache_clear()
    write_dataset(tmp_path / "telco", "telco_customers")
    artifact = LocalArtifactStore(tmp_path / "home/store").put(
        "telco_customers", tmp_path / "telco"
    )

    @dg.asset
    def telco_customers() -> dg.MaterializeResult[Artifact]:
        return dg.MaterializeResult(value=artifact)

    result = dg.materialize(
        [telco_customers, *customer_assets(own=False)], resources=bind(load_settings())
    )
    load_settings.cache_clear()
    for name in ("customer_history", "active_customers"):
        assert result.output_for_node(name) == artifact
