"""`churn customers inspect` shows no cell about one person, whatever its column is called."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.customers.contract.model import load_contract
from tests.customers.conftest import Rows, as_csv, made_rows

PARTS = ("Ber", "Hof", "Lin", "Mar", "Stein", "Wald", "Kra", "Zim", "Fal", "Ros", "Tau", "Win")
ENDS = ("mann", "er", "ke", "sen", "lich", "berg", "ow", "ski", "hard", "ing")
SURNAMES = tuple(f"{part}{end}" for part in PARTS for end in ENDS)
PERSONAL = {
    "Erreichbar": ("mail", "e-mail addresses"),
    "Zuständig": ("colleague", "e-mail addresses"),
    "Rückruf": ("phone", "phone numbers"),
    "Zweite": ("long", "phone numbers"),
    "Wohnhaft": ("street", "postal addresses"),
    "Rue": ("rue", "postal addresses"),
    "Box": ("box", "postal addresses"),
}
SURNAME = "Empfohlen von"
NAMES = ("words that nearly all differ, as names do", "many different words")
SHOWN = {
    "Tarif": ("Plan 5", "Plan 10", "Spring 2024"),
    "Gebiet": ("Nord", "Süd", "Ost", "West"),
    "Band": ("100-200", "200-400", "0-100"),
    "Minuten": ("10000 Minuten", "500 Minuten"),
    "Gerät": ("0012345", "0012346"),
}


def cells(draw: random.Random, number: int) -> dict[str, str]:
    """What one customer has of each kind of personal data."""
    name = SURNAMES[number % len(SURNAMES)]
    street = draw.choice(("Kastanienallee", "Lange Straße", "Ahornstr.", "Kerkstraat"))
    return {
        "mail": f"{name.lower()}.{number}@post.example",
        "colleague": draw.choice(("anna.behr@firma.example", "o.kurz@firma.example")),
        "phone": f"0151 / {draw.randrange(10**6, 10**7)}",
        "long": f"49{draw.randrange(10**9, 10**10)}",
        "street": f"{street} {draw.randrange(1, 90)}, 10115 Berlin",
        "rue": f"{draw.randrange(1, 90)} rue de {name}",
        "box": f"Postfach {draw.randrange(1, 20)}",
        "surname": SURNAMES[number % 75],
    }


def table(count: int) -> Rows:
    draw, rows = random.Random(3), []
    for number, row in enumerate(made_rows(count)):
        told = cells(draw, number)
        about = {heading: told[kind] for heading, (kind, _) in PERSONAL.items()}
        about[SURNAME] = told["surname"]
        usual = {heading: draw.choice(known) for heading, known in SHOWN.items()}
        rows.append({k.replace("Cancelled", "Churn"): v for k, v in (row | about | usual).items()})
    return rows


@pytest.mark.parametrize("count", [40, 90])
def test_cells_about_people_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Why: e-mail addresses, phone numbers and surnames under headings that nobody knows stood on
    the screen, and those of a few colleagues in the contract."""
    rows = table(count)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    screen = CliRunner().invoke(app, ["customers", "inspect", "history.csv"])
    told = CliRunner().invoke(app, ["customers", "inspect", "history.csv", "--json", "--force"])
    assert screen.exit_code == told.exit_code == 0
    written = (tmp_path / "customers.yaml").read_text(encoding="utf-8")
    profiles = {column["name"]: column for column in json.loads(told.stdout)["columns"]}
    whys = {heading: why for heading, (_, why) in PERSONAL.items()} | {SURNAME: NAMES[count > 50]}
    for heading, why in whys.items():
        [line] = [each for each in screen.output.splitlines() if f" {heading} " in each][:1]
        assert f"not shown: {why}" in line
        assert profiles[heading]["hidden"] == why
        for said in (screen.output, told.output, written):
            assert not [row[heading] for row in rows if row[heading] in said]
    for heading, known in SHOWN.items():
        assert {cell for cell, _ in profiles[heading]["top"]} == {*known}
        assert all(cell in written for cell in known)
    left_out = load_contract(tmp_path / "customers.yaml").left_out
    assert left_out["Erreichbar"] in ("an identifier", "personal: e-mail addresses")
    assert left_out["Zuständig"] == "personal: e-mail addresses"
    assert whys.keys() <= left_out.keys()


def test_a_few_addresses_among_words_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of "Source" with one address in it, which may be learnt from all the same."""
    rows = [row | {"Source": ("web", "shop", "web")[i % 3]} for i, row in enumerate(made_rows(60))]
    rows[7]["Source"] = "eva.klein@post.example"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "history.csv").write_text(as_csv(rows))
    screen = CliRunner().invoke(app, ["customers", "inspect", "history.csv"])
    written = (tmp_path / "customers.yaml").read_text()
    assert "eva.klein" not in screen.output + written
    assert "  Source: {kind: category, label: source}" in written


def first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Rows) -> str:
    """All that the command prints and writes of a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    said = ""
    for options in ([], ["--json", "--force"]):
        done = CliRunner().invoke(app, ["customers", "inspect", "history.csv", *options])
        assert done.exit_code == 0
        said += done.output
    return said + (tmp_path / "customers.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("mails", "remarks", "told"), [(7, 7, "14 cells of Rabatt are no numbers"), (0, 2, "")]
)
def test_a_remark_among_numbers_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mails: int, remarks: int, told: str
) -> None:
    """They were proposed as words for "unknown", and written into the contract; of a column with
    fewer of them --json had them as its most frequent cells."""
    rows = [row | {"Rabatt": f"{n / 10 + 1:.1f}"} for n, row in enumerate(made_rows(260))]
    for row in rows[:mails]:
        row["Rabatt"] = "eva.klein@post.example"
    for row in rows[20 : 20 + remarks]:
        row["Rabatt"] = "Anna Behr fragen"
    said = first_look(tmp_path, monkeypatch, rows)
    assert told in said
    assert "eva.klein" not in said
    assert "Anna Behr" not in said


def test_a_sign_for_unknown_is_proposed_without_the_remarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row | {"Rabatt": f"{n % 50}"} for n, row in enumerate(made_rows(260))]
    for row in rows[:9]:
        row["Rabatt"] = "k.A."
    for row, remark in zip(rows[30:], ("Anna Behr", "eva@post.example"), strict=False):
        row["Rabatt"] = remark
    said = first_look(tmp_path, monkeypatch, rows)
    assert "    missing: [k.A.]   # DECIDE: " in said
    assert "; 2 cells of Rabatt are no numbers\n" in said
    assert "Anna Behr" not in said
    assert "eva@post" not in said


BORN = ("DOB", "Geboren", "Geboren am", "Nato il", "GebDat", "Geb.-Dat.", "Né le", "Data Nasc.",
        "Fecha Nac")  # fmt: skip


def test_days_of_birth_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are called: no date is shown but those that the contract takes."""
    rows = [
        row | dict.fromkeys((*BORN, "Jubiläum"), f"19{50 + n % 50}-03-{1 + n % 28:02d}")
        | {"Customer since": f"20{10 + n % 10}-05-01"}
        for n, row in enumerate(made_rows(60))
    ]  # fmt: skip
    for row in rows:
        del row["Months"]
    said = first_look(tmp_path, monkeypatch, rows)
    assert not [row["DOB"] for row in rows if row["DOB"] in said]
    assert "2010-05-01" in said
    for name in BORN:
        assert f"  {name}: 'not to be used, for fairness'" in said


def test_products_that_read_like_addresses_are_categories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were left out as postal addresses, unasked: those are of many kinds, few rows each."""
    products = {
        "Platz": ("Arbeitsplatz 1", "Stellplatz 1", "Stellplatz 2"),
        "Storage": ("100 GB Drive", "5 TB Drive"),
        "Tariffa": ("Via Plus 2", "Via Basic 1", "Via Max 3"),
        "Tier": ("1 Gold St", "2 Gold St"),
    }
    rows = [
        row | {name: cells[n % len(cells)] for name, cells in products.items()}
        for n, row in enumerate(made_rows(60))
    ]
    said = first_look(tmp_path, monkeypatch, rows)
    for name, cells in products.items():
        levels = ", ".join(sorted(cells))
        assert f"{{kind: category, label: {name.lower()}, levels: [{levels}]}}" in said


def test_short_phone_numbers_are_known_by_their_heading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight digits they were a number to learn from, with its least and most on the screen; an
    amount of so many digits still is one."""
    rows = [
        row
        | {"Tel": f"{61_000_000 + 7_919 * (n // 2)}", "Telefoon": f"{20_000_001 + 7_919 * n}"}
        | {"Phone seconds": f"{(n // 2) ** 2 * 31}", "Bytes": f"{10_000_000 + 6_007 * (n // 2)}"}
        for n, row in enumerate(made_rows(220))
    ]
    said = first_look(tmp_path, monkeypatch, rows)
    for name in ("Tel", "Telefoon"):
        assert not [row[name] for row in rows if row[name] in said]
        [line] = [each for each in said.splitlines() if f"│ {name} " in each]
        assert "not shown: phone numbers" in line
        assert f"  {name}: {{kind" not in said
    assert "  Phone seconds: {kind: number, " in said
    assert "  Bytes: {kind: number, " in said


def test_days_written_as_whole_numbers_are_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were numbers to learn from, the oldest customer's birthday on the screen as the least of
    them; and they were where systems write 00000000 or 99991231 for none. An amount of so many
    digits still is one."""
    rows = [
        row
        | {"Geb": f"19{40 + n % 50}{1 + n % 12:02d}{1 + n % 28:02d}"}
        | {"Anruf": f"202503{1 + n % 28:02d}", "Jubiläum": f"2024{1 + n % 12:02d}15.0"}
        | {"GBDAT": f"19{40 + n % 50}{1 + n % 12:02d}{1 + n % 28:02d}" if n % 9 else "00000000"}
        | {"BISDAT": f"202603{1 + n % 28:02d}" if n % 2 else "99991231", "LOEDAT": "0"}
        | ({"LOEDAT": f"202411{1 + n % 28:02d}.0"} if n % 9 == 0 else {})
        | {"Bytes": f"{19_000_101 + 7_919 * (n // 2)}"}
        | {"Some bytes": f"{19_000_101 + 7_919 * n}" if n % 2 else "0"}
        for n, row in enumerate(made_rows(120))
    ]
    said = first_look(tmp_path, monkeypatch, rows)
    for name in ("Geb", "Anruf", "Jubiläum", "GBDAT", "BISDAT", "LOEDAT"):
        [line] = [each for each in said.splitlines() if f"│ {name} " in each]
        assert "not shown: days written as whole numbers" in line
        assert f"  {name}: {{kind" not in said
        days = {row[name] for row in rows} - {"0", "00000000", "99991231"}
        assert not [day for day in days if day in said]
    assert "  Bytes: {kind: number, " in said
    assert "  Some bytes: {kind: number, " in said


SURNAME_HEADINGS = ("Surname", "Customer last name", "Family name", "Customer's family name",
                    "Policyholder family name", "Insured family name", "Spouse family name",
                    "Primary User family name", "Family name (customer)", "Family name 2",
                    "Nachname", "Nom", "Nom de famille", "Apellidos", "Achternaam", "Cognome",
                    "Sobrenome")  # fmt: skip
FAMILIES_OF_PRODUCTS = ("Product family name", "Device's family name", "Tariff family name")


@pytest.mark.parametrize("families", [1, 4, 20])
def test_a_column_called_surname_holds_names_of_however_many(
    families: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four families of a small table were a category, with their names as its levels. A product's
    name, or its family's, and whether a surname is known are none."""
    rows = [
        row | dict.fromkeys(SURNAME_HEADINGS, SURNAMES[n % families])
        | {"Nom du produit": ("Forfait A", "Forfait B", "Forfait C")[n % 3]}
        | dict.fromkeys(FAMILIES_OF_PRODUCTS, ("Fibre", "Mobile", "TV")[n % 3])
        | {"Nachname bekannt": ("ja", "nein")[n % 2]}
        for n, row in enumerate(made_rows(160))
    ]  # fmt: skip
    said = first_look(tmp_path, monkeypatch, rows)
    assert not [name for name in SURNAMES[:families] if name in said]
    lines = {line.split("│")[1].strip(): line for line in said.splitlines() if "│" in line}
    for name in SURNAME_HEADINGS:
        assert "not shown: names" in lines[name]
        assert f"  {name}: {{kind" not in said
    assert "levels: [Forfait A, Forfait B, Forfait C]" in said
    for name in FAMILIES_OF_PRODUCTS:
        [line] = [each for each in said.splitlines() if each.startswith(f"  {name}: ")]
        assert "levels: [Fibre, Mobile, TV]" in line
    assert "  Nachname bekannt: {kind: flag" in said
