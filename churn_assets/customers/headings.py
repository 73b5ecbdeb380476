"""What the headings of tables say, in English, German, French, Spanish, Dutch, Italian and
Portuguese, and by `nordic` in Norwegian, Danish and Swedish; of leaving by `departures`, of who may
be contacted by `consents`.

A table that nobody has described yet is read by them: each guess is shown to a person, who decides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

from churn_assets.customers import consents, departures, nordic

Meaning = Literal[
    "left", "status", "value", "monthly", "money", "months", "half_year", "year", "quarter",
    "tenure", "since", "end", "snapshot", "id", "first_name", "family_name", "surname", "person",
    "contact", "unfair", "zone",
    "language", "code", "ranked", "opt_out", "consent", "afterwards", "reason",
    "letter", "email", "sms", "call", "push", "whatsapp", "answer", "offered",
]  # fmt: skip

_PRODUCT = (
    "product|item|article|device|plan|tariff|model|font|brand|service|package|bundle|equipment|"
    "machine|vehicle|engine|handset|printer|software|part|component|category|contract|line"
)
_OF_NO_PRODUCT = "".join(
    rf"(?<!\b{word} )(?<!\b{word}s )(?<!\b{word} s )" for word in _PRODUCT.split("|")
)

_SURNAME = (
    rf"last name|surname|{_OF_NO_PRODUCT}family name",
    r"nachname|familienname",
    r"nom de famille", r"apellidos?",
    r"achternaam|familienaam",
    r"cognome",
    r"apelido|sobrenome",
)  # fmt: skip

_SAID: dict[Meaning, tuple[str, ...]] = {
    # What they pay, and for how long.
    "value": (
        r"monthly (charges?|fee|bill|revenue|amount)|mrr|price|arpu|revenue|charges?",
        r"monats\w*(preis|gebue?hr|beitrag|betrag|rate|umsatz|kosten|entgelt)"
        r"|(monatlicher? )?(preis|beitrag|umsatz)|(grund|monatliche )?gebue?hr|abopreis",
        r"prix( mensuel)?|(tarif|abonnement|montant|revenu) mensuel|facture mensuelle|mensualite"
        r"|cotisation( mensuelle)?|prelevement( mensuel)?|redevance( mensuelle)?|forfait mensuel",
        r"(cuota|precio|importe|tarifa|cargo|factura|ingreso)( mensual)?|mensualidad",
        r"maand\w*(prijs|bedrag|tarief|kosten|bijdrage|lasten|omzet|premie)|maandelijkse kosten"
        r"|(maandelijkse? )?(prijs|bedrag|bijdrage|omzet|premie)|contributie"
        r"|abonnements(prijs|geld|kosten)",
        r"(canone|prezzo|importo|tariffa|rata)( mensile)?|mensilita|abbonamento mensile"
        r"|(quota|costo|spesa|addebito|fattura|ricavo|bolletta) mensile|quota associativa",
        r"mensalidade|(preco|valor|fatura|prestacao|receita)( mensal)?"
        r"|(quota|custo|montante|encargo|assinatura) mensal",
    ),
    "monthly": (
        r"month\w*|mrr|arpu", r"monat\w*", r"mensu\w*", r"mensu\w*",
        r"maand(?!ag)\w*",
        r"mensil\w*",
        r"mensal\w*",
    ),
    "money": (
        r"(price|fee|charge|bill|revenue|amount|cost|rate|paid|payment|premium|arr)(s|ed)?",
        r"\w*(preis|gebue?hr|beitrag|betrag|umsatz|kosten|zahlung|entgelt)",
        r"prix|montant|facture|paiement|revenu|cotisation|frais|cout|mensualite|prelevement",
        r"precio|importe|cuota|factura|pago|ingresos?|cost[eo]|tarifa|cargo|mensualidad",
        r"\w*(prijs|bedrag|tarief|betaling|bijdrage|omzet|premie)|contributie",
        r"prezzo|importo|canone|fattura|pagamento|ricav[oi]|cost[oi]|tariffa|addebito|rata|spesa"
        r"|quota (mensile|annuale|associativa)",
        r"preco|valor|montante|fatura|pagamento|receita|custos?|mensalidade|anuidade|prestacao"
        r"|quota (mensal|anual)",
    ),
    "months": (
        r"\w*months?", r"\w*monate?n?", r"mois", r"mes(es)?",
        r"\w*maand(en)?",
        r"mes[ei]",
    ),
    "half_year": (
        r"half ?year(ly)?|semi ?annual(ly)?", r"halbjae?hr\w*", r"semestr\w*", r"semestr\w*",
        r"half ?jaar\w*",
    ),
    "year": (
        r"years?|yearly|annual(ly)?|arr|12 ?m(onths)?",
        r"jae?hr\w*", r"annuel(le)?|annee", r"anual(es)?|ano",
        r"jaar\w*",
        r"ann[oi]|annual[ei]|annu[ao]",
        r"anos?|anuais|anuidade",
    ),
    "quarter": (
        r"quarter(ly)?|3 ?m(onths)?", r"quartal\w*|vierteljae?hr\w*", r"trimestr\w*",
        r"kwarta\w*|driemaandelijks\w*",
    ),
    "tenure": (
        r"tenure( in)?( months)?|months (as|with|since)|subscription length|account length"
        r"|^months( active)?$",
        r"(vertrags|kunden|mitglieds|mitgliedschafts)dauer|monate (als kunde|seit\w*|dabei)"
        r"|^monate$",
        r"anciennete( en)?( mois)?|mois (d anciennete|depuis)|^mois$",
        r"antiguedad( en)?( meses)?|meses (de antiguedad|como cliente|desde)|^meses$",
        r"(contract|klant|abonnements|lidmaatschaps)duur|duur in maanden"
        r"|maanden (als )?(klant|lid|actief|sinds)|^maanden$",
        r"anzianita( in)?( mesi)?|mesi (di anzianita|come cliente|dal?)|^mesi$"
        r"|durata (del )?(rapporto|contratto)",
        r"antiguidade( em)?( meses)?|meses (de (antiguidade|casa|contrato)|como cliente)"
        r"|tempo de (casa|contrato|cliente)",
    ),
    "since": (
        r"since|start( date)?|joined|join date|signup|signed up|created|registration|opened on"
        r"|(subscription|activation|contract|opening) date|date of (subscription|joining|opening)",
        r"seit|\w*beginn|startdatum|\w*eintritt(sdatum)?|anmelde(datum|tag)|anmeldung|angelegt"
        r"|registrier\w*|(vertrags)?abschluss(datum)?|abgeschlossen am"
        r"|(vertrags|aktivierungs|abo|abonnement|aufnahme|beitritts)datum",
        r"depuis|debut|inscription|souscription|adhesion|(cree|abonne|souscrit|inscrit)e? le"
        r"|date (de |d )?(debut|creation|abonnement|entree|arrivee|activation|ouverture|contrat)",
        r"desde|inicio|alta|registro|inscripcion|fecha (de )?(inicio|alta|registro|contratacion"
        r"|suscripcion|activacion|ingreso|contrato)",
        r"sinds|\w*begin(datum)?|ingangsdatum|inschrij(f|v)\w*|ingeschreven|aanmeld\w*|aangemaakt"
        r"|registratie\w*|afgesloten op|(abonnements?|contract|activatie)datum",
        r"dal|inizio|attivazione|iscrizione|iscritt[oa]|registrazione|adesione|sottoscrizione"
        r"|data (di |del )?(abbonamento|contratto|apertura)",
        r"adesao|inscricao|cadastro|ativacao|contratacao|subscricao"
        r"|data (de |da |do )?(assinatura|contrato|entrada|abertura)",
    ),
    "snapshot": (
        r"snapshot\w*|as of|report(ed|ing)?|observ\w*|extract(ed)?|seen|period|^(date|day|month)$",
        r"stichtag|datenstand|stand|auswertung\w*|berichts\w*|^(datum|tag|monat)$",
        r"date (de |du |d )?(situation|extraction|arrete|releve)|extraction|releve|periode"
        r"|^(date|jour|mois)$",
        r"corte|extraccion|periodo|^(fecha|dia|mes)$",
        r"peil(datum|maand|dag)|rapportage\w*|meetdatum|^(dag|maand)$",
        r"riferimento|estrazione|rilevazione|osservazione|^(data|giorno|mese)$",
        r"data (de |da )?(referencia|base)|extracao",
    ),
    # Who they are.
    "id": (
        r"id|key|number|nr|no|uuid|code|msisdn|^n$",
        r"(kunden|konto|vertrags|mitglieds|abo|abonnenten|teilnehmer|versicherten)?"
        r"(nummer|nr|kennung)|kdnr|\w+id",
        r"identifiant|numero|matricule|ref(erence)?"
        r"|n( o)? (de |du |d )?(client\w*|abonne\w*|adherent\w*|membre|compte|contrat|dossier"
        r"|ligne|police|usager|societaire|assure)",
        r"identificador|numero|codigo|referencia"
        r"|n( o)? (de |del )?(cliente|abonad[oa]|soci[oa]|cuenta|contrato|usuario|poliza|linea)",
        r"(klant(en)?|relatie|lid(maatschaps)?|rekening|debiteur|polis|abonnee)(nummer|nr|code)",
        r"codice|identificativo|matricola|riferimento"
        r"|n( o)? (di |del |d )?(cliente|abbonat[oa]|tessera|conto|contratto|uten(za|te)|polizza)",
        r"matricula"
        r"|n( o)? (de |do |da )?(cliente|assinante|soci[oa]|conta|contrato|utente|apolice)",
    ),
    "first_name": (
        r"(contact (person )?)?(first|given) name|name",
        r"((ansprechpartner|kontakt|ansprechperson) )?vorname|rufname"
        r"|vorname (des |der )?(ansprechpartners?|kontakt(s|es|person)?|ansprechperson)",
        r"prenom( (du |de )?(contact|l interlocuteur))?", r"nombre",
        r"voornaam( (van )?(de )?contact(persoon)?)?|roepnaam",
        r"nome",
        r"(primeiro )?nome",
    ),
    "surname": _SURNAME,
    "family_name": (*_SURNAME, r"nom"),  # alone: "Nom du produit" is none
    # Whole headings of somebody at a company that is a customer, or of who looks after them.
    "person": (
        r"((main|primary|key|first|billing|technical|customer|client) )?contact( person)?"
        r" ((full|first|given|last|family) )?name|(main|primary|key) contact|contact person|"
        r"name of (the )?contact( person)?|contact surname|full name|decision maker|signatory"
        r"|((key )?account|customer success|relationship|sales|case) (manager|owner|executive|rep"
        r"(resentative)?|agent|person)( name)?|salesperson|csm|kam|assigned to",
        r"((haupt)?ansprechpartner|(kontakt|ansprech)person)( ?in)?( (vor|nach)?name)?"
        r"|(vor|nach)?name (des |der )?(ansprechpartners?|kontakt(s|es|person)?|ansprechperson)"
        r"|(kontakt|ansprechpartner)(vor|nach)?name|kontakt (vor|nach)?name"
        r"|(kunden)?(betreuer|berater)( ?in)?|sachbearbeiter( ?in)?|vertriebler( ?in)?"
        r"|verkae?ufer( ?in)?|zustae?ndige?r?|verantwortliche?r?",
        r"(nom|prenom|personne) (de |du )?(contact|interlocuteur)|contact (nom|prenom|principal)"
        r"|interlocut(eur|rice)( principale?)?|chargee? (de |d )(clientele|comptes?|affaires)"
        r"|(gestionnaire|responsable) (de |du )?(comptes?|client\w*)|conseill(er|ere)( client\w*)?",
        r"(persona|nombre|apellidos?) (de |del )?contacto|contacto (nombre|principal)"
        r"|gestora? (de |del )?(cuentas?|clientes?)|asesora?( comercial)?|vendedora?"
        r"|(ejecutiv[oa]|gerente|responsable) (de )?(la )?cuentas?|agente comercial"
        r"|comercial asignad[oa]",
        r"contact ?persoon( (voor|achter)?naam)?|contact ?naam|aanspreekpunt"
        r"|(voor|achter)?naam (van )?(de )?contact(persoon)?|contact (voor|achter)naam"
        r"|account(manager|houder)|(relatie|klant)beheerder|vertegenwoordiger",
        r"(persona (di |da )?|nome (del )?|cognome (del )?)(contatto|referente)"
        r"|contatto (nome|principale)|referente( (cliente|commerciale|principale))?|venditore"
        r"|(responsabile|gestore) (del |della |di )?(client[ei]|conto|account|commerciale)"
        r"|agente di vendita",
        r"(pessoa|nome) (de |do )?contac?to|contac?to (nome|principal)|vendedora?"
        r"|(gestora?|gerente|responsavel) (de |da |do |pel[ao] )?(contas?|clientes?|comercial)",
    ),
    "contact": (  # of many words only: the same headings have a channel
        r"contacts?|owner|agent|attn|attention", r"kontakt|betreuung", r"commerciale?",
        r"contacto|comercial",
        r"contact",
        r"contatto|commerciale",
        r"contac?to|comercial|responsavel",
    ),
    "unfair": (
        r"gender|sex|race|ethnicity|religion|nationality|birth\w*|dob|d o b|born|marital",
        r"geschlecht|anrede|geburts\w*|geboren|geb ?dat\w*|geb( am)?$|konfession"
        r"|nationalita\w*|staatsange\w*|familienstand",
        r"sexe|genre|civilite|naiss(ance)?|nee? (le|en)|nationalite"
        r"|situation (familiale|matrimoniale)",
        r"sexo|genero|nacimiento|nacid[oa]|fecha (de )?nac|f nac|nacionalidad|estado civil",
        r"geslacht|aanhef|geboorte\w*|nationaliteit|burgerlijke staat|godsdienst",
        r"sesso|genere|nascita|nat[oa] (il|nel)|data (di )?nasc|nazionalita"
        r"|cittadinanza|stato civile|religione",
        r"nascimento|nascid[oa]|data (de )?nasc|nacionalidade|religiao|raca|etnia",
    ),
    "zone": (
        r"time ?zone|tz", r"zeitzone", r"fuseau( horaire)?", r"(zona|huso) horari[ao]",
        r"tijdzone",
        r"fuso( orario)?",
        r"fuso( horario)?",
    ),
    "language": (
        r"language|locale", r"\w*sprache", r"langue", r"idioma",
        r"(voorkeurs|spreek|moeder|klant)?taal",
        r"lingua",
    ),
    # What a number is.
    "code": (
        r"(code|zip|post ?code)$", r"(plz|postleitzahl|\w+code)$", r"code postal$",
        r"codigo( postal)?$",
        r"codice( postale)?$|^cap$",
        r"cep$",
    ),
    "ranked": (
        r"(group|band|class|grade|tier|level|rating|bracket|segment)$",
        r"\w*(gruppe|klasse|stufe)$", r"(groupe|classe|niveau|tranche)$",
        r"(grupo|clase|nivel|tramo)$",
        r"\w*(groep|niveau)$",
        r"(gruppo|classe|livello|fascia)( di \w+)?$",
        r"(faixa|escalao|nivel|classe)( de \w+| etari[ao])?$",
    ),
    # How somebody is contacted.
    "letter": (
        r"(direct|postal|post) ?mails?|letters?|(?<!\be )post(al)?",
        r"briefe?|brief\w+|(?<!\be )post\w*(?! elettronica)",
        r"courriers?|lettres?", r"cartas?|correo postal",
        r"brieven",
        r"letter[ae]|posta(?! elettronica)( cartacea| ordinaria)?",
        r"correio(?! elec?tronico)( postal)?",
    ),
    "email": (
        r"e ?mails?|mails?|mailings?|newsletter", r"e ?mail\w*|newsletter\w*",
        r"courriels?", r"correo( electronico)?",
        r"nieuwsbrie(f|ven)",
        r"posta elettronica",
        r"correio elec?tronico",
    ),
    "sms": (r"sms|text( message)?s?", r"sms\w*"),
    "call": (
        r"calls?|calling|phone|telephone|tel", r"anrufe?|telefon\w*",
        r"appels?|telephonique", r"llamadas?|telefono",
        r"telefoon\w*|bellen|gebeld",
        r"chiamat[ae]",
        r"chamadas?|ligac(ao|oes)",
    ),
    "push": (r"push",),
    "whatsapp": (r"whats ?app",),
    # What a campaign offered, and what came of it.
    "answer": (
        r"response|responded|answer(ed)?|reply|replied|accepted|redeemed|converted|conversion",
        r"antwort|reaktion|reagiert|angenommen|eingelo(e)?st", r"reponse|repondu|acceptee?",
        r"respuesta|respondio|aceptad[oa]|acepto", r"antwoord|reactie|geaccepteerd|ingewisseld",
        r"risposta|accettat[oa]|esito", r"resposta|respondeu|aceitou|aceit[oa]",
    ),
    "offered": (
        r"offer(ed)?|discount|rebate|coupon|voucher|promo(tion)?|incentive|treatment",
        r"angebot|\w*rabatt|nachlass|gutschein", r"offre|remise|reduction|rabais|ristourne",
        r"oferta|descuento|promocion|bono", r"aanbod|\w*korting|aanbieding",
        r"offerta|sconto|promozione|buono", r"desconto|promocao|cup(om|ao)",
    ),
}  # fmt: skip
"""Meaning -> what says it, a pattern a language: whole words of a `folded` heading."""

YES = frozenset({
    "yes", "y", "true", "t", "1", "ja", "j", "oui", "o", "si", "s", "sim",
    "wahr", "vrai", "verdadero", "waar", "vero", "verdadeiro",  # as spreadsheets export them
    *nordic.YES,
})  # fmt: skip
NO = frozenset({
    "no", "n", "false", "f", "0", "nein", "non", "nee", "nao",
    "falsch", "faux", "falso", "onwaar", *nordic.NO,
})  # fmt: skip
"""Cells, `folded`, that mean yes and no."""


_LAST = re.compile(
    r"\b(last|latest|newest|most recent|letzt\w*|zuletzt|neueste\w*|jue?ngste\w*"
    r"|derniere?s?|(plus|mas|piu|mais) recente?|ultim[oa]|laatste?|recentste"
    r"|sist[ea]?|sidste?|senest[ea]?|senast[ea]?|nyeste?|nyast[ea]?)\b"
)


def plain(name: str) -> str:
    """A column's name in lower case, its words apart; the signs № and # are words, and an accent
    that is written apart from its letter (NFD, as some systems name things) ends none."""
    name = unicodedata.normalize("NFC", name).replace("№", " No ")
    name = re.sub(r"(?<=\S)\s*#", " number ", name)  # at the beginning it says "number of"
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+", " ", name).lower().split())


def folded(text: str) -> str:
    """The text in lower case without accents: "Kündigung" as "kundigung"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def says(name: str, meaning: Meaning, *, whole: bool = False) -> bool:
    """Whether a column's name, or `whole`: all of it, says this.

    No heading that says no is a consent: the whole of one that is denied is an opt-out.
    """
    heading, pattern = folded(plain(name)), pattern_of(meaning)
    if meaning == "consent" and (
        consents.says_no(heading) or consents.is_of_something_else(heading)
    ):
        return False
    if meaning == "opt_out" and consents.denies(heading, pattern_of("consent"), whole=True):
        return True
    if meaning == "opt_out" and consents.denies_refusal(heading, pattern):
        return False
    if meaning == "since" and is_of_the_last(name):
        return False
    return bool(pattern.fullmatch(heading) if whole else pattern.search(heading))


def is_of_the_last(name: str) -> bool:
    """Whether a heading says the last of several: by "Letzte Anmeldung" nobody began."""
    return bool(_LAST.search(folded(plain(name))))


def may_refuse(name: str) -> bool:
    """Whether a heading denies a consent or an opt-out, and doesn't tell what yes of it would mean:
    "No consent needed", or "Not opted out"."""
    heading, consent = folded(plain(name)), pattern_of("consent")
    if says(name, "opt_out"):
        return False
    return consents.denies(heading, consent) or consents.denies_refusal(
        heading, pattern_of("opt_out")
    )


@cache
def pattern_of(meaning: Meaning) -> re.Pattern[str]:
    """What says this in a heading that is `plain` and `folded`."""
    everywhere = (_SAID, departures.SAID, consents.SAID, nordic.SAID)
    patterns = [said for found in everywhere for said in found.get(meaning, ())]
    return re.compile("|".join(rf"\b(?:{said})(?:\b|$)" for said in patterns))
