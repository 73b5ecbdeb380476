"""The assets in Dagster's own executor: published folders, metadata, checks, and clear failures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from checks import datasets as checks
from churn_assets.datasets import assets
from churn_assets.datasets.config import FORMATS, DatasetName
from churn_assets.datasets.quality import WrittenDataset
from churn_assets.definitions import bind
from churn_assets.orchestration.compute import UNCHANGED
from churn_assets.orchestration.resources import SAME
from churn_assets.settings import load_settings
from churn_assets.storage.protocol import Artifact, ArtifactStore

NAMES: tuple[DatasetName, ...] = tuple(FORMATS)


Run = tuple[dg.ExecuteInProcessResult, ArtifactStore]


def settle(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Small generated data below `home`, whatever this machine's settings are."""
    patch.setenv("CHURN_HOME", str(home))
    patch.delenv("CHURN_DATA_MIRROR", raising=False)
    patch.setenv("CHURN_DATA__SOURCE", "synthetic")
    patch.setenv("CHURN_DATA__TELCO__SYNTHETIC_ROWS", "2400")
    patch.setenv("CHURN_DATA__BANK__SYNTHETIC_ROWS", "2400")
    load_settings.cache_clear()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    settle(monkeypatch, tmp_path)
    yield monkeypatch
    load_settings.cache_clear()


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The graph of generated data, and one of its assets once more."""
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, tmp_path_factory.mktemp("home"))
        runs = materialize(), materialize(("telco_customers",))
    load_settings.cache_clear()
    return runs


def materialize(names: tuple[DatasetName, ...] = NAMES, raise_on_error: bool = True) -> Run:
    resources = bind(load_settings())
    result = dg.materialize(
        [
            *(getattr(assets, name) for name in NAMES),
            *checks.schema_checks,
            *checks.row_count_checks,
            *checks.overlap_checks,
            *checks.balance_checks,
            *checks.origin_checks,
            *checks.source_checks,
        ],
        selection=dg.AssetSelection.assets(*names),
        resources=resources,
        raise_on_error=raise_on_error,
    )
    return result, resources["store"].open()


def artifacts(result: dg.ExecuteInProcessResult) -> dict[DatasetName, Artifact]:
    return {name: result.output_for_node(name) for name in NAMES}


def metadata(result: dg.ExecuteInProcessResult, name: DatasetName) -> dict[str, object]:
    [event] = result.asset_materializations_for_node(name)
    return {key: entry.value for key, entry in event.metadata.items()}


def test_the_graph_publishes_four_checked_data_sets(two_runs: tuple[Run, Run]) -> None:
    """Folders that read back, metadata for the UI, and warnings that the data are synthetic."""
    result, store = two_runs[0]
    for name, artifact in artifacts(result).items():
        dataset = WrittenDataset.load(name, store.get(artifact))
        shown = metadata(result, name)
        assert shown["rows"] == shown["dagster/row_count"] == dataset.rows > 0
        assert (shown["source"], shown["sha256"]) == ("synthetic", artifact.sha256)
        assert "train" in str(shown["splits"])
    evaluations = {
        (check.asset_key.to_user_string(), check.check_name): check
        for check in result.get_asset_check_evaluations()
    }
    assert len(evaluations) == 5 * len(NAMES) + len(checks.TABLES)
    failed = {key for key, check in evaluations.items() if not check.passed}
    assert failed == {(name, "source_is_real") for name in NAMES}


def test_the_preview_shows_rows_but_no_preference_texts(two_runs: tuple[Run, Run]) -> None:
    """Some published preference texts are offensive."""
    result, _ = two_runs[0]
    assert "month" in str(metadata(result, "bank_contacts")["preview"])
    assert "share of churn" in str(metadata(result, "telco_customers")["splits"])
    assert "prompt" in str(metadata(result, "oasst1_pairs")["preview"])
    assert "preview" not in metadata(result, "preference_pairs")


def test_the_same_data_are_the_same_artifact(two_runs: tuple[Run, Run]) -> None:
    """Nothing downstream needs to run again when nothing changed."""
    (first, _), (second, _) = two_runs
    assert second.output_for_node("telco_customers") == artifacts(first)["telco_customers"]
    shown, again = metadata(first, "telco_customers"), metadata(second, "telco_customers")
    assert again == shown | {"unchanged": UNCHANGED}


@pytest.mark.parametrize(
    ("setting", "value"),
    [("CHURN_DATA__TELCO__SYNTHETIC_ROWS", "2410"), ("CHURN_COMPUTE__REUSE", "false")],
)
def test_other_raw_files_or_no_reuse_build_the_data_set_anew(
    environment: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    """What was built before is taken for the present one only where nothing can be different."""
    names: tuple[DatasetName, ...] = ("telco_customers",)
    materialize(names)
    environment.setenv(setting, value)
    load_settings.cache_clear()
    result, _ = materialize(names)
    shown = metadata(result, "telco_customers")
    assert shown["rows"] == (2410 if value == "2410" else 2400)
    assert shown.get("unchanged") == (None if value == "2410" else SAME)


def test_the_real_data_give_no_warning(environment: pytest.MonkeyPatch, mirror: Path) -> None:
    """All checks pass on the mirror, the published row counts among them."""
    environment.setenv("CHURN_DATA_MIRROR", str(mirror))
    environment.setenv("CHURN_DATA__SOURCE", "auto")
    load_settings.cache_clear()
    result, _ = materialize()
    assert [check for check in result.get_asset_check_evaluations() if not check.passed] == []
    assert metadata(result, "telco_customers")["rows"] == 7_032
    assert metadata(result, "bank_contacts")["rows"] == 41_188


def test_a_broken_data_file_fails_its_asset_and_names_itself(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of it is published, so nothing is built on it."""
    folder = tmp_path / "mirror" / "ibm_telco"
    folder.mkdir(parents=True)
    (folder / "Telco-Customer-Churn.csv").write_text("customerID,churned\n1,2\n")
    environment.setenv("CHURN_DATA_MIRROR", str(tmp_path / "mirror"))
    environment.setenv("CHURN_DATA__SOURCE", "mirror")
    load_settings.cache_clear()
    result, store = materialize(("telco_customers",), raise_on_error=False)
    failure = result.failure_data_for_node("telco_customers")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "Telco-Customer-Churn.csv is not the pinned file" in str(
        failure.user_failure_data.description
    )
    assert store.versions("telco_customers") == []


def test_offending_rows_are_shown_with_the_failure(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file with the pinned digest that breaks the source's schema: the pin was set too early."""
    content = b"customerID,churned\n1,2\n"
    folder = tmp_path / "mirror" / "ibm_telco"
    folder.mkdir(parents=True)
    (folder / "Telco-Customer-Churn.csv").write_bytes(content)
    environment.setenv("CHURN_DATA_MIRROR", str(tmp_path / "mirror"))
    environment.setenv("CHURN_DATA__SOURCE", "mirror")
    environment.setenv("CHURN_DATA__TELCO__PIN__SHA256", hashlib.sha256(content).hexdigest())
    environment.setenv("CHURN_DATA__TELCO__PIN__ROWS", "1")
    load_settings.cache_clear()
    result, _ = materialize(("telco_customers",), raise_on_error=False)
    failure = result.failure_data_for_node("telco_customers")
    assert failure is not None
    assert failure.user_failure_data is not None
    cases = str(failure.user_failure_data.metadata["failure_cases"].value)
    assert "churned" in cases
