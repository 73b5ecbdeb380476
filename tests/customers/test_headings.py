"""What `inspect` makes of tables whose columns and cells are in German, French or Spanish."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from churn_assets.customers.headings import Meaning, says
from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.quality.leakage import comes_afterwards
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import Checked, Rows, as_csv, made_rows
from tests.customers.test_guesses import decided
from tests.customers.test_inspect import inspected

GERMAN = {
    "Account": "Kundennummer", "Monthly Fee": "Monatspreis €", "Months": "Monate",
    "Cancelled": "gekündigt", "Paperless": "Papierlos", "Calls": "Reklamationen",
}  # fmt: skip
FRENCH = {
    "Account": "N° client / identifiant", "Monthly Fee": "Prix mensuel",
    "Months": "Ancienneté en mois", "Cancelled": "Résilié",
    "Paperless": "Sans papier", "Calls": "Appels",
}  # fmt: skip
SPANISH = {
    "Account": "Código", "Monthly Fee": "Cuota mensual", "Months": "Antigüedad (meses)",
    "Cancelled": "Baja", "Paperless": "Sin papel", "Calls": "Quejas",
}  # fmt: skip
NAMES = [
    f"{first}{last}" for first in ("An", "Be", "Chri", "Da") for last in ("na", "a", "ni", "el")
]


def translated(names: dict[str, str], yes: str, no: str) -> Rows:
    """The small company's rows, as a company of another country has them."""
    words = {"yes": yes, "no": no}
    return [
        {names.get(k, k): words.get(cell, cell).replace(".", ",") for k, cell in row.items()}
        for row in made_rows()
    ]


@pytest.mark.parametrize(("yes", "no"), [("O", "N"), ("J", "N")])
def test_one_letter_words_of_who_may_be_contacted(yes: str, no: str, tmp_path: Path) -> None:
    """ "Accepte les SMS" with O and N became a feature; each consent is of its own channel."""
    rows = [
        row
        | {
            "Accepte les SMS": (yes, no)[i % 3 > 0],
            "Souhaite recevoir les e-mails": (yes, no)[i % 2],
        }
        for i, row in enumerate(translated(FRENCH, "oui", "non"))
    ]
    found = inspected(tmp_path, rows)
    assert found.guesses["Accepte les SMS"] == "consent (sms)"
    assert found.guesses["Souhaite recevoir les e-mails"] == "consent (email)"
    assert f"consent: {{column: Accepte les SMS, yes: {yes}, no: N}}" in found.contract.replace(
        "'", ""
    )


def test_consents_of_a_shop_s_export(tmp_path: Path) -> None:
    """Who accepts marketing was learnt from, and asked by no plan; so it was of German exports."""
    kinds = {"Accepts Email Marketing": "email", "Accepts SMS Marketing": "sms",
             "Telefon erlaubt": "call", "Post OK": "letter"}  # fmt: skip
    names = (*kinds, "Accepts cards", "Email bounced")
    rows = [
        row | {name: ("yes", "no")[(i >> k) % 2] for k, name in enumerate(names)}
        for i, row in enumerate(made_rows())
    ]
    found = inspected(tmp_path, rows)
    assert {name: found.guesses[name] for name in names} == {
        name: f"consent ({kinds[name]})" if name in kinds else "flag" for name in names
    }
    for name in ("accepts_marketing", "May contact", "Werbung gewünscht", "Contact allowed"):
        assert says(name, "consent")
    for name in ("Contact", "Marketing", "Post code", "Calls", "Email", "Telefon privat"):
        assert not says(name, "consent")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        *((name, "consent") for name in ("Accepte les SMS", "Souhaite être appelé")),
        *((name, "value") for name in ("Prélèvement mensuel", "Montant mensuel", "Mensualité",
          "Cotisation", "Abonnement mensuel")),
    ],
)  # fmt: skip
def test_french_words_of_a_fitness_chain(name: str, meaning: Meaning) -> None:
    """As its tables have them; an offer that was accepted is no consent."""
    assert says(name, meaning)
    assert not says("Offre acceptée", "consent")


def test_a_german_table(checked: Checked, tmp_path: Path) -> None:
    """Semicolons, decimal commas, Windows' letters, ja and nein, blanks for no, "k.A." for a number
    that nobody knows: the first contract holds, and learns from nothing that it must not."""
    draw, rows = random.Random(3), translated(GERMAN, "ja", "nein")
    for row in rows:
        row["Reklamationen"] = "k.A." if draw.random() < 0.05 else row["Reklamationen"]
        row["Vorname"], row["Geschlecht"] = draw.choice(NAMES), draw.choice("mw")
        row["Werbestopp"] = "X" if draw.random() < 0.1 else ""
        row["Einwilligung E-Mail"] = draw.choice(["ja", "nein"])
        row["Einwilligung SMS"] = draw.choice(["ja", "nein"])
        row["Kündigungsgrund"] = "Umzug" if row["gekündigt"] == "ja" else ""
    (tmp_path / "kunden.csv").write_bytes(as_csv(rows, ";").encode("cp1252"))
    found = inspect_tables(["kunden.csv"], Places(tmp_path, tmp_path))
    assert {column: found.guesses[column] for column in rows[0] if column != "Plan"} == {
        "Kundennummer": "id",
        "Monate": "tenure",
        "Monatspreis €": "monthly value",
        "Reklamationen": "number",
        "Papierlos": "flag",
        "gekündigt": "label",
        "Vorname": "first name",
        "Geschlecht": "left out",
        "Werbestopp": "opt-out",
        "Einwilligung E-Mail": "consent (email)",
        "Einwilligung SMS": "consent (sms)",
        "Kündigungsgrund": "left out",
    }
    asked = decided(found)
    assert asked["tables.history.missing"] == (
        "do these words mean that nobody knows? k.A. in Reklamationen (they are then missing in "
        "every column, and no permission where a consent has them)"
    )
    assert "    missing: [k.A.]   # DECIDE: " in found.contract
    assert "  churned: {column: gekündigt, yes: ja, no: nein}\n" in found.contract
    assert "  opt_out: {column: Werbestopp, yes: X, no: ''}   # DECIDE: " in found.contract
    assert "  Papierlos: {kind: flag, label: papierlos, yes: ja, no: nein}\n" in found.contract
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].used == len(rows)
    missing = {column.column: column.missing for column in report.tables[0].columns}
    unknown = sum(row["Reklamationen"] in ("k.A.", "") for row in rows)
    assert missing["Reklamationen"] == unknown / len(rows)


@pytest.mark.parametrize(("names", "yes", "no"), [(FRENCH, "Oui", "Non"), (SPANISH, "Sí", "No")])
def test_a_french_and_a_spanish_table(
    names: dict[str, str], yes: str, no: str, checked: Checked, tmp_path: Path
) -> None:
    rows = translated(names, yes, no)
    (tmp_path / "clients.csv").write_text(as_csv(rows, ";"), encoding="utf-8")
    found = inspect_tables(["clients.csv"], Places(tmp_path, tmp_path))
    assert {english: found.guesses[word] for english, word in names.items()} == {
        "Account": "id",
        "Monthly Fee": "monthly value",
        "Months": "tenure",
        "Cancelled": "label",
        "Paperless": "flag",
        "Calls": "number",
    }
    assert list(decided(found)) == ["identity.horizon_months", f"features.{names['Calls']}"]
    assert checked(found.contract).problems == []


@pytest.mark.parametrize("words", [("aktiv", "gekündigt"), ("active", "cancelled")])
def test_a_status_of_two_words_is_a_label(words: tuple[str, str], tmp_path: Path) -> None:
    rows = [
        {("Status" if k == "Cancelled" else k): v for k, v in row.items()} for row in made_rows()
    ]
    for row in rows:
        row["Status"] = words[row["Status"] == "yes"]
    found = inspected(tmp_path, rows)
    assert found.guesses["Status"] == "label"
    assert f"yes: {words[1]}, no: {words[0]}" in found.contract
    assert "identity.churned" not in decided(found)


def test_numbers_among_words_stay_words(tmp_path: Path) -> None:
    """Four words among numbers are no signs for "unknown", nor is a word with a number in it."""
    rows = made_rows()
    for number, row in enumerate(rows):
        row["Size"] = ["small", "large", "medium", "none left"][number % 4] if number % 9 else "7"
        row["Line"] = str(number % 30) if number % 9 else f"{number % 30}b"
    found = inspected(tmp_path, rows)
    assert (found.guesses["Size"], found.guesses["Line"]) == ("category", "category")
    assert "tables.history.missing" not in decided(found)


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [
        ("Vertragsbeginn", "since"), ("Kunde seit", "since"), ("fecha de alta", "since"),
        ("date d'inscription", "since"), ("Vertragsende", "end"), ("Date de résiliation", "end"),
        ("Fecha de baja", "end"), ("KündigungsDatum", "end"), ("Kuendigungsdatum", "end"),
        ("Stichtag", "snapshot"), ("Geburtsdatum", "unfair"), ("Civilité", "unfair"),
        ("Fecha de nacimiento", "unfair"), ("Nachname", "family_name"), ("Prénom", "first_name"),
        ("Jahresgebühr", "money"), ("jährlich", "year"), ("Vierteljährlich", "quarter"),
        ("Werbewiderspruch", "opt_out"), ("Keine Anrufe", "opt_out"), ("Ne pas appeler", "opt_out"),
        ("No llamar", "opt_out"), ("Consentement RGPD", "consent"), ("PLZ", "code"),
    ],
)  # fmt: skip
def test_headings_say(heading: str, meaning: Meaning) -> None:
    assert says(heading, meaning)


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [
        ("Kündigungsgrund", "end"), ("Kündigungsfrist", "end"), ("Vertragslaufzeit", "tenure"),
        ("Plan name", "family_name"), ("Wochentag", "snapshot"), ("Standort", "snapshot"),
        ("Ankunft", "since"), ("Finanzierung", "end"), ("Idiom", "id"), ("Bajada", "end"),
    ],
)  # fmt: skip
def test_parts_of_words_say_nothing(heading: str, meaning: Meaning) -> None:
    assert not says(heading, meaning)


@pytest.mark.parametrize(
    "name", ["Kündigungsgrund", "Motif de départ", "Motivo de baja", "Storno am"]
)
def test_what_comes_afterwards_in_other_languages(name: str) -> None:
    assert comes_afterwards(name)


def test_a_term_of_notice_is_known_before() -> None:
    assert not comes_afterwards("Kündigungsfrist")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("Número de cliente", "id"), ("Kündigung", "end"), ("gekündigt", "left"), ("Référence", "id")],
)
def test_accents_apart_from_their_letters_are_read_alike(name: str, meaning: Meaning) -> None:
    """As a file's header has them that was written on a Mac: they ended the word."""
    apart = unicodedata.normalize("NFD", name)
    assert apart != name
    assert says(apart, meaning) == says(name, meaning) is True
