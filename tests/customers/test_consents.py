"""Consents that a verb or a participle says, in Spanish, French, Italian and Portuguese."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.headings import says
from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import as_csv, made_rows

CONSENTS = (
    "Consiente email", "Consiente SMS", "Consiente", "Permite llamadas", "Autoriza publicidad",
    "Desea recibir SMS", "Quiere ser contactado", "Email permitido", "Publicidad autorizada",
    "Autorise les e-mails", "Accepte la prospection", "E-mail autorisé",
    "Publicité autorisée", "Appels permis", "Consentant", "Souhaite des SMS",
    "Autorizza chiamate", "Consente l'invio di SMS", "Permette SMS", "Email consentita",
    "Pubblicità autorizzata", "Contattabile", "Desidera essere contattato",
    "Permite SMS", "Consente e-mail", "Autoriza o envio de publicidade", "E-mail autorizado",
    "Chamadas permitidas", "Contactável", "Contatável", "Quer ser contactado",
)  # fmt: skip
OPT_OUTS = (
    "No consiente SMS", "No acepta publicidad", "No desea recibir llamadas", "No quiere e-mail",
    "N'autorise pas les SMS", "N'accepte pas la prospection", "Ne souhaite pas être contacté",
    "Non consente SMS", "Non accetta pubblicità", "Non desidera essere contattato",
    "Não aceita SMS", "Não autoriza chamadas", "Não deseja receber e-mail",
)  # fmt: skip
OTHERS = (
    "Permite devoluciones", "Correo electrónico", "Llamadas", "Contacto", "Teléfono privado",
    "Permis de conduire", "Permet le paiement", "Appels", "Consente roaming",
    "Posta elettronica", "Contatti", "Permite parcelamento", "Chamadas", "Consumo",
    "Permite llamadas internacionales", "Último contacto autorizado", "Autorise le découvert",
    "Permet les appels surtaxés", "Autorise le prélèvement", "Consente chiamate internazionali",
    "Desea recibir factura", "No permite devoluciones", "Non permette rateizzazione",
    "N'autorise pas le découvert", "Contenido", "Offre acceptée", "Accepte paiement",
    "Accepte paiement en plusieurs fois", "Accepte les conditions", "Accepte l'offre",
    "Accepte CB", "Accord de paiement", "Autorisation de prélèvement",
    "Souhaite recevoir la facture", "Acepta pagos", "Acepta tarjeta", "Acepta condiciones",
    "Acepta oferta", "Autorización de débito", "Accetta pagamenti", "Accetta condizioni",
    "Autorizzazione addebito", "Desidera ricevere fattura", "Aceita cartão", "Aceita termos",
    "Autoriza débito automático", "Deseja receber fatura", "Accepteert betaling",
    "Akkoord voorwaarden", "Toestemming incasso", "Einwilligung Lastschrift", "Zustimmung AGB",
    "Direct debit consent", "Godkjenner vilkår", "No acepta pagos", "N'accepte pas le paiement",
)  # fmt: skip
OF_CONTACT_ALL_THE_SAME = (
    "Accepte offres", "Accepte les offres partenaires", "Accepte d'être contacté",
    "Accepte promotions", "Acepta ofertas", "Acepta ser contactado", "Acepta llamadas",
    "Acepta facturas por e-mail", "Accetta comunicazioni commerciali", "Accetta promozioni",
    "Aceita receber ofertas", "Aceita contato", "Accepteert reclame", "Accepteert telefoon",
    "Accepte traitement des données", "Accetta privacy", "Acepta política de privacidad",
    "Consentement RGPD conditions", "Terms and marketing consent",
    "Accepte offre partenaires", "Accetta offerta commerciale", "Acepta oferta comercial",
    "Einwilligung Datennutzung (AGB)", "Consentimiento datos y pagos", "Consent privacy terms",
)  # fmt: skip


@pytest.mark.parametrize("name", CONSENTS)
def test_a_consent(name: str) -> None:
    assert says(name, "consent")
    assert not says(name, "opt_out")


@pytest.mark.parametrize("name", OF_CONTACT_ALL_THE_SAME)
def test_in_doubt_it_is_one(name: str) -> None:
    """Taken for none, it would be learnt from, and asked by no plan."""
    assert says(name, "consent")


@pytest.mark.parametrize("name", OPT_OUTS)
def test_no_consent_is_an_opt_out(name: str) -> None:
    assert says(name, "opt_out")


@pytest.mark.parametrize("name", OTHERS)
def test_neither(name: str) -> None:
    assert not says(name, "consent")
    assert not says(name, "opt_out")


@pytest.mark.parametrize(
    ("names", "yes", "no"),
    [
        ({"Consiente email": "consent (email)", "Consiente SMS": "consent (sms)",
          "No acepta llamadas": "opt-out"}, "sí", "no"),
        ({"E-mail autorisé": "consent (email)", "Autorise les SMS": "consent (sms)"},
         "oui", "non"),
        ({"Email consentita": "consent (email)", "Autorizza chiamate": "consent (call)"},
         "sì", "no"),
        ({"Permite SMS": "consent (sms)", "Chamadas permitidas": "consent (call)",
          "Não aceita e-mail": "opt-out"}, "sim", "não"),
    ],
)  # fmt: skip
def test_no_model_learns_from_them(
    names: dict[str, str], yes: str, no: str, tmp_path: Path
) -> None:
    """Why: who consents to e-mail became a feature, and was asked by no plan."""
    rows = [
        row | {name: (yes, no)[(i >> k) % 2] for k, name in enumerate(names)}
        for i, row in enumerate(made_rows())
    ]
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    assert {name: found.guesses[name] for name in names} == names
    features = found.contract.partition("\nfeatures:")[2].partition("\n\n")[0]
    assert not [name for name in names if name in features]
