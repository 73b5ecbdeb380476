"""Every check can fail: each is shown a data set that breaks what it stands for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from checks import datasets as checks
from churn_assets.datasets.build import build
from churn_assets.datasets.config import DatasetName, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.datasets.quality import WrittenDataset, expected_origin, expected_rows
from churn_assets.datasets.splits import stratified_split
from churn_assets.datasets.tables import read_parquet, write_parquet
from churn_assets.datasets.texts import read_jsonl, write_jsonl
from churn_assets.domain.splits import SPLITS

Folders = dict[DatasetName, Path]


@pytest.fixture(scope="module")
def built(synthetic: DatasetsConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("built")
    for name in checks.ALL:
        build(name, pull(name, synthetic, home / "raw"), home / name, synthetic)
    return home


@pytest.fixture
def folders(built: Path, tmp_path: Path) -> Folders:
    """Copies for a test to break."""
    return {name: shutil.copytree(built / name, tmp_path / name) for name in checks.ALL}


def result(
    finding: checks.Finding, name: DatasetName, folders: Folders, synthetic: DatasetsConfig
) -> dg.AssetCheckResult:
    return finding(WrittenDataset.load(name, folders[name]), synthetic)


def value(outcome: dg.AssetCheckResult, key: str) -> object:
    return outcome.metadata[key].value


def edit_summary(folder: Path, **changes: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_sound_data_pass_every_blocking_check(folders: Folders, synthetic: DatasetsConfig) -> None:
    """Otherwise the graph could never get to its models."""
    for name in checks.ALL:
        for finding in (
            checks.schema_is_valid,
            checks.row_count_is_expected,
            checks.splits_do_not_overlap,
            checks.origin_is_pinned,
        ):
            assert result(finding, name, folders, synthetic).passed, (name, finding)
    for name in checks.TABLES:
        assert result(checks.class_balance_is_kept, name, folders, synthetic).passed


def test_all_checks_block_but_the_warning_of_synthetic_data() -> None:
    """A release must not be built on data that failed."""
    for group in (
        checks.schema_checks,
        checks.row_count_checks,
        checks.overlap_checks,
        checks.balance_checks,
        checks.origin_checks,
    ):
        assert all(spec.blocking for check in group for spec in check.check_specs)
    warnings = [spec for check in checks.source_checks for spec in check.check_specs]
    assert len(warnings) == len(checks.ALL)
    assert not any(spec.blocking for spec in warnings)


def test_a_broken_value_is_listed_with_row_and_column(
    folders: Folders, synthetic: DatasetsConfig
) -> None:
    """Whoever mends the data needs to find the rows."""
    path = folders["telco_customers"] / "train.parquet"
    frame = read_parquet(path)
    frame.loc[7, "contract"] = "Ten years "
    frame.loc[9, "tenure"] = -3
    write_parquet(frame, path)
    outcome = result(checks.schema_is_valid, "telco_customers", folders, synthetic)
    assert not outcome.passed
    assert value(outcome, "failures") == 2
    cases = str(value(outcome, "failure_cases"))
    assert [line.split("|")[1].strip() for line in cases.splitlines()[2:]] == ["8", "10"]
    assert "'Ten years '" in cases
    assert "contract" in cases
    assert "tenure" in cases


def test_services_that_contradict_each_other_are_found(
    folders: Folders, synthetic: DatasetsConfig
) -> None:
    """Nobody streams without an internet service."""
    path = folders["telco_customers"] / "test.parquet"
    frame = read_parquet(path)
    row = frame.index[frame["internet_service"] == "No"][0]
    frame.loc[row, "streaming_tv"] = "Yes"
    write_parquet(frame, path)
    outcome = result(checks.schema_is_valid, "telco_customers", folders, synthetic)
    assert not outcome.passed
    assert "no_internet_means_no_streaming_tv" in str(value(outcome, "failure_cases"))


def test_a_broken_text_is_listed_without_its_words(
    folders: Folders, synthetic: DatasetsConfig
) -> None:
    """Preference texts can be offensive: the row and the column are enough to find them."""
    path = folders["preference_pairs"] / "valid.jsonl"
    rows = [row for _, row in read_jsonl(path)]
    rows[0]["rejected"] = rows[0]["chosen"]
    write_jsonl(rows, path)
    outcome = result(checks.schema_is_valid, "preference_pairs", folders, synthetic)
    assert not outcome.passed
    cases = str(value(outcome, "failure_cases"))
    assert "the_two_replies_differ" in cases
    assert rows[0]["chosen"] not in cases


def test_lost_rows_are_found(folders: Folders, synthetic: DatasetsConfig) -> None:
    """Of every data set, and when the recorded number is not the number of rows."""
    for name in checks.TABLES:
        path = folders[name] / "train.parquet"
        write_parquet(read_parquet(path).iloc[1:], path)
        assert not result(checks.row_count_is_expected, name, folders, synthetic).passed
    edit_summary(folders["oasst1_pairs"], rows=199)
    assert not result(checks.row_count_is_expected, "oasst1_pairs", folders, synthetic).passed


@pytest.mark.parametrize("name", checks.ALL)
def test_a_row_on_two_sides_is_found(
    name: DatasetName, folders: Folders, synthetic: DatasetsConfig
) -> None:
    """What was trained on must not be tested on."""
    if name in checks.TABLES:
        parts = [read_parquet(folders[name] / f"{part}.parquet") for part in ("train", "test")]
        both = pd.concat([parts[1], parts[0].head(1)], ignore_index=True)
        write_parquet(both, folders[name] / "test.parquet")
    else:
        [train, test] = [
            [row for _, row in read_jsonl(folders[name] / f"{part}.jsonl")]
            for part in ("train", "test")
        ]
        write_jsonl([*test, train[0]], folders[name] / "test.jsonl")
    outcome = result(checks.splits_do_not_overlap, name, folders, synthetic)
    assert not outcome.passed
    assert any(value(outcome, key) == 1 for key in outcome.metadata if key.startswith("shared_"))


def test_a_split_with_another_share_of_the_label_is_found(
    folders: Folders, synthetic: DatasetsConfig
) -> None:
    """A metric on it would not be comparable with the others."""
    for name, label in (("telco_customers", "churn"), ("bank_contacts", "accepted")):
        path = folders[name] / "test.parquet"
        frame = read_parquet(path)
        write_parquet(frame[frame[label]], path)
        outcome = result(checks.class_balance_is_kept, name, folders, synthetic)
        assert not outcome.passed
        assert value(outcome, "test") == 1


@pytest.mark.parametrize("rows", [60, 200, 1_001])
def test_rounding_to_whole_rows_is_no_fault(rows: int, synthetic: DatasetsConfig) -> None:
    """A small base of a company's own can't be split more evenly than by whole customers."""
    label = np.arange(rows) % 7 == 0
    split = stratified_split(label)
    frames = {part: pd.DataFrame({"churn": label[split == part]}) for part in SPLITS}
    dataset = WrittenDataset("telco_customers", frames, {})
    assert checks.class_balance_is_kept(dataset, synthetic).passed


def test_another_origin_is_found(folders: Folders, synthetic: DatasetsConfig) -> None:
    """A digest or a commit that is not the pinned one blocks."""
    for name in checks.ALL:
        edit_summary(folders[name], sha256="0" * 64)
        outcome = result(checks.origin_is_pinned, name, folders, synthetic)
        assert not outcome.passed
        assert outcome.severity == dg.AssetCheckSeverity.ERROR
        edit_summary(folders[name], source="download", revision="0" * 40)
        outcome = result(checks.origin_is_pinned, name, folders, synthetic)
        assert not outcome.passed
        assert outcome.severity == dg.AssetCheckSeverity.ERROR


def test_an_unknown_text_file_in_a_mirror_only_warns(
    folders: Folders, synthetic: DatasetsConfig
) -> None:
    """A mirror may hold more of the text data than the pinned excerpt, and must say so."""
    edit_summary(folders["oasst1_pairs"], source="mirror", sha256="0" * 64)
    outcome = result(checks.origin_is_pinned, "oasst1_pairs", folders, synthetic)
    assert not outcome.passed
    assert outcome.severity == dg.AssetCheckSeverity.WARN
    edit_summary(folders["telco_customers"], source="mirror", sha256="0" * 64)
    outcome = result(checks.origin_is_pinned, "telco_customers", folders, synthetic)
    assert outcome.severity == dg.AssetCheckSeverity.ERROR


def test_synthetic_data_are_warned_of(folders: Folders, synthetic: DatasetsConfig) -> None:
    """The warning goes away only with the source."""
    for name in checks.ALL:
        outcome = result(checks.source_is_real, name, folders, synthetic)
        assert not outcome.passed
        assert outcome.severity == dg.AssetCheckSeverity.WARN
        edit_summary(folders[name], source="mirror")
        assert result(checks.source_is_real, name, folders, synthetic).passed


def test_expectations_follow_source_and_pin() -> None:
    """Exact where the file is known, bounded where only its minimum is."""
    config = DatasetsConfig()
    mirror = {"source": "mirror", "sha256": config.telco.pin.sha256}
    assert expected_rows("telco_customers", mirror, config) == (7_032, 7_032)
    sample = {"source": "mirror", "sha256": config.oasst1.sample_pins[0].sha256}
    assert expected_rows("oasst1_pairs", sample, config) == (252, 252)
    hub = {"source": "download", "sha256": "0" * 64, "revision": config.oasst1.hub.revision}
    assert expected_rows("oasst1_pairs", hub, config) == (5_000, None)
    assert expected_rows("preference_pairs", hub, config) == (95_000, 100_000)
    assert expected_origin("oasst1_pairs", hub, config)[0] in hub["revision"]


def test_splits_are_read_in_their_order(folders: Folders) -> None:
    """A failing row's number counts through train, valid, test."""
    assert tuple(WrittenDataset.load("bank_contacts", folders["bank_contacts"]).splits) == SPLITS
