"""`churn customers inspect` of columns where a word stands or nothing, and of a campaign's log."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.customers.conftest import Checked, Rows, made_rows
from tests.customers.test_guesses import decided
from tests.customers.test_inspect import inspected, renamed


def log(answer: str = "Réponse", offer: str = "Remise") -> Rows:
    """A French company's log of a campaign: who got which discount, and who took it."""
    draw = random.Random(3)
    return [
        {
            "N° abonné": f"{4_000 + number:06d}",
            offer: draw.choice(["0 %", "5 %", "10 %", "15 %"]),
            answer: "acceptée" if draw.random() < 0.3 else "",
            "Forfait": row["Plan"],
            "Pays": "France" if number else "",
        }
        for number, row in enumerate(made_rows())
    ]


def test_the_answers_of_a_campaign_are_two_values(tmp_path: Path) -> None:
    """They were thrown out as the same in every row."""
    found = inspected(tmp_path, log())
    assert (found.guesses["Réponse"], found.guesses["Remise"]) == ("answer", "offer")
    asked = decided(found)["campaign"]
    assert asked == (
        "is this the log of a campaign, with what was offered in Remise and what came of it in "
        "Réponse? Then write campaign in place of tables, identity, value and tenure: {table: "
        "{path: ...}, offer: {column: Remise, levels: {0 %: ..., 15 %: ..., 10 %: "
        "..., 5 %: ...}}, outcome: {column: Réponse, yes: acceptée}, features: {...}}"
    )
    assert f"\n# DECIDE campaign: {asked}\n" in found.contract
    assert "Pays: the same wherever it is known\n" in found.contract


@pytest.mark.parametrize(
    ("answer", "offer"),
    [
        *(("Antwort", "Rabatt"), ("Response", "Discount offered"), ("Respuesta", "Descuento")),
        *(("Reactie", "Korting"), ("Risposta", "Sconto"), ("Resposta", "Desconto")),
    ],
)
def test_logs_in_other_languages(answer: str, offer: str, tmp_path: Path) -> None:
    found = inspected(tmp_path, log(answer, offer))
    assert (found.guesses[answer], found.guesses[offer]) == ("answer", "offer")


def test_a_log_whose_answers_are_several_words_and_customers_several_rows(tmp_path: Path) -> None:
    """Salespeople write refusals and silence, too, and number their contacts: it was taken for a
    table of customers, named by the contacts' numbers."""
    draw = random.Random(4)
    rows = [
        {
            "Kontakt-Nr": f"K{number:05d}",
            "Konto-ID": f"A{draw.randrange(10_000, 10_300)}",
            "Rabatt %": draw.choice(["0", "5", "10", "15"]),
            "Antwort": draw.choice(["angenommen", "abgelehnt", "keine Antwort"]),
            "Tarif": row["Plan"],
        }
        for number, row in enumerate(made_rows(1_000))
    ]
    found = inspected(tmp_path, rows)
    assert (found.guesses["Antwort"], found.guesses["Rabatt %"]) == ("answer", "offer")
    asked = decided(found)["campaign"]
    assert "customer: Konto-ID, offer: {column: Rabatt %, " in asked
    assert "outcome: {column: Antwort, yes: angenommen}" in asked
    several = [row | {"Antwort": draw.choice(["angenommen", "eingelöst", "nein"])} for row in rows]
    assert "campaign" not in decided(inspected(tmp_path, several))  # which one, nobody knows


def test_a_table_that_says_who_left_is_no_log(tmp_path: Path) -> None:
    rows = [row | {"Response": ("yes", "no")[n % 2]} for n, row in enumerate(renamed(made_rows()))]
    found = inspected(tmp_path, rows)
    assert found.guesses["Response"] == "flag"
    assert "campaign" not in decided(found)


def test_one_word_or_none_is_a_flag(checked: Checked, tmp_path: Path) -> None:
    """Of an option, where a blank means no, and of who left."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        row["Fiber"] = "yes" if number % 3 else ""
        row["Churn"] = row["Churn"].replace("no", "")
    found = inspected(tmp_path, rows)
    assert (found.guesses["Fiber"], found.guesses["Churn"]) == ("flag", "label")
    assert "  Fiber: {kind: flag, label: fiber, yes: 'yes', no: ''}\n" in found.contract
    assert "  churned: {column: Churn, yes: 'yes', no: ''}\n" in found.contract
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].positives == sum(row["Churn"] == "yes" for row in rows)
    assert {c.column: c.missing for c in report.tables[0].columns}["Fiber"] == 0


def test_a_word_that_only_leavers_have_leaks(tmp_path: Path) -> None:
    rows = [
        row | {"Note": "moved" if row["Churn"] == "yes" else ""} for row in renamed(made_rows())
    ]
    assert "alone it ranks" in decided(inspected(tmp_path, rows))["left_out.Note"]
