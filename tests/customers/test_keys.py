"""Which column `churn customers inspect` takes for the id, and which for the day of joining."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.headings import Meaning, says
from tests.customers.conftest import Rows, made_rows
from tests.customers.test_guesses import monthly
from tests.customers.test_headings import FRENCH, translated
from tests.customers.test_inspect import inspected


def french(heading: str, cell: str = "{:06d}") -> Rows:
    """A French company's customers, named by numbers below this heading; each has an address."""
    rows = translated(FRENCH | {"Account": heading}, "oui", "non")
    for number, row in enumerate(rows):
        row[heading] = cell.format(4_000 + 17 * number)
    return [{"Courriel": f"c{n}@courriel.example"} | row for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    "heading",
    [
        *("N° abonné", "N° client", "Nº", "№ client", "No. client", "Numéro d'abonné"),
        *("Réf. client", "N°", "N° d'adhérent", "N° de contrat", "Kundennr.", "Kunden-Nr"),
        *("Nº cliente", "N.º de cliente", "N° de abonado", "Klantnr", "Klant-nr.", "N. cliente"),
        *("Kd.-Nr.", "Kdnr", "N. tessera", "N.º do contrato", "Customer #", "Acct#"),
    ],
)  # fmt: skip
def test_numbers_of_customers_are_called_so(heading: str) -> None:
    """The commonest headings of exports."""
    assert says(heading, "id")


@pytest.mark.parametrize(("heading", "cell"), [("N° abonné", "{:06d}"), ("N. cliente", "{}")])
def test_numbers_of_customers_are_ids(heading: str, cell: str, tmp_path: Path) -> None:
    """They were a feature, and the e-mail address was taken for the id."""
    found = inspected(tmp_path, french(heading, cell))
    assert (found.guesses[heading], found.guesses["Courriel"]) == ("id", "left out")


def test_digits_with_leading_zeros_are_a_key_whatever_they_are_called(tmp_path: Path) -> None:
    """No amount is written so."""
    found = inspected(tmp_path, french("Dossier"))
    assert (found.guesses["Dossier"], found.guesses["Courriel"]) == ("id", "left out")


def test_few_damaged_cells_take_no_key_away(tmp_path: Path) -> None:
    """One was enough, and the address was the id."""
    rows = french("Dossier")
    for n in range(8):
        rows[n]["Dossier"] = f"?{n}"
    assert inspected(tmp_path, rows).guesses["Dossier"] == "id"


def test_ids_of_other_customers_are_neither_shown_nor_learnt_from(tmp_path: Path) -> None:
    """Of a history of months the ids of merged accounts were a category, printed and a feature."""
    rows = made_rows(400)
    ids = [row["Account"] for row in rows]
    months = [f"2026-{month:02d}-01" for month in (7, 8, 9)]
    history = [
        row | {"Stand": month, "Merged With": ids[n % 30] if n < 60 else ""}
        for month in months
        for n, row in enumerate(rows)
    ]
    for table in (history, history[:400]):
        table = [row | {"Branch": "A10000" if n % 2 else "North"} for n, row in enumerate(table)]
        found = inspected(tmp_path, table)
        assert (found.guesses["Account"], found.guesses["Merged With"]) == ("id", "left out")
        assert "Merged With" in found.hidden
        assert found.guesses["Branch"] == "category"  # half of its words are nobody's id
        assert "Merged With" in found.contract.partition("left_out:")[2]


def test_how_many_months_is_no_number_of_theirs() -> None:
    assert says("# Months", "tenure")
    assert not says("# Orders", "id")


def test_numbers_that_all_differ_may_be_amounts(tmp_path: Path) -> None:
    found = inspected(tmp_path, french("Consommation", "{}"))
    assert found.guesses["Courriel"] == "id"
    assert (
        "identity.id: e-mail addresses change: does another column name customers?" in found.decide
    )
    assert "  id: Courriel   # DECIDE: e-mail addresses change" in found.contract


@pytest.mark.parametrize("called", ["Courriel", "E-mail ID"])
def test_an_address_is_the_id_if_nothing_else_can_be(called: str, tmp_path: Path) -> None:
    """Nor is a phone number: 0612… has a leading zero, too, and "numéro" says number."""
    rows = [
        {called: row["Courriel"], "Numéro de téléphone": f"0612{n:06d}", "Contrat": f"K-{n}"}
        | {k: cell for k, cell in row.items() if k not in ("Courriel", "Dossier")}
        for n, row in enumerate(french("Dossier"))
    ]
    assert inspected(tmp_path, rows).guesses["Contrat"] == "id"
    for row in rows:
        del row["Contrat"]
    assert inspected(tmp_path, rows).guesses[called] == "id"


@pytest.mark.parametrize("heading", ["N° abonné", "Dossier"])
def test_snapshots_of_customers_with_numbers(heading: str, tmp_path: Path) -> None:
    rows = [
        {k.replace("customer_no", heading): v for k, v in row.items() if k != "E-Mail"}
        | {heading: f"{int(row['E-Mail'][1:].split('@')[0]):05d}"}
        for row in monthly(day="Date d'extraction")
    ]
    found = inspected(tmp_path, rows)
    assert (found.guesses[heading], found.guesses["Date d'extraction"]) == ("id", "snapshot")


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [("N mois", "id"), ("Plan N", "id"), ("Nature client", "id"), ("Refus", "id"),
     ("Type de client", "id"), ("N de réclamations", "id")],
)  # fmt: skip
def test_other_headings_name_nobody(heading: str, meaning: Meaning) -> None:
    assert not says(heading, meaning)


@pytest.mark.parametrize(
    "heading",
    [
        *("Date d'abonnement", "Date de souscription", "Abonné le", "Date d'entrée", "Souscrit le"),
        *("Subscription date", "Date joined", "Opened on", "Activation date", "Contract date"),
        *("Vertragsdatum", "Aktivierungsdatum", "Abodatum", "Aufnahmedatum", "Abgeschlossen am"),
        *("Fecha de contratación", "Fecha de suscripción", "Fecha de activación", "Alta"),
        *("Abonnementsdatum", "Contractdatum", "Activatiedatum", "Data abbonamento"),
        *("Data di attivazione", "Data do contrato", "Data de assinatura", "Data de adesão"),
    ],
)
def test_headings_of_the_day_of_joining(heading: str) -> None:
    assert says(heading, "since")


@pytest.mark.parametrize(
    "heading",
    [
        *("Date de fin d'abonnement", "Date de fin de contrat", "Type d'abonnement", "Abonnement"),
        *("Vertragsende", "Data fine contratto", "Fecha de pago", "Contract end date"),
        *("Subscription", "Abonnement mensuel", "Data de fim do contrato", "Last opened"),
    ],
)
def test_headings_of_other_days_say_no_joining(heading: str) -> None:
    assert not says(heading, "since")


def test_a_day_of_subscription_is_the_tenure(tmp_path: Path) -> None:
    """It was left out, and the tenure asked for."""
    rows = french("N° abonné")
    for number, row in enumerate(rows):
        del row["Ancienneté en mois"]
        row["Date d'abonnement"] = f"{number % 28 + 1:02d}/{number % 12 + 1:02d}/2021"
    found = inspected(tmp_path, rows)
    assert "\ntenure: {since: Date d'abonnement}\n" in found.contract
