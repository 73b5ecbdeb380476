"""Reading: a table is the same however it is written, and wherever it lies."""

from __future__ import annotations

import gzip
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.customers.contract.tables import Format, Table
from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.reading.lines import _LONGEST
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.reading.table import read_table
from churn_assets.datasets.errors import CorruptFileError, DataError, SourceUnavailableError
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.storage.emulator import strict_client


def european(text: str) -> str:
    """As a spreadsheet in most of Europe writes it: semicolons, and commas before decimals."""
    return text.replace(",", ";").replace(".", ",")


WRITTEN: dict[str, tuple[Callable[[str], bytes], str]] = {
    "comma": (str.encode, "utf-8, delimiter ',', decimal '.'"),
    "semicolon": (lambda t: european(t).encode(), "utf-8, delimiter ';', decimal ','"),
    "tab": (lambda t: t.replace(",", "\t").encode(), "utf-8, delimiter tab, decimal '.'"),
    "bar": (lambda t: t.replace(",", "|").encode(), "utf-8, delimiter '|', decimal '.'"),
    "mark": (lambda t: t.encode("utf-8-sig"), "utf-8-sig, delimiter ',', decimal '.'"),
    "utf-16": (lambda t: t.encode("utf-16"), "utf-16, delimiter ',', decimal '.'"),
    "windows": (lambda t: t.replace("\n", "\r\n").encode(), "utf-8, delimiter ',', decimal '.'"),
    "latin-1": (
        lambda t: t.replace("Basic", "Básico").encode("latin-1"),
        "latin-1 (a guess), delimiter ',', decimal '.'",
    ),
    "cp1252": (
        lambda t: t.replace("Basic", "Básico €").encode("cp1252"),
        "cp1252 (a guess), delimiter ',', decimal '.'",
    ),
    "quoted": (
        lambda t: "\n".join(",".join(f'"{c}"' for c in s.split(",")) for s in t.split()).encode(),
        "utf-8, delimiter ',', decimal '.'",
    ),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("packed", [False, True])
def test_the_dialect_is_found_and_shown(
    how: str, packed: bool, checked: Checked, tmp_path: Path
) -> None:
    """The same customers come out, and the report says how the file was read."""
    write, shown = WRITTEN[how]
    text = as_csv(made_rows()).replace("Monthly Fee", "MonthlyFee")  # `quoted` splits at blanks
    content = write(text)
    name = "history.csv.gz" if packed else "history.csv"
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    plan = {"latin-1": "Básico", "cp1252": "Básico €"}.get(how, "Basic")
    contract = CONTRACT.replace("Basic", plan).replace("Monthly Fee", "MonthlyFee")
    report = checked(contract.replace("history.csv", name))
    assert report.problems == []
    assert report.tables[0].used == 400
    assert report.tables[0].files[0].written == shown


def test_a_wrong_encoding_is_said_with_its_line(tmp_path: Path) -> None:
    """What was given isn't replaced by a guess."""
    lines = as_csv(made_rows()).splitlines(keepends=True)
    lines[7] = lines[7].replace("A", "Ä")
    (tmp_path / "history.csv").write_bytes("".join(lines).encode("latin-1"))
    table = Table(path=("history.csv",), format=Format(encoding="utf-8"))
    with pytest.raises(CorruptFileError, match="line 8 is not utf-8"):
        read_table(table, Places(tmp_path, tmp_path), _folder(tmp_path))


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / uuid.uuid4().hex
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"a,b\n", "it has a header and no rows"),
        (b"a,b,a\n1,2,3\n", "more than one column 'a'"),
        (b"a,,c\n1,2,3\n", r"column 2 of its header has no name\. Name it, or export without it"),
        (b",a,b\n0,1,2\n", r"column 1 of its header has no name.* pandas: index=False"),
        (b"Of March;;;\n\na;b;c;d\n1;2;3;4\n", "3 of 4 cells .* Delete what stands above"),
        (b"Of March\n\na;b;c;d\n1;2;3;4\n", "its first line has one cell. Delete what stands"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"PAR1rest", "a Parquet file; name it .parquet"),
        (b"\x1f\x8brest", "a gzip file; name it .csv.gz"),
        (b"a\0b\n", "NUL characters"),
    ],
)
def test_what_is_no_table_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    """One line that says what it is instead."""
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(CorruptFileError, match=said):
        read_table(Table(path=("history.csv",)), Places(tmp_path, tmp_path), _folder(tmp_path))


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (lambda t: "sep=;\n" + t.replace(",", ";"), "utf-8"),
        (lambda t: "sep=|\r\n" + t.replace(",", "|"), "utf-16"),
        (lambda t: t.replace("\n", ",\n"), "utf-8"),
        (lambda t: t.replace("\n", ", ,,\n"), "utf-8-sig"),
    ],
)
def test_what_spreadsheets_add_is_passed_over(
    content: Callable[[str], str], encoding: str, checked: Checked, tmp_path: Path
) -> None:
    """A first line that says the delimiter, and delimiters behind the last column."""
    (tmp_path / "history.csv").write_bytes(content(as_csv(made_rows())).encode(encoding))
    report = checked()
    assert (report.rows, report.problems, report.tables[0].unmentioned) == (400, [], ())


def test_a_cell_without_a_column_s_name_is_refused(checked: Checked, tmp_path: Path) -> None:
    """Nobody knows what it says; the file of refused rows has it."""
    lines = as_csv(made_rows()).replace("\n", ",\n").splitlines(keepends=True)
    lines[7] = lines[7].replace(",\n", ",moved\n")
    (tmp_path / "history.csv").write_text("".join(lines))
    table = checked().tables[0]
    [kind] = table.refusals
    assert (kind.problem, kind.rows) == ("has a cell in a column without a name", 1)
    assert table.refused_file is not None
    assert table.refused_file.read_text().splitlines()[1].endswith(lines[7].strip())


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8"])
def test_a_byte_order_mark_is_none_of_the_first_name(
    encoding: str, checked: Checked, tmp_path: Path
) -> None:
    """Also where the contract says that the file is UTF-8."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows()), "utf-8-sig")
    report = checked(
        CONTRACT.replace("history.csv", f"history.csv, format: {{encoding: {encoding}}}")
    )
    assert report.problems == []


def test_a_quote_that_is_never_closed_costs_one_line(checked: Checked, tmp_path: Path) -> None:
    """Not the rest of the file, which a reader would take for one long cell."""
    lines = as_csv(made_rows(_LONGEST * 4)).splitlines(keepends=True)
    for at in (5, 6, 250, len(lines) - 1):
        lines[at] = lines[at].replace(",", ',"', 1)
    (tmp_path / "history.csv").write_text("".join(lines))
    report = checked()
    assert report.refused == 4
    [kind] = report.tables[0].refusals
    assert [place for place, _ in kind.examples] == [
        "history.csv:5",
        "history.csv:6",
        "history.csv:250",
    ]


def test_a_cell_of_several_lines_is_one_cell(checked: Checked, tmp_path: Path) -> None:
    """A comment of a call centre has line ends and doubled quotes."""
    rows = made_rows()
    for row in rows:
        row["Comment"] = 'said "no",\nthen hung up'
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked().problems == []


def test_parquet_a_folder_and_a_glob_are_the_same_table(checked: Checked, tmp_path: Path) -> None:
    """Typed columns, with numbers as floats where some are missing."""
    rows = made_rows()
    typed = pd.DataFrame(rows).astype({"Months": int, "Monthly Fee": float})
    typed["Calls"] = pd.to_numeric(typed["Calls"])
    typed["Paperless"] = typed["Paperless"] == "yes"
    folder = tmp_path / "export"
    folder.mkdir()
    typed[:150].to_parquet(folder / "1.parquet")
    typed[150:300].to_parquet(folder / "2.parquet")
    (folder / "3.csv").write_text(as_csv(rows[300:]))
    (folder / "notes.md").write_text("not a table")
    for path in ("export", "export/[1-3].*"):
        report = checked(CONTRACT.replace("history.csv", f"'{path}'"))
        assert report.problems == []
        assert [file.rows for file in report.tables[0].files] == [150, 150, 100]
        assert report.tables[0].used == 400


BEGAN = "2024-02-29T08:15:00"
SINCE = CONTRACT.replace("{months: Months}", "{since: Since}")


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.date32(), pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("ns")),
        *(pa.timestamp("us", "UTC"), pa.timestamp("ns", "America/New_York")),
    ],
)
def test_a_typed_time_is_a_date(kind: pa.DataType, checked: Checked, tmp_path: Path) -> None:
    """With a zone and parts of a microsecond, as warehouses export it."""
    table = pa.Table.from_pylist(made_rows())
    nanoseconds = pa.scalar(pd.Timestamp(BEGAN).value + 123_456_789, pa.timestamp("ns", "UTC"))
    times = pa.array([nanoseconds] * len(table)).cast(kind, safe=False)
    pq.write_table(table.append_column("Since", times), tmp_path / "history.parquet")
    assert checked(SINCE.replace("history.csv", "history.parquet")).problems == []


@pytest.mark.parametrize(
    "after", ["", ".5", "Z", ".123456789Z", " UTC", "+00", "+0200", "-05:00", ".25 UTC"]
)
def test_a_written_time_is_a_date(after: str, checked: Checked, tmp_path: Path) -> None:
    """The standards' T and Z, and how databases write them; `inspect` sees a date as well."""
    began = [BEGAN, BEGAN.replace("T", " ")]
    rows = [row | {"Since": f"{began[i % 2]}{after}"} for i, row in enumerate(made_rows())]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked(SINCE).problems == []
    for number, row in enumerate(rows):
        row["Since"] = row["Since"].replace("02-29", f"02-{10 + number % 9}")
    (tmp_path / "history.csv").write_text(as_csv(rows))
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    [since] = [column for column in found.columns if column.name == "Since"]
    assert since.guess == "date"


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """Half of one export and half of the next is a table that never was."""
    file = tmp_path / "history.csv"
    file.write_text(as_csv(made_rows(50_000)))

    def another_writer(step: int, total: int, **_: float) -> None:
        with file.open("a") as out:
            out.write("more\n")

    table = Table(path=("history.csv",))
    with pytest.raises(CorruptFileError, match="it changed while it was read"):
        read_table(table, Places(tmp_path, tmp_path), _folder(tmp_path), another_writer)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("nowhere.csv", DataError, "no such file, folder or glob"),
        ("customers.yaml", DataError, "the name has to end in .csv"),
        ("empty", DataError, "the folder has no .csv"),
        ("mixed", DataError, r"has b.jsonl as well, .* as mixed/\*.csv"),
        ("deep", DataError, r"has 2025/ as well, which isn't read with it"),
        ("https://example.com/a.csv", DataError, "only gs:// is read"),
        ("mirror:a/b.csv", SourceUnavailableError, "no mirror folder is set"),
        ("public:titanic", DataError, "known sources are ibm_telco"),
        (["history.csv", "./history.csv"], DataError, "is named twice"),
    ],
)
def test_a_path_that_leads_nowhere(
    path: str | list[str], error: type[Exception], said: str, checked: Checked, tmp_path: Path
) -> None:
    """It says which, and what would be right."""
    for folder in ("empty", "mixed", "deep/2025"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("mixed/a.csv", "mixed/b.jsonl", "mixed/_SUCCESS", "deep/a.csv", "deep/2025/b.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    with pytest.raises(error, match=said):
        checked(CONTRACT.replace("path: history.csv", f"path: {path}"))


def test_a_bucket(checked: Checked, emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object, a folder of several, and a glob, through the client of the artifact store."""
    monkeypatch.setattr("churn_assets.storage.gcs.storage_client", strict_client)
    rows = made_rows()
    bucket = strict_client().bucket("churn-artifacts")
    place = uuid.uuid4().hex
    bucket.blob(f"{place}/a/1.csv").upload_from_string(as_csv(rows[:200]))
    packed = gzip.compress(european(as_csv(rows[200:])).encode())
    bucket.blob(f"{place}/a/2.csv.gz").upload_from_string(packed)
    bucket.blob(f"{place}/a/readme.md").upload_from_string("no table")
    url = f"gs://churn-artifacts/{place}"
    for path, used in ((f"{url}/a", 400), (f"{url}/a/*.gz", 200), (f"{url}/a/1.csv", 200)):
        report = checked(CONTRACT.replace("history.csv", path))
        assert (report.problems, report.tables[0].used) == ([], used)
    for folder in ("2024", "2025"):
        bucket.blob(f"{place}/{folder}/part.csv").upload_from_string(as_csv(rows[200:]))
    several = f"['{url}/*/part.csv', '{url}/a/1.csv']"
    [table] = checked(CONTRACT.replace("history.csv", several)).tables
    assert [file.name for file in table.files] == ["2024/part.csv", "2025/part.csv", "1.csv"]
    with pytest.raises(DataError, match="the bucket has no such"):
        checked(CONTRACT.replace("history.csv", f"{url}/b"))


def test_a_bucket_with_other_rows(
    checked: Checked, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by name, as in a folder here, and what is said to be right instead is."""
    monkeypatch.setattr("churn_assets.storage.gcs.storage_client", strict_client)
    rows = made_rows()
    bucket = strict_client().bucket("churn-artifacts")
    place = uuid.uuid4().hex
    bucket.blob(f"{place}/1.csv").upload_from_string(as_csv(rows))
    for name in ("deep/2.JSONL", "deep/.3.jsonl", "4.zip/", "_SUCCESS", ".tmp/5.csv"):
        bucket.blob(f"{place}/{name}").upload_from_string("{}")
    url = f"gs://churn-artifacts/{place}"
    said = f"{url}[/*]*: the folder has {place}/deep/2.JSONL as well, .* as {url}/\\*.csv$"
    for path in (url, f"{url}/", f"{url}/*"):
        with pytest.raises(DataError, match=said):
            checked(CONTRACT.replace("history.csv", path))
    for path in (f"{url}/*.csv", f"{url}/1.csv"):
        report = checked(CONTRACT.replace("history.csv", path))
        assert (report.problems, report.tables[0].used) == ([], len(rows))
    bucket.blob(f"{place}/deep/2.JSONL").delete()
    assert checked(CONTRACT.replace("history.csv", url)).tables[0].used == len(rows)


def test_a_bucket_s_folder_that_is_being_written(
    checked: Checked, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts under way were read as rows, below a folder and through a star, which stops at folders
    as it does in a shell."""
    monkeypatch.setattr("churn_assets.storage.gcs.storage_client", strict_client)
    rows = made_rows()
    bucket = strict_client().bucket("churn-artifacts")
    place = uuid.uuid4().hex
    for name in ("_day/part-0.csv", "_day/_temporary/0/part-1.csv"):
        bucket.blob(f"{place}/{name}").upload_from_string(as_csv(rows))
    url = f"gs://churn-artifacts/{place}/_day"
    for path in (url, f"{url}/*", f"{url}/**"):
        with pytest.raises(
            DataError, match=r"the folder has .*/_temporary/0/part-1\.csv as well, which its"
        ):
            checked(CONTRACT.replace("history.csv", path))
    for path in (f"{url}/*.csv", f"{url}/part-0.csv"):
        assert checked(CONTRACT.replace("history.csv", path)).tables[0].used == len(rows)
    bucket.blob(f"{place}/_day/_temporary/0/part-1.csv").delete()
    assert checked(CONTRACT.replace("history.csv", url)).tables[0].used == len(rows)


def test_files_of_a_table_may_lack_columns_of_others(checked: Checked, tmp_path: Path) -> None:
    """Last year's export has no column for what was introduced since: said for that file."""
    rows = made_rows()
    (tmp_path / "1.csv").write_text(
        as_csv([{k: r[k] for k in r if k != "Calls"} for r in rows[:9]])
    )
    (tmp_path / "2.csv").write_text(as_csv(rows[9:]))
    said = CONTRACT.replace("path: history.csv", "path: [1.csv, 2.csv]")
    report = checked(said)
    assert report.problems == []  # its cells may be missing
    assert report.tables[0].used == 400
    required = checked(said.replace("required: false", "required: true")).problems
    assert "history: 1.csv has no column 'Calls'" in required


def test_reading_leaves_nothing_behind(
    checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of customers' data in a temporary folder would outlive its deletion elsewhere."""
    scratch = tmp_path / "scratch"  # of its own: other tests read customers at the same time
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    checked()
    (tmp_path / "history.csv").write_text("Account\n")
    with pytest.raises(CorruptFileError):
        checked()
    assert list(scratch.iterdir()) == []
