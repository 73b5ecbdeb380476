"""Tables in Dutch, Italian and Portuguese, from `churn customers inspect` to a check that holds."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.customers.headings import Meaning, says
from churn_assets.customers.quality.leakage import comes_afterwards
from tests.customers.conftest import Rows, as_csv, made_rows


class Words(NamedTuple):
    """A company's words in its own language, heading by heading."""

    account: str
    fee: str
    months: str
    left: str
    flag: str
    complaints: str
    first_name: str
    family_name: str
    sex: str
    opt_out: str
    by_mail: str
    by_phone: str
    reason: str
    yes: str
    no: str
    unknown: str


TABLES = {
    "dutch": Words(
        "Klantnummer", "Maandbedrag", "Klantduur (maanden)", "Opgezegd", "Papierloos", "Klachten",
        "Voornaam", "Achternaam", "Geslacht", "Geen reclame", "Toestemming e-mail",
        "Toestemming telefoon", "Opzegreden", "ja", "nee", "onb.",
    ),
    "italian": Words(
        "Codice cliente", "Canone mensile", "Anzianità in mesi", "Disdetta", "Bolletta digitale",
        "Reclami", "Nome", "Cognome", "Sesso", "Non contattare", "Consenso posta elettronica",
        "Consenso chiamate", "Motivo della disdetta", "Sì", "No", "n.d.",
    ),
    "portuguese": Words(
        "Código do cliente", "Mensalidade", "Antiguidade em meses", "Cancelado", "Fatura digital",
        "Reclamações", "Nome", "Apelido", "Sexo", "Não contactar", "Consentimento e-mail",
        "Consentimento telefone", "Motivo do cancelamento", "Sim", "Não", "s/d",
    ),
}  # fmt: skip
SEEMS: dict[str, str] = {
    "account": "id", "fee": "monthly value", "months": "tenure", "left": "label", "flag": "flag",
    "complaints": "number", "first_name": "first name", "family_name": "left out",
    "opt_out": "opt-out", "by_mail": "consent (email)", "by_phone": "consent (call)",
    "reason": "left out", "sex": "left out",
}  # fmt: skip
FIRST = [f"{a}{b}" for a in ("An", "Be", "Chri", "Da", "El") for b in ("na", "a", "ni", "el", "o")]
LAST = [f"{a}{b}" for a in ("Ro", "Vi", "Ma", "Le", "Sa", "Pe") for b in ("bos", "tti", "res")]


def table(words: Words) -> Rows:
    draw, rows = random.Random(3), []
    for row in made_rows():
        left = row["Cancelled"] == "yes"
        said = {"yes": words.yes, "no": words.no}
        rows.append(
            {
                words.account: row["Account"],
                words.fee: row["Monthly Fee"].replace(".", ","),
                words.months: row["Months"],
                words.left: said[row["Cancelled"]],
                "Plan": row["Plan"],
                words.flag: said[row["Paperless"]],
                words.complaints: words.unknown if draw.random() < 0.05 else row["Calls"],
                words.first_name: draw.choice(FIRST),
                words.family_name: draw.choice(LAST),
                words.sex: draw.choice("MF"),
                words.opt_out: "X" if draw.random() < 0.1 else "",
                words.by_mail: draw.choice([words.yes, words.no]),
                words.by_phone: draw.choice([words.yes, words.no]),
                words.reason: draw.choice(["A", "B", "C"]) if left else "",
            }
        )
    return rows


@pytest.mark.parametrize("language", TABLES)
def test_a_table_in_its_own_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Why: names, consents and the reason for leaving became features, the label none at all."""
    monkeypatch.chdir(tmp_path)
    is_understood(tmp_path, TABLES[language])


def is_understood(tmp_path: Path, words: Words) -> None:
    """Inspect a table in a language, and check it by the contract that comes of it; in the folder
    where it lies."""
    (tmp_path / "table.csv").write_bytes(as_csv(table(words), ";").encode("cp1252"))
    code, told = run("inspect", "table.csv", "--json")
    assert code == 0
    found = json.loads(told)
    guesses = {column["name"]: column["guess"] for column in found["columns"]}
    assert {each: guesses[getattr(words, each)] for each in SEEMS} == SEEMS
    written = (tmp_path / "customers.yaml").read_text(encoding="utf-8").replace("'", "")
    answers = f"yes: {words.yes}, no: {words.no}"
    assert f"  churned: {{column: {words.left}, {answers}}}\n" in written
    assert f"consent: {{column: {words.by_phone}, {answers}}}\n" in written
    assert f"  opt_out: {{column: {words.opt_out}, yes: X, no: }}" in written
    assert f"    missing: [{words.unknown}]   # DECIDE: " in written
    assert f"first_name: {words.first_name}" in written
    code, told = run("check", "--contract", "customers.yaml", "--json")
    assert code == 0, told
    report: dict[str, Any] = json.loads(told)
    assert report["problems"] == []
    assert report["tables"]["history"]["used"] == 400


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["customers", *arguments])
    return done.exit_code, done.stdout


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Lidmaatschapsstatus", "status"), ("Stato", "status"), ("Situação", "status"),
        ("Abonnementsprijs", "value"), ("Contributie", "value"), ("Quota mensile", "value"),
        ("Prezzo", "value"), ("Valor mensal", "value"), ("Preço", "value"),
        ("Halfjaarprijs", "half_year"), ("Canone semestrale", "half_year"),
        ("Jaarbedrag", "year"), ("Canone annuo", "year"), ("Anuidade", "year"),
        ("Kwartaalbedrag", "quarter"), ("Canone trimestrale", "quarter"),
        ("Maanden klant", "tenure"), ("Mesi come cliente", "tenure"), ("Meses de casa", "tenure"),
        ("Lid sinds", "since"), ("Ingangsdatum", "since"), ("Data di attivazione", "since"),
        ("Cliente dal", "since"), ("Data de adesão", "since"),
        ("Einddatum", "end"), ("Data disdetta", "end"), ("Data de cancelamento", "end"),
        ("Peildatum", "snapshot"), ("Data di riferimento", "snapshot"),
        ("Data de referência", "snapshot"),
        ("Geboortedatum", "unfair"), ("Data di nascita", "unfair"), ("Nascimento", "unfair"),
        ("Tijdzone", "zone"), ("Fuso orario", "zone"), ("Fuso horário", "zone"),
        ("Voorkeurstaal", "language"), ("Lingua", "language"), ("Língua", "language"),
        ("Postcode", "code"), ("CAP", "code"), ("CEP", "code"),
        ("Leeftijdsgroep", "ranked"), ("Fascia di età", "ranked"), ("Faixa etária", "ranked"),
        ("Bel-me-niet register", "opt_out"), ("Registro opposizioni", "opt_out"),
        ("Não perturbe", "opt_out"),
        ("Akkoord nieuwsbrief", "consent"), ("Accetta SMS", "consent"),
        ("Aceita SMS", "consent"), ("Opzeggingsdatum", "end"),
        ("Data di fine", "end"), ("Data fine", "end"), ("Fine contratto", "end"),
    ],
)  # fmt: skip
def test_headings_say(words: str, meaning: Meaning) -> None:
    assert says(words, meaning)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Totaal", "language"), ("Betaalwijze", "language"), ("Opzegtermijn", "afterwards"),
        ("Preavviso di disdetta", "afterwards"), ("Data usage GB", "snapshot"),
        ("Data quota", "value"), ("Avg calls", "consent"), ("Posta elettronica", "letter"),
        ("Correio eletrónico", "letter"), ("Nomenclatura", "first_name"),
    ],
)  # fmt: skip
def test_other_words_don_t(words: str, meaning: Meaning) -> None:
    assert not says(words, meaning)


@pytest.mark.parametrize(
    "name",
    ["Vertrekdatum", "Reden opzegging", "Klantstatus", "Motivo uscita", "Stato contratto",
     "Data cessazione", "Motivo da saída", "Situação do cliente", "Data de rescisão"],
)  # fmt: skip
def test_what_comes_afterwards(name: str) -> None:
    assert comes_afterwards(name)
