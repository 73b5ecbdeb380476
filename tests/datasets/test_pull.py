"""Which source is used, and that damage is never a reason to use another."""

from __future__ import annotations

import gzip
import hashlib
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churn_assets.datasets.build import build
from churn_assets.datasets.config import (
    SOURCE_NAMES,
    DatasetName,
    DatasetsConfig,
    DownloadConfig,
    SourceKind,
)
from churn_assets.datasets.errors import (
    CorruptFileError,
    DataError,
    DigestMismatchError,
    SourceUnavailableError,
)
from churn_assets.datasets.pull import pull
from churn_assets.datasets.sources import files
from churn_assets.datasets.sources.files import RawFile, unix_lines
from tests.datasets.host import Host

NAMES = tuple(SOURCE_NAMES.values())
CSV = b"a,b\n1,2\n"


@pytest.fixture
def offline(
    closed_url: str, quick: DownloadConfig, monkeypatch: pytest.MonkeyPatch
) -> DatasetsConfig:
    """Every public host unreachable."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", closed_url)
    return DatasetsConfig.model_validate(
        {
            "download": quick.model_dump(),
            "telco": {"url": closed_url, "synthetic_rows": 300},
            "bank": {"url": closed_url, "synthetic_rows": 500},
        }
    )


@pytest.mark.parametrize("name", NAMES)
def test_without_mirror_and_network_auto_announces_synthetic_data(
    name: DatasetName, offline: DatasetsConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Falling through must be loud: in the log, and kept with the file."""
    with caplog.at_level(logging.WARNING):
        raw = pull(name, offline, tmp_path)
    assert raw.source == "synthetic"
    assert "SYNTHETIC" in caplog.text
    assert [reason.split(":")[0] for reason in raw.passed_over] == ["mirror", "download"]


@pytest.mark.parametrize("name", NAMES)
def test_production_refuses_synthetic_data_and_says_why_nothing_else_was_there(
    name: DatasetName, offline: DatasetsConfig, tmp_path: Path
) -> None:
    """A model for real customers is not to be trained on invented ones."""
    strict = offline.model_copy(update={"allow_synthetic": False})
    with pytest.raises(SourceUnavailableError, match=r"mirror: .*download: .*refused"):
        pull(name, strict, tmp_path)


NOWHERE = "https://nowhere.invalid/"


@pytest.mark.parametrize("name", NAMES)
def test_the_real_mirror_comes_first(name: DatasetName, mirror: Path, tmp_path: Path) -> None:
    """With a mirror no host is asked: the addresses here would fail."""
    config = DatasetsConfig.model_validate(
        {"mirror": mirror, "telco": {"url": NOWHERE}, "bank": {"url": NOWHERE}}
    )
    raw = pull(name, config, tmp_path)
    assert (raw.source, raw.passed_over) == ("mirror", ())


def test_the_download_comes_after_a_mirror_that_lacks_the_file(
    host: Host, offline: DatasetsConfig, tmp_path: Path
) -> None:
    """A mirror need not have everything."""
    pin = {"sha256": hashlib.sha256(CSV).hexdigest(), "rows": 1}
    telco = {"url": host.serve("/telco.csv", CSV), "pin": pin}
    config = DatasetsConfig.model_validate(
        {**offline.model_dump(), "telco": telco, "mirror": tmp_path}
    )
    raw = pull("telco_customers", config, tmp_path / "raw")
    assert raw.source == "download"
    assert "Telco-Customer-Churn.csv" in raw.passed_over[0]


def test_a_wrong_file_in_the_mirror_is_an_error(offline: DatasetsConfig, tmp_path: Path) -> None:
    """It names the file and both digests, and does not fall through to synthetic data."""
    (tmp_path / "ibm_telco").mkdir()
    (tmp_path / "ibm_telco" / "Telco-Customer-Churn.csv").write_bytes(CSV)
    config = offline.model_copy(update={"mirror": tmp_path})
    with pytest.raises(DigestMismatchError) as error:
        pull("telco_customers", config, tmp_path / "raw")
    for part in (
        "Telco-Customer-Churn.csv",
        config.telco.pin.sha256,
        hashlib.sha256(CSV).hexdigest(),
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "file",
    [
        "Telco-Customer-Churn.csv",
        "Telco-Customer-Churn.csv.gz",
        "WA_Fn-UseC_-Telco-Customer-Churn.csv",
        "WA_Fn-UseC_-Telco-Customer-Churn.csv.gz",
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_same_table_by_kaggles_name_or_with_windows_lines_is_the_pinned_file(
    file: str, line_end: bytes, synthetic: DatasetsConfig, tmp_path: Path
) -> None:
    """What people have on their disks; the data set that is built has the same bytes."""
    generated = pull("telco_customers", synthetic, tmp_path / "raw")
    content = files.content(generated.path)
    folder = tmp_path / "mirror" / "ibm_telco"
    folder.mkdir(parents=True)
    copy = content.replace(b"\n", line_end)
    (folder / file).write_bytes(gzip.compress(copy) if file.endswith("gz") else copy)
    pin = {"sha256": hashlib.sha256(content).hexdigest(), "rows": 600}
    config = DatasetsConfig.model_validate(
        {"source": "mirror", "mirror": tmp_path / "mirror", "telco": {"pin": pin}}
    )
    raw = pull("telco_customers", config, tmp_path / "raw")
    assert (raw.source, raw.sha256) == ("mirror", pin["sha256"])
    built, rebuilt = (
        build("telco_customers", source, tmp_path / "built" / source.source, config)["files"]
        for source in (raw, generated)
    )
    assert built == rebuilt


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b""])))
def test_line_ends_are_found_across_blocks(pieces: list[bytes]) -> None:
    """A file is read in blocks, and a line end can lie on their border."""
    assert b"".join(unix_lines(pieces)) == b"".join(pieces).replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bank_contacts", "uci_bank/bank-additional-full.csv.gz"),
        ("oasst1_pairs", "oasst1/en_100_tree.jsonl.gz"),
        ("preference_pairs", "preferences/pairs.jsonl.gz"),
    ],
)
def test_a_truncated_gzip_in_the_mirror_is_an_error(
    name: DatasetName, file: str, offline: DatasetsConfig, tmp_path: Path
) -> None:
    """Half a file is a broken copy, not a missing one."""
    path = tmp_path / file
    path.parent.mkdir()
    path.write_bytes(gzip.compress(bytes(range(256)) * 1_000)[:-300])
    with pytest.raises(CorruptFileError, match=path.name) as error:
        pull(name, offline.model_copy(update={"mirror": tmp_path}), tmp_path / "raw")
    assert "the mirror's own copy" in str(error.value)


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("mirror", "replace it by a whole one"),
        ("download", "fetch it again with `churn data pull`"),
    ],
)
def test_what_to_do_about_a_damaged_file_depends_on_whose_it_is(
    source: SourceKind, advice: str, tmp_path: Path
) -> None:
    """Nobody can fetch again what was their own."""
    path = tmp_path / "trees.jsonl"
    path.write_text("{")
    raw = RawFile((path,), source, "0" * 64)
    with pytest.raises(CorruptFileError, match=advice):
        build("oasst1_pairs", raw, tmp_path / "out", DatasetsConfig())


def test_a_file_that_would_not_fit_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gzip can hold a thousand times its size."""
    monkeypatch.setattr(files, "MOST_BYTES", 1_000_000)
    path = tmp_path / "zeros.csv.gz"
    path.write_bytes(gzip.compress(bytes(1_000_000)))
    assert len(files.content(path)) == 1_000_000
    path.write_bytes(gzip.compress(bytes(1_000_001)))
    with pytest.raises(CorruptFileError, match="exceeds 1,000,000 bytes"):
        files.content(path)


def test_half_a_pin_says_that_both_halves_are_needed() -> None:
    """`Field required` names neither the setting nor the reason."""
    for half in ({"sha256": "0" * 64}, {"rows": 7}):
        with pytest.raises(ValidationError, match="set sha256 and rows"):
            DatasetsConfig.model_validate({"telco": {"pin": half}})


def test_a_corrupt_download_is_an_error(
    host: Host, offline: DatasetsConfig, tmp_path: Path
) -> None:
    """The host was there: synthetic data would hide that it serves something else."""
    telco = offline.telco.model_copy(update={"url": host.serve("/telco.csv", CSV)})
    with pytest.raises(DigestMismatchError):
        pull("telco_customers", offline.model_copy(update={"telco": telco}), tmp_path)


def test_a_mirror_folder_that_does_not_exist_is_an_error(
    offline: DatasetsConfig, tmp_path: Path
) -> None:
    """A misspelt setting must not quietly become synthetic data."""
    config = offline.model_copy(update={"mirror": tmp_path / "nowhere"})
    with pytest.raises(DataError, match="nowhere"):
        pull("telco_customers", config, tmp_path)


def test_one_source_can_be_demanded(offline: DatasetsConfig, tmp_path: Path) -> None:
    """Without `auto` there is no falling through at all."""
    for source in ("mirror", "download"):
        config = offline.model_copy(update={"source": source})
        with pytest.raises(SourceUnavailableError, match=source):
            pull("telco_customers", config, tmp_path)
