"""Names of people at companies that are customers, and of who looks after them, in `inspect`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.customers.conftest import made_rows
from tests.customers.test_inspect import inspected, renamed

FIRST = ["Rory", "Niamh", "David", "Élodie", "Jürgen", "Ana", "Rui", "Lotte", "Giulia", "Sam",
         "Marek", "Ingrid", "Pablo", "Chiara", "Joost"]  # fmt: skip
FEW = FIRST[:5]


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Contact", FIRST), ("Contact name", FIRST), ("Main contact", FIRST), ("Owner", FIRST),
        ("Account manager", FEW), ("AccountManager", FEW), ("account_owner", FEW), ("CSM", FEW),
        ("Contact person", FEW), ("Contact last name", FIRST), ("Full name", FIRST),
        ("Ansprechpartner", FIRST), ("Ansprechpartner/in", FEW), ("Kontaktperson", FIRST),
        ("Name des Ansprechpartners", FIRST), ("Kundenbetreuer", FEW), ("Kontakt", FIRST),
        ("Zuständiger", FEW), ("Interlocuteur", FIRST), ("Nom du contact", FIRST),
        ("Chargé de clientèle", FEW), ("Persona de contacto", FIRST), ("Gestor de cuenta", FEW),
        ("Contacto", FIRST), ("Referente", FIRST), ("Persona di contatto", FIRST),
        ("Responsabile cliente", FEW), ("Contactpersoon", FIRST), ("Accountmanager", FEW),
        ("Naam contactpersoon", FIRST), ("Pessoa de contacto", FIRST), ("Pessoa de contato", FIRST),
        ("Gestor de conta", FEW),
    ],
)  # fmt: skip
def test_a_person_s_name_is_not_shown_nor_learnt_from(
    heading: str, names: list[str], tmp_path: Path
) -> None:
    """They were printed as words of a category, which a model then learnt from."""
    draw = random.Random(1)
    rows = [row | {heading: draw.choice(names)} for row in renamed(made_rows())]
    found = inspected(tmp_path, rows)
    assert found.guesses[heading] == "left out"
    assert found.hidden[heading] == "names"
    assert not any(name in found.contract for name in names)


@pytest.mark.parametrize("heading", ["Contact first name", "Vorname Ansprechpartner"])
def test_the_contact_s_first_name_is_one(heading: str, tmp_path: Path) -> None:
    """Of a company that is a customer it is whom a message greets."""
    draw = random.Random(1)
    rows = [row | {heading: draw.choice(FIRST)} for row in renamed(made_rows())]
    found = inspected(tmp_path, rows)
    assert found.guesses[heading] == "first name"
    assert found.hidden[heading] == "names"
    assert "Niamh" not in found.contract
    few = [row | {heading: draw.choice(FEW)} for row in renamed(made_rows())]
    assert inspected(tmp_path, few).hidden[heading] == "names"


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Contact channel", ["e-mail", "letter", "call"]), ("Contact", ["phone", "mail", "none"]),
        ("Contact type", ["new", "old", "lead"]), ("Kontaktart", ["Brief", "Anruf", "Mail"]),
        ("Contact reason", ["price", "fault", "move"]), ("Kontakt", ["Brief", "Anruf", "Mail"]),
        ("Canal de contacto", ["correo", "carta", "llamada"]), ("Owner", ["own", "rent", "lease"]),
        ("Account type", ["basic", "plus", "max"]), ("Agent", ["shop", "web", "phone"]),
    ],
)  # fmt: skip
def test_other_headings_of_contacts_stay_what_they_are(
    heading: str, words: list[str], tmp_path: Path
) -> None:
    draw = random.Random(1)
    rows = [
        row | {heading: draw.choice(words), "Contacts this month": str(draw.randrange(9))}
        for row in renamed(made_rows())
    ]
    found = inspected(tmp_path, rows)
    assert found.guesses[heading] == "category"
    assert found.guesses["Contacts this month"] == "number"
    assert heading not in found.hidden
