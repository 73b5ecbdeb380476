"""A heading that says no is no consent: those who refused would be the only ones contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.headings import may_refuse, says
from tests.customers.conftest import made_rows
from tests.customers.test_consents import CONSENTS as CONSENTS_BY_VERBS
from tests.customers.test_guesses import decided
from tests.customers.test_inspect import inspected

CONSENTS = (
    "Consent", "Opt-in", "GDPR", "Permission", "Contactable", "May contact", "OK to contact",
    "Accepts marketing", "Accepts SMS", "Contact allowed", "Marketing calls allowed", "Email OK",
    "Einwilligung", "Zustimmung Telefon", "Werbeerlaubnis", "Kontakt erlaubt", "Telefon gewünscht",
    "Werbung per E-Mail erlaubt", "Consentement", "Accepte les SMS", "Souhaite recevoir les SMS",
    "Consentimiento", "Autorización", "Acepta correos", "Toestemming", "Wil mail ontvangen",
    "Consenso", "Acconsente", "Accetta SMS", "Consentimento", "Aceita SMS", "Samtykke",
    "Samtycke SMS", "Markedsføringstilladelse", "Ønsker nyhetsbrev",
)  # fmt: skip
NO = (
    "No {}", "Not {}", "Non-{}", "{} not given", "Never {}", "Kein {}", "Keine {}",
    "{} nicht erteilt", "Ohne {}", "Ne {} pas", "Sans {}", "Aucun {}", "Sin {}", "Non {}",
    "Senza {}", "Não {}", "Sem {}", "Geen {}", "Niet {}", "Zonder {}", "Ikke {}", "Inte {}",
    "Ej {}", "Ingen {}", "{} withdrawn", "{} widerrufen", "{} refusé", "{} revocado",
    "{} ingetrokken", "{} revocato", "{} revogado",
)  # fmt: skip


@pytest.mark.parametrize("consent", [*CONSENTS, *CONSENTS_BY_VERBS])
def test_no_consent_that_is_denied_is_a_consent(consent: str) -> None:
    """In whichever language it says no: it is an opt-out, or asked about, and never a feature."""
    assert says(consent, "consent")
    assert not may_refuse(consent)
    for no in NO:
        name = no.format(consent)
        assert not says(name, "consent"), name
        assert says(name, "opt_out") != may_refuse(name), name


@pytest.mark.parametrize(
    "name",
    [
        "Not contactable", "Non-contactable", "No contact allowed", "No SMS allowed",
        "No marketing calls allowed", "Not OK to contact", "Kein Kontakt erlaubt",
        "Kein Telefon erlaubt", "Werbung nicht erlaubt", "No acepta correos", "Ne pas contacter",
        "Non acconsente", "Non consente", "Cannot contact", "Don't call",
        "Consent_No", "Geen toestemming",
    ],
)  # fmt: skip
def test_it_is_an_opt_out(name: str) -> None:
    assert says(name, "opt_out")
    assert not says(name, "consent")


@pytest.mark.parametrize(
    "name",
    ["Not opted out", "Not on the DNC", "Nicht abgemeldet", "Kein Werbestopp", "No consent needed"],
)
def test_what_yes_would_mean_is_asked(name: str, tmp_path: Path) -> None:
    """Yes of "Not opted out" was taken for an opt-out."""
    rows = [row | {name: ("Yes", "No")[i % 3 > 0]} for i, row in enumerate(made_rows())]
    found = inspected(tmp_path, rows)
    assert not says(name, "consent")
    assert not says(name, "opt_out")
    assert "which cells mean that they may not be contacted?" in decided(found)[f"left_out.{name}"]
    assert "opt_out: {column: ..." in found.contract
    assert f"column: {name}" not in found.contract


@pytest.mark.parametrize(
    "name",
    [
        "International calls allowed", "Roaming calls permitted", "Premium SMS allowed",
        "Accepts post-paid", "Last contact ok", "Email ok bounced", "Incontactable",
    ],
)  # fmt: skip
def test_what_a_product_allows_is_no_consent(name: str) -> None:
    assert not says(name, "consent")
    assert not says(name, "opt_out")
    assert not may_refuse(name)


@pytest.mark.parametrize("name", ["Consent (yes/no)", "Consentimiento (sí/no)", "DSGVO ja/nein"])
def test_which_cells_there_are_denies_nothing(name: str) -> None:
    assert says(name, "consent")


def test_those_who_refused_are_left_alone(tmp_path: Path) -> None:
    """Why: the contract said `consent: {column: Not contactable, yes: 'Yes'}`, unasked."""
    name = "Not contactable"
    rows = [row | {name: ("Yes", "No")[i % 3 > 0]} for i, row in enumerate(made_rows())]
    found = inspected(tmp_path, rows)
    assert found.guesses[name] == "opt-out"
    assert "opt_out: {column: Not contactable, yes: 'Yes', no: 'No'}" in found.contract
    assert "consent:" not in found.contract
