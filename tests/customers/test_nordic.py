"""Tables in Norwegian, Danish and Swedish, from `churn customers inspect` to a check that holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from churn_assets.customers.headings import Meaning, says
from churn_assets.customers.inspection.flags import channel_of
from churn_assets.customers.quality.leakage import comes_afterwards
from tests.customers.conftest import as_csv, made_rows
from tests.customers.test_dutch_italian_portuguese import Words, is_understood, run

TABLES = {
    "norwegian": Words(
        "Medlemsnr", "Månedspris", "Kundetid (måneder)", "Oppsagt", "Papirløs", "Klager",
        "Fornavn", "Etternavn", "Kjønn", "Ikke kontakt", "Samtykke e-post", "Samtykke telefon",
        "Oppsigelsesgrunn", "ja", "nei", "ukjent",
    ),
    "danish": Words(
        "Kundenummer", "Månedlig ydelse", "Kundetid i måneder", "Opsagt", "Papirløs", "Klager",
        "Fornavn", "Efternavn", "Køn", "Nej tak til reklame", "Samtykke e-post",
        "Samtykke telefon", "Opsigelsesårsag", "ja", "nej", "ukendt",
    ),
    "swedish": Words(
        "Kundnummer", "Månadsavgift", "Kundtid (månader)", "Uppsagd", "Papperslös", "Klagomål",
        "Förnamn", "Efternamn", "Kön", "Nej tack till reklam", "Samtycke e-post",
        "Samtycke telefon", "Uppsägningsorsak", "ja", "nej", "okänd",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", TABLES)
def test_a_table_in_its_own_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Why: the status, the reason for leaving and opt-outs became features, the label none."""
    monkeypatch.chdir(tmp_path)
    is_understood(tmp_path, TABLES[language])


@pytest.mark.parametrize(
    ("left", "no"), [("oppsagt", "nei"), ("opsagt", "nej"), ("uppsagd", "nej")]
)
def test_a_status_and_opt_outs_by_channel(
    left: str, no: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Active or left is the label; who refused e-mails may not be taken for a kind of customer."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "Medlemsnr": row["Account"],
            "Månedspris": row["Monthly Fee"],
            "Innmeldt": f"{1 + i % 28:02}.{1 + i % 12:02}.{2015 + i % 9}",
            "Status": left if row["Cancelled"] == "yes" else "aktiv",
            "Reservert e-post": "ja" if i % 7 == 0 else no,
            "Reservert SMS": "ja" if i % 5 == 0 else no,
            "eFaktura": "ja" if i % 2 == 0 else no,
        }
        for i, row in enumerate(made_rows())
    ]
    (tmp_path / "table.csv").write_text(as_csv(rows, ";"), encoding="utf-8")
    code, told = run("inspect", "table.csv", "--json")
    assert code == 0
    guesses = {column["name"]: column["guess"] for column in json.loads(told)["columns"]}
    assert guesses == {
        "Medlemsnr": "id", "Månedspris": "monthly value", "Innmeldt": "tenure", "Status": "label",
        "Reservert e-post": "opt-out (email)", "Reservert SMS": "opt-out (sms)", "eFaktura": "flag",
    }  # fmt: skip
    written = (tmp_path / "customers.yaml").read_text(encoding="utf-8")
    assert f"churned: {{column: Status, yes: {left}, no: aktiv}}" in written
    assert f"opt_out: {{column: Reservert SMS, yes: ja, no: {no}}}" in written


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Sluttdato", "end"), ("Slutdato", "end"), ("Slutdatum", "end"), ("Utmeldt", "end"),
        ("Oppsigelsesdato", "end"), ("Uppsägningsdatum", "end"), ("Ophørt", "end"),
        ("Innmeldt", "since"), ("Indmeldt", "since"), ("Kunde siden", "since"),
        ("Kund sedan", "since"), ("Inträdesdatum", "since"), ("Startdato", "since"),
        ("Uttrekksdato", "snapshot"), ("Udtræksdato", "snapshot"), ("Uttagsdatum", "snapshot"),
        ("Fødselsdato", "unfair"), ("Födelsedatum", "unfair"), ("CPR-nr", "unfair"),
        ("Årspris", "year"), ("Årlig avgift", "year"), ("Halvårspris", "half_year"),
        ("Kvartalsavgift", "quarter"), ("Tidssone", "zone"), ("Språk", "language"),
        ("Sprog", "language"), ("Postnummer", "code"), ("Aldersgrupp", "ranked"),
        ("Reservert SMS", "opt_out"), ("Frameldt", "opt_out"), ("Ikke ring", "opt_out"),
        ("Skicka ej reklam nej tack", "opt_out"), ("Samtykke", "consent"), ("Samtycke", "consent"),
        ("Ønsker nyhetsbrev", "consent"), ("Svar", "answer"), ("Tilbud", "offered"),
        ("Kundekontakt", "person"), ("Kundkontakt", "person"), ("Pris", "value"),
        ("Pris per måned", "value"), ("Pris (kr)", "money"), ("Enhetspris", "money"),
        ("Varepris", "money"), ("Reservation mot reklam", "opt_out"), ("Reservasjon", "opt_out"),
        ("Reservation mod SMS", "opt_out"), ("Brevpost", "letter"), ("Ej ringa", "call"),
        ("Ikke ring", "call"), ("Medlem hos oss sedan", "since"),
    ],
)  # fmt: skip
def test_headings_say(words: str, meaning: Meaning) -> None:
    assert says(words, meaning)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Oppsigelsestid", "afterwards"), ("Opsigelsesvarsel", "afterwards"),
        ("Uppsägningstid", "afterwards"), ("Bindingstid", "tenure"), ("Produktnavn", "family_name"),
        ("AR total", "year"), ("Reservedeler", "opt_out"), ("E-post", "letter"),
        # Of other languages, whose tables were guessed otherwise for them.
        ("Kontakt", "person"), ("Reservation", "opt_out"), ("Reservation made", "opt_out"),
        ("RDV pris", "value"), ("Pris en compte", "value"), ("TVA compris", "money"),
        ("RDV pris", "money"), ("brevo id", "letter"), ("Brevet", "letter"),
        ("sedan", "since"), ("Car type sedan", "since"), ("Ring", "call"), ("Ringe", "call"),
        ("Ring size", "call"),
    ],
)  # fmt: skip
def test_other_words_don_t(words: str, meaning: Meaning) -> None:
    assert not says(words, meaning)


@pytest.mark.parametrize(
    "name",
    ["Oppsigelsesgrunn", "Opsigelsesårsag", "Uppsägningsorsak", "Sluttdato", "Årsak til oppsigelse",
     "Medlemsstatus", "Kundstatus", "Utmeldingsdato"],
)  # fmt: skip
def test_what_comes_afterwards(name: str) -> None:
    assert comes_afterwards(name)


def test_e_post_is_no_letter() -> None:
    assert channel_of("Reservert e-post") == channel_of("Samtycke epost") == "email"
    assert channel_of("Samtykke post") == channel_of("Brev") == "letter"
