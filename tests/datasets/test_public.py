"""The four public sources, played by a local host and by folders laid out like the hub's."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.datasets.cleaning import oasst1, preferences
from churn_assets.datasets.config import BankConfig, DatasetsConfig, DownloadConfig, HubConfig
from churn_assets.datasets.errors import (
    CorruptFileError,
    DataError,
    DigestMismatchError,
    SourceUnavailableError,
)
from churn_assets.datasets.sources import hub, public
from churn_assets.datasets.sources.archives import unpack
from churn_assets.datasets.sources.transfer import IncompleteDownloadError
from churn_assets.datasets.tables import read_text_table
from churn_assets.stages.spec import silent
from tests.datasets.host import Host

CSV = b"a,b\n1,2\n"
DIGEST = hashlib.sha256(CSV).hexdigest()
PIN = {"sha256": DIGEST, "rows": 1}


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def config(quick: DownloadConfig, **areas: object) -> DatasetsConfig:
    return DatasetsConfig.model_validate({"download": quick.model_dump(), **areas})


def test_telco_is_the_pinned_csv_and_is_fetched_once(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A second pull verifies the file on disk and leaves the host alone."""
    url = host.serve("/telco.csv", CSV)
    settings = config(quick, telco={"url": url, "pin": PIN})
    for _ in range(2):
        raw = public.fetch("telco_customers", settings, tmp_path)
        assert (raw.path.read_bytes(), raw.source, raw.sha256) == (CSV, "download", DIGEST)
    assert len(host.requests) == 1


def test_a_damaged_file_on_disk_is_an_error_and_is_not_replaced_silently(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """Somebody changed it: they must hear of it."""
    settings = config(quick, telco={"url": host.serve("/telco.csv", CSV), "pin": PIN})
    path = public.fetch("telco_customers", settings, tmp_path).path
    path.write_bytes(CSV + b"3,4\n")
    with pytest.raises(DigestMismatchError, match=DIGEST):
        public.fetch("telco_customers", settings, tmp_path)


def test_kaggle_is_asked_with_its_credentials_and_gives_the_same_file(
    host: Host, quick: DownloadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kaggle's zip holds the same lines with other line ends: one pin must hold for both."""
    archive = zipped(**{"WA_Fn-UseC_-Telco-Customer-Churn.csv": CSV.replace(b"\n", b"\r\n")})
    telco = {"kaggle_url": host.serve("/kaggle.zip", archive), "pin": PIN}
    monkeypatch.setenv("KAGGLE_USERNAME", "sam")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    raw = public.fetch("telco_customers", config(quick, telco=telco), tmp_path)
    assert read_text_table(raw.path, ",") == {"a": ["1"], "b": ["2"]}
    assert raw.sha256 == DIGEST
    token = base64.b64encode(b"sam:secret").decode()
    assert host.requests[0]["Authorization"] == f"Basic {token}"


def bank_settings(host: Host, quick: DownloadConfig, archive: bytes) -> DatasetsConfig:
    return config(quick, bank={"url": host.serve("/bank.zip", archive), "pin": PIN})


def test_bank_is_unpacked_from_the_zip_inside_the_zip(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """UCI's packing; only the CSV is kept."""
    inner = zipped(**{"bank-additional/bank-additional-full.csv": CSV})
    archive = zipped(**{"bank.zip": b"other", "bank-additional.zip": inner})
    raw = public.fetch("bank_contacts", bank_settings(host, quick, archive), tmp_path)
    assert raw.path.read_bytes() == CSV
    assert [path.name for path in raw.path.parent.iterdir()] == [raw.path.name]


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (b"no zip at all", "not a zip file"),
        (zipped(**{"readme.txt": b"hello"}), "bank-additional.zip"),
        (zipped(**{"bank-additional.zip": b"PK\x03\x04 damaged"}), "bank-additional-full.csv"),
    ],
)
def test_a_damaged_archive_is_an_error_that_names_it_and_leaves_nothing(
    host: Host, quick: DownloadConfig, tmp_path: Path, archive: bytes, problem: str
) -> None:
    """No zip, another zip, or a damaged zip inside."""
    with pytest.raises(CorruptFileError, match=problem):
        public.fetch("bank_contacts", bank_settings(host, quick, archive), tmp_path)
    assert list((tmp_path / "uci_bank").iterdir()) == []


def encrypted(**members: bytes) -> bytes:
    """The archive with its members' encryption flag set: what tells a reader to ask for a key."""
    archive = bytearray(zipped(**members))
    for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = archive.find(start)
        while at >= 0:
            archive[at + offset] |= 1
            at = archive.find(start, at + 1)
    return bytes(archive)


@pytest.mark.parametrize(
    "archive",
    [
        encrypted(**{"bank-additional.zip": b"PK"}),
        zipped(
            **{
                "bank-additional.zip": encrypted(
                    **{"bank-additional/bank-additional-full.csv": CSV}
                )
            }
        ),
    ],
    ids=["outside", "inside"],
)
def test_an_encrypted_archive_is_called_that(
    host: Host, quick: DownloadConfig, tmp_path: Path, archive: bytes
) -> None:
    """The library raises a bare RuntimeError."""
    with pytest.raises(CorruptFileError, match="it is encrypted") as error:
        public.fetch("bank_contacts", bank_settings(host, quick, archive), tmp_path)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "uci_bank").iterdir()) == []


def bomb(name: str) -> bytes:
    """A small zip of a member of 256 MB."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open(name, "w") as member,
    ):
        for _ in range(256):
            member.write(bytes(1 << 20))
    return stream.getvalue()


@pytest.mark.parametrize(
    "where", ["bank-additional.zip", "bank-additional/bank-additional-full.csv"]
)
@pytest.mark.parametrize("declared", ["truly", "as small"])
def test_a_zip_bomb_is_refused_within_bounded_memory(
    host: Host, quick: DownloadConfig, tmp_path: Path, where: str, declared: str
) -> None:
    """Whatever size it declares; 1.5 GB of zeros took 3 GB of memory."""
    archive = bomb(where)
    if declared == "as small":
        archive = archive.replace((256 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    if where != "bank-additional.zip":
        archive = zipped(**{"bank-additional.zip": archive})
    settings = bank_settings(host, quick, archive)
    problem = "would unpack to 268,435,456 bytes" if declared == "truly" else "cannot be read"
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError, match=problem):
            public.fetch("bank_contacts", settings, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert list((tmp_path / "uci_bank").iterdir()) == []


@given(st.data())
@settings(max_examples=60)
def test_whatever_is_damaged_in_an_archive_is_one_kind_of_error(data: st.DataObject) -> None:
    """The library has many: a raw one would end the run with a traceback."""
    inner = zipped(**{"bank-additional/bank-additional-full.csv": CSV * 50})
    archive = bytearray(zipped(**{"bank-additional.zip": inner}))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "bank.zip", Path(folder) / "bank.csv"
        path.write_bytes(archive)
        try:
            unpack(path, BankConfig().members, target, hashlib.sha256(CSV * 50).hexdigest())
        except DataError:
            assert not target.exists()
        else:
            assert target.read_bytes() == CSV * 50
        assert not path.exists()


def test_an_unexpected_csv_in_the_archive_is_an_error(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """The zip is not pinned, since UCI packs it anew; what is inside is."""
    inner = zipped(**{"bank-additional/bank-additional-full.csv": CSV + b"3,4\n"})
    archive = zipped(**{"bank-additional.zip": inner})
    with pytest.raises(DigestMismatchError, match=DIGEST):
        public.fetch("bank_contacts", bank_settings(host, quick, archive), tmp_path)
    assert list((tmp_path / "uci_bank").iterdir()) == []


def message(name: str, parent: str | None, role: str, rank: int | None = None) -> dict[str, object]:
    return {
        "message_id": name,
        "parent_id": parent,
        "message_tree_id": "t",
        "tree_state": "ready_for_export",
        "role": role,
        "lang": "en",
        "text": f"text of {name}",
        "rank": rank,
        "deleted": False,
        "review_result": True,
        "user_id": "not kept",
    }


CONVERSATION = [
    message("p", None, "prompter"),
    message("worse", "p", "assistant", rank=1),
    message("best", "p", "assistant", rank=0),
]


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_oasst1_comes_from_the_hub_as_messages_and_pairs_by_parent(
    quick: DownloadConfig, tmp_path: Path
) -> None:
    """Through the `datasets` library, on a folder laid out like the hub's."""
    repo = tmp_path / "hub"
    write_lines(repo / "train.jsonl", CONVERSATION)
    write_lines(repo / "validation.jsonl", [message("q", None, "prompter")])
    settings = config(quick, oasst1={"hub": {"repo": str(repo), "revision": "0" * 40}})
    raw = public.fetch("oasst1_pairs", settings, tmp_path / "raw")
    assert raw.revision == "0" * 40
    pairs, notes = oasst1.clean(raw.files, "en")
    assert [(pair["prompt"], pair["response"]) for pair in pairs] == [("text of p", "text of best")]
    assert notes["messages"] == 4
    assert public.fetch("oasst1_pairs", settings, tmp_path / "raw") == raw
    again = public.fetch("oasst1_pairs", settings, tmp_path / "raw-again")
    assert again.path.read_bytes() == raw.path.read_bytes()


def test_a_data_set_saved_to_disk_takes_the_hubs_place(
    quick: DownloadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without the hub gets the data as the library itself writes them."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repo = tmp_path / "saved"
    parts = {"train": CONVERSATION, "validation": [message("q", None, "prompter", rank=0)]}
    DatasetDict({name: Dataset.from_list(rows) for name, rows in parts.items()}).save_to_disk(repo)
    settings = config(quick, oasst1={"hub": {"repo": str(repo), "revision": "0" * 40}})
    pairs, notes = oasst1.clean(
        public.fetch("oasst1_pairs", settings, tmp_path / "raw").files, "en"
    )
    assert [(pair["prompt"], pair["response"]) for pair in pairs] == [("text of p", "text of best")]
    assert notes["messages"] == 4


def test_preferences_are_spread_evenly_over_the_subjects(
    quick: DownloadConfig, tmp_path: Path
) -> None:
    """SHP-2 starts with one subject only; a small subject's share goes to the others."""
    shp, hh = tmp_path / "shp", tmp_path / "hh"
    for domain, size in (("askbaking", 40), ("askcars", 3), ("stack_zen", 40)):
        rows = [
            {
                "domain": domain,
                "history": f"{domain} question {number}",
                "human_ref_A": "an answer",
                "human_ref_B": "a better answer",
                "labels": 0,
                "score_ratio": 1.2 if number == 0 else 3.0,
            }
            for number in range(size)
        ]
        write_lines(shp / domain / "train.json", rows)
    pair = {
        "chosen": "\n\nHuman: hi\n\nAssistant: yes",
        "rejected": "\n\nHuman: hi\n\nAssistant: no",
    }
    write_lines(hh / "harmless-base" / "train.jsonl", [pair])
    settings = config(
        quick,
        preferences={
            "shp": {"repo": str(shp), "revision": "1" * 40, "limit": 20},
            "hh": {"repo": str(hh), "revision": "2" * 40, "limit": 10},
        },
    )
    raw = public.fetch("preference_pairs", settings, tmp_path / "raw")
    pairs, notes = preferences.clean(raw.files, settings.preferences)
    assert notes["pairs_by_source"] == {"hh-rlhf": 1, "shp-2": 20}
    domains = [pair["prompt"].split()[0] for pair in pairs if pair["source"] == "shp-2"]
    assert domains.count("askcars") == 2
    assert domains.count("askbaking") >= 6
    assert domains.count("stack_zen") >= 6
    assert raw.revision == "2" * 40 + "," + "1" * 40


def test_an_unreachable_hub_is_unavailable(
    closed_url: str, quick: DownloadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself would try for minutes."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", closed_url)
    for name in ("oasst1_pairs", "preference_pairs"):
        with pytest.raises(SourceUnavailableError, match="cannot be reached"):
            public.fetch(name, config(quick), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_hub_that_breaks_off_is_an_error_and_leaves_nothing(
    quick: DownloadConfig, tmp_path: Path
) -> None:
    """Half a data set would train without anybody noticing."""

    def rows(source: HubConfig) -> Iterator[dict[str, object]]:
        yield {"text": "first"}
        raise ConnectionError("reset by peer")

    source = HubConfig(repo=str(tmp_path), revision="0" * 40)
    target = tmp_path / "raw" / "rows.jsonl.gz"
    with pytest.raises(IncompleteDownloadError, match="reset by peer"):
        hub.save(source, target, rows, quick, silent)
    assert list(target.parent.iterdir()) == []


def test_a_repository_that_does_not_exist_is_unavailable(
    quick: DownloadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    """The hub answers, and does not have it."""
    from datasets.exceptions import DatasetNotFoundError

    def load_dataset(*args: object, **kwargs: object) -> None:
        raise DatasetNotFoundError("no such repository")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", host.url)
    with pytest.raises(SourceUnavailableError, match="no such repository"):
        public.fetch("oasst1_pairs", config(quick), tmp_path)
