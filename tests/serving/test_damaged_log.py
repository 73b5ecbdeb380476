"""A damaged file of the decision log: it is never read as other values, and stops no erasure of
what the others hold."""

from __future__ import annotations

import io
import random
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.serving.decision_log import parts
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactStore, DamagedArtifactError
from tests.serving.test_decision_log import MONDAY, ids, record, store

__all__ = ["store"]  # a fixture: both stores

FLIPS = 200
FOOTER_END = 8  # bytes: the footer's length, and the magic word


def segment(store: ArtifactStore, rows: int = 200) -> tuple[str, bytes]:
    """A written part's key and bytes."""
    [key] = parts.append(store, [record(f"d{i:05}", f"C{i * 7919 % 10_007}") for i in range(rows)])
    content = store.read_pointer(key)
    assert content is not None
    return key, content


def footer_of(content: bytes) -> int:
    """Where it begins."""
    return len(content) - pq.read_metadata(io.BytesIO(content)).serialized_size - FOOTER_END


def flipped(content: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= 1 << bit
    return bytes(damaged)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_flipped_bit_in_a_page_is_refused(tmp_path: Path, seed: int) -> None:
    """Why: of 200 single flips 168 were read without a word, as other ids, risks and values."""
    store, dice = LocalArtifactStore(tmp_path), random.Random(seed)
    key, content = segment(store)
    whole, refused = parts.read(store), 0
    for _ in range(FLIPS):
        place = dice.randrange(footer_of(content))
        (tmp_path / "pointers" / key).write_bytes(flipped(content, place, dice.randrange(8)))
        try:
            assert parts.read(store).equals(whole)  # a flip that no reader looks at
        except DamagedArtifactError as error:
            refused += 1
            said = str(error)
            assert said.startswith(f"{store.url}/pointers/{key} is damaged: ")
            assert said.endswith("restore it, or move it away: its decisions are lost")
            assert "\n" not in said
    assert refused > 0.75 * FLIPS  # most of the others are in statistics, which nobody asks for


def test_a_file_without_checksums_is_read_as_before(tmp_path: Path) -> None:
    """What earlier versions have written."""
    store = LocalArtifactStore(tmp_path)
    key, content = segment(store)
    whole = parts.read(store)
    older = io.BytesIO()
    table = pq.read_table(io.BytesIO(content))
    pq.write_table(table, older, compression="zstd", use_dictionary=False)
    store.delete_pointer(key)
    store.write_pointer(f"{parts.FOLDER}/2026-01-12/100000-0123456789ab.parquet", older.getvalue())
    assert parts.read(store).equals(whole)
    assert pa.types.is_timestamp(whole.schema.field("time").type)


@pytest.mark.parametrize("left", [0, 3, 0.5, 1.0])
def test_a_torn_part_stops_no_erasure_of_what_others_hold(
    store: ArtifactStore, left: float
) -> None:
    """Why: the one damaged file of one second kept everybody from being erased. The last line says
    which it is; once it is moved away the same command is done."""
    first, content = segment(store, 5)
    parts.append(store, [record("mine", "C1"), record("theirs", "C2")])
    parts.append(store, [record("later", "C1", MONDAY + timedelta(days=1))])
    torn = content[: int(left if left > 1 else left * len(content))]
    store.write_pointer(first, b"text, of somebody's editor" if left == 1 else torn)
    with pytest.raises(DamagedArtifactError) as caught:
        parts.erase(store, ["C1"], MONDAY + timedelta(days=2))
    said = str(caught.value)
    assert said.startswith(f"{store.url}/pointers/{first} is damaged: ")
    assert said.endswith(
        "; restore it, or move it away: its decisions are lost; then erase again. 2 decisions in "
        "the other files are erased"
    )
    assert "\n" not in said
    store.delete_pointer(first)
    assert ids(store) == ["theirs"]
    assert parts.erase(store, ["C1"], MONDAY + timedelta(days=2)) == {"C1": 0}


def test_several_torn_parts_are_one_line(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    torn = sorted(segment(store, 5)[0] for _ in range(3))
    for key in torn:
        store.write_pointer(key, b"")
    parts.append(store, [record("mine", "C1")])
    with pytest.raises(DamagedArtifactError) as caught:
        parts.erase(store, ["C1"], MONDAY + timedelta(days=2))
    said = str(caught.value)
    assert f"{torn[0]} is damaged: " in said
    assert f"erase again (so are {torn[1]}, {torn[2]}). 1 decisions in" in said
