"""A file in two encodings, as where exports were joined: it is refused, and says where."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.customers.contract.tables import Format, Table
from churn_assets.customers.reading.dialect import Dialect
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.reading.table import read_table
from churn_assets.datasets.errors import CorruptFileError
from tests.customers.conftest import as_csv, made_rows


def read_into(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / f"cells-{len([*tmp_path.iterdir()])}"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([57, 90], "line 58 is not UTF-8, but line 2 is"),
        ([400], "line 401 is not UTF-8, but line 2 is"),
        (range(1, 300), "line 301 is UTF-8, but line 2 is not"),
    ],
)
def test_two_encodings_in_one_file_are_refused(
    other: Sequence[int], said: str, packed: bool, tmp_path: Path
) -> None:
    """Why: all of it was read as Latin-1, so that the UTF-8 names of a joined export became others,
    and nobody was told."""
    lines = as_csv(made_rows()).replace("A1", "Ä1").splitlines(keepends=True)
    written = [line.encode("latin-1" if i in other else "utf-8") for i, line in enumerate(lines)]
    name = "history.csv.gz" if packed else "history.csv"
    content = b"".join(written)
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    places, table = Places(tmp_path, tmp_path), Table(path=(name,))
    with pytest.raises(CorruptFileError) as raised:
        read_table(table, places, read_into(tmp_path))
    assert str(raised.value).startswith(f"{tmp_path / name} cannot be read: {said}: it is in two ")
    assert str(raised.value).endswith(
        "; or, if all of it is in another encoding, name it (cp1252, cp1250, cp1251 …) as "
        "format.encoding in the contract."
    )
    given = table.model_copy(update={"format": Format(encoding="latin-1")})
    assert read_table(given, places, read_into(tmp_path)).rows == 400


def test_other_lines_below_a_mark_of_utf_8_are_refused(tmp_path: Path) -> None:
    """As a spreadsheet's export begins: it says the line, and what to do."""
    content = "name,plan\nJürgen,Max\n".encode("utf-8-sig") + "Köln,Max\n".encode("latin-1")
    (tmp_path / "history.csv").write_bytes(content)
    said = r"line 3 is not utf-8\. Two exports were joined\? Make both anew in one encoding"
    with pytest.raises(CorruptFileError, match=said):
        read_table(Table(path=("history.csv",)), Places(tmp_path, tmp_path), read_into(tmp_path))


def test_a_row_of_cells_in_two_encodings_is_refused(tmp_path: Path) -> None:
    """As where two systems' columns were put side by side."""
    content = b"name,city\n" + b",".join(("Jürgen".encode(), "Köln".encode("latin-1"))) + b"\n"
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(CorruptFileError, match="line 2 is partly UTF-8, partly not: it is in two"):
        read_table(Table(path=("history.csv",)), Places(tmp_path, tmp_path), read_into(tmp_path))


def test_windows_words_that_look_like_utf_8_are_read(tmp_path: Path) -> None:
    """Capitals with an accent before a quote, dots or a protected blank: one encoding."""
    text = "name,city\nCAFÉ»,Köln\nSpaß…,Köln\nCLARTÉ\xa0:,É”\n«\xa0thé»\xa0!,Orléans\n"
    (tmp_path / "history.csv").write_bytes(text.encode("cp1252"))
    read = read_table(Table(path=("history.csv",)), Places(tmp_path, tmp_path), read_into(tmp_path))
    assert read.files[0].dialect == Dialect(",", "cp1252", guessed=True)


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig"])
def test_a_file_cut_within_its_last_letter_is_said_to_be_cut(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said to be in two encodings, and below a mark of UTF-8 nothing was said."""
    content = "name,plan\nJürgen,Max\nKöln,Grün\nJana,Grü".encode(mark)[:-1]
    (tmp_path / "history.csv").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    done = CliRunner().invoke(app, ["customers", "inspect", "history.csv"])
    assert done.exit_code
    assert "it is cut off within its last letter. Export it or copy it anew" in done.output
    assert "two encodings" not in done.output


def test_a_last_letter_in_latin_1_is_no_cut(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_bytes("name,plan\nJana,Café".encode("latin-1"))
    read = read_table(Table(path=("history.csv",)), Places(tmp_path, tmp_path), read_into(tmp_path))
    assert read.files[0].dialect == Dialect(",", "latin-1", guessed=True)
