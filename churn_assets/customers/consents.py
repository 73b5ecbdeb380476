"""Who may be contacted, as headings say it: opt-outs and consents, and the words by which a heading
says the opposite.

"Contactable" is a consent and "Not contactable" an opt-out: taken for each other, those alone would
be contacted who refused. Patterns are of headings in lower case and without accents.
"""

from __future__ import annotations

import re

_WAYS = (
    r"e ?mails?|mails?|sms|texts?|text messages?|calls?|phone|telephone|post(al)?|letters?"
    r"|newsletters?|whats ?app|push"
)
_MATTER = rf"(marketing|advertising|promotions?|contact|by|via|{_WAYS})"
_WEGE = r"e ?mails?|telefon|anrufe?|sms|post|briefe?|newsletter|whats ?app|push"
_WHOLE = (
    rf"^(customer |client |member |subscriber |is )?(contactable|(may|can|ok to) contact)"
    rf"( (by|via) ({_WAYS}))?$",
    rf"^(customer |client |member |subscriber )?accepts {_MATTER}( {_MATTER})*$",
    rf"^{_MATTER}( {_MATTER})* (is )?(ok|allowed|permitted)$",
    rf"^(\w*werbung|kontakt|{_WEGE})( (per|via|durch|ue?ber) ({_WEGE}))?"
    r" (erlaubt|gewue?nscht)$",
)
"""Consents as whole headings: "International calls allowed" and "Last contact ok" are none."""

# In Spanish, French, Italian and Portuguese a verb or a participle says it: "Consiente SMS",
# "Publicité autorisée". Alone it says little ("Permite devoluciones" is of returns): a channel has
# to follow.
_CHANNEL = (
    r"(e ?mails?|correos?|correio|courriels?|posta|sms|whats ?app|push|newsletters?|boletin(es)?"
    r"|boletim|bollettino|llamadas?|telefono|telefone|telephone|appels?|chiamat[ae]|telefonate"
    r"|chamadas?|ligac(ao|oes)|contact|contac?tos?|contatt[oi]|publicida(d|de)|publicites?"
    r"|pubblicita|marketing|prospection|demarchage|comunica\w+|communications?)"
)
_BETWEEN = (
    r"(el|la|las|los?|les?|des?|du|d|l|gli|il?|di|del|o|os|as?|por|per|par|via|un[ae]?"
    r"|envio|envoi|invio|recibir|ricevere|receber|recevoir|ser|etre|essere)"
)
_LETS = r"permite|permet(te)?|consente|autori[sz]a|autorise|autorizza|accepte|souhaite"
_LET = (
    r"permitid[oa]s?|permise?s?|permess[aeio]|consentid[oa]s?|consentit[aeio]|autori[sz]ad[oa]s?"
    r"|autorisee?s?|autorizzat[aeio]|aceptad[oa]s|deseja?d[oa]s?"
)
_WANTS = r"acepta|consiente|autoriza|permite|desea|quiere"
_WHO = r"(client[eoi]?s?|abonnee?|socio|utente)"
_TOLD = (
    rf"({_CHANNEL}|conta(c?t|tt)\w+|llamad[oa]|appelee?|chiamat[oa]|informad[oa]|ofertas"
    r"|promociones|novedades)"
)
_REST = rf"( com+er[cz]ia\w+| {_BETWEEN}| {_CHANNEL})*"

SAID: dict[str, tuple[str, ...]] = {
    "opt_out": (
        r"opt(ed)? ?outs?|unsubscribed?|dnc|uncontactable"
        r"|(do not|don ?t|may not|must not|can ?not|can t|never)"
        r" (contact|e ?mail|mail|call|phone|text|sms|write)",
        r"\w*(werbe|kontakt|mailing|newsletter)(stopp?|sperre|widerspruch|verbot)|widerspruch"
        r"|abgemeldet|keine? (werbung|post|anrufe?|e ?mails?|sms|newsletter)|robinson\w*",
        r"opposition|desinscrit|ne pas (contacter|appeler|demarcher)|bloctel",
        r"no (contactar|llamar|enviar|molestar)|robinson|oposicion",
        r"afgemeld|\w*(reclame|contact|mailing|nieuwsbrief|marketing)(stop|blokkade|verbod)"
        r"|niet (bellen|mailen|benaderen|contacteren)|bel me niet\w*|recht van verzet"
        r"|geen (reclame|post|telefoon\w*|e ?mails?|sms|nieuwsbrie(f|ven)|marketing)",
        r"non (contattare|chiamare|telefonare|inviare|disturbare)|opposizion[ei]"
        r"|disiscritt[oa]|revoca( del)? consenso",
        r"nao (contactar|contatar|ligar|enviar|perturb\w*|incomodar)|oposicao|descadastr\w*",
        # Yes of "No consiente SMS" is a no.
        rf"no ({_WANTS})(( {_BETWEEN})* {_TOLD}|$)",
        rf"(ne|n) (accepte|autorise|consent|souhaite|veut|permet) pas(( {_BETWEEN})* {_TOLD}|$)",
        r"non (acconsente|consente|accetta|autorizza|desidera|vuole|permette)"
        rf"(( {_BETWEEN})* {_TOLD}|$)",
        rf"nao (aceita|autoriza|consente|deseja|permite|quer)(( {_BETWEEN})* {_TOLD}|$)",
    ),
    "consent": (
        *_WHOLE,
        r"consent(s|ed)?|opt(ed)? ?ins?|gdpr|permission",
        r"\w*einwilligung|\w*zustimmung|einversta\w*|dsgvo|\w*erlaubnis",
        r"consentement|accord|rgpd|autorisation|accepte \w+|(souhaite|veut) (recevoir|etre) \w+",
        r"consentimiento|autorizacion|rgpd|permiso|acepta \w+",
        r"\w*toestemming|\w*akkoord|instemming|wil \w+ ontvangen|accepteert \w+",
        r"consens[oi]|autorizzazione|acconsente|accetta \w+|(desidera|vuole) ricevere \w+",
        r"consentimento|autorizacao|autoriza \w+|aceita \w+|lgpd|permissao"
        r"|(deseja|quer) receber \w+",
        # As whole headings: "Permite llamadas internacionales" is of a tariff.
        rf"^({_WHO} )?({_LETS})( {_BETWEEN})* {_CHANNEL}{_REST}$",
        rf"^({_BETWEEN} )*{_CHANNEL}{_REST} ({_LET})$",
        rf"consient[eo]n?|consentid[oa]|(desea|quiere) (recibir|ser)( {_BETWEEN})* {_TOLD}",
        r"consentante?|autorise (a |d )?etre \w+",
        r"contattabil[ei]|(desidera|vuole) essere \w+",
        r"conta(c?t)avel|(deseja|quer) ser \w+",
    ),
}
"""Meaning -> what says it."""

_ELSE = re.compile(
    r"\b(payments?|paying|cards|credit cards?|credit (check|score)|direct debits?|instal?lments?"
    r"|invoices?|terms|terms and conditions"
    r"|\w*zahlung(en|sart)?|lastschrift\w*|\w*einzug|sepa|agb|bonita\w*|schufa|\w*rechnung(en)?"
    r"|pa[iy]ements?|prelevements?|cb|carte (bancaire|bleue|de credit)|cheques?|conditions|cg[uv]"
    r"|decouvert|factures?|offre"
    r"|pagos?|tarjetas?(?! (de )?fid)|debitos?|domiciliacion|condiciones|terminos|facturas?|oferta"
    r"|betaling(en)?|betalen|\w*incasso|machtiging|voorwaarden|factu(ur|ren)|aanbod"
    r"|pagament[oi]|addebit[oi]|carte|carta di credito|condizioni|termini|fattur[ae]|offerta"
    r"|cart(ao|oes)(?! (de )?fid)|condicoes|termos|faturas?|boletos?"
    r"|betalninga?r?|vilk(a|aa|o)r|faktura\w*|avtalegiro|autogiro)\b"
)
"""What else is accepted: a way to pay, terms, an offer (one, not "offers")."""
_SAYS_TO_WHOM = re.compile(
    rf"\b({_TOLD}|{_WAYS}|{_WEGE}|\w*werb\w*|advert\w*|promo\w*|offers|offres|offerte|kontakt\w*"
    r"|reclame\w*|reklam\w*|nieuwsbri\w+|telefoon\w*|nyhe[td]sbrev\w*|e ?post"
    r"|com+er[cz]ia\w*|partenaires?|partner\w*|dritte\w*|tiers|terceros|terzi|terceiros|derden"
    r"|daten\w*|data|donnees|datos|dati|dados|gegevens|privacy|privacida?d\w*|confidentialite"
    r"|gdpr|dsgvo|rgpd|lgpd)\b"
)
_NOT = (
    r"not?|non|never|without|cannot|(ca|do|does|did|is|has|wo)n ?t"
    r"|kein\w*|nicht|ohne|nie(mals)?"
    r"|ne|pas|sans|aucun\w*|jamais"
    r"|sin|ningun\w*|nunca"
    r"|geen|niet|nooit|zonder"
    r"|senza|nessun\w*"
    r"|nao|sem|nenhum\w*"
    r"|ikke|inte|ej|ingen|inga|inget|intet|aldrig?|uten|uden|utan"
)
_WITHDRAWN = (
    r"withdrawn|withdrawal|revoked|refuse[sd]?|refusal|denied|declined|rejected|expired|missing"
    r"|widerruf\w*|entzogen|verweiger\w*|abgelehnt|zurue?ckgezogen|abgelaufen|fehl(t|ende?)"
    r"|retiree?|revoquee?|refusee?|refus|retirad[oa]|revocad[oa]|rechazad[oa]|denegad[oa]"
    r"|ingetrokken|geweigerd|revocat[oa]|ritirat[oa]|negat[oa]|rifiutat[oa]|revoca"
    r"|revogad[oa]|recusad[oa]|negad[oa]"
    r"|trukket( tilbake)?|tilbaketrukket|trukket tilbage|tilbakekalt|tilbagekaldt|aterkall?at"
)
_GIVEN = r"given|granted|obtained|erteilt|gegeben|vorhanden|donnee?|dad[oa]|dato|gegeven|gitt|givet"
_YES, _NO = r"(yes|ja|oui|si|sim)", r"(no|nein|non|nee|nao|nei|nej)"
_EITHER = re.compile(rf"\b({_YES}( \w)* {_NO}|{_NO}( \w)* {_YES})\b")
_SAYS_NO = re.compile(rf"\b({_NOT}|{_WITHDRAWN})\b")
_NO_OR_GIVEN = re.compile(rf"\b({_NOT}|{_WITHDRAWN}|{_GIVEN})\b")
_NO_BEFORE = re.compile(rf"\b({_NOT})( (been|yet|on|auf|sur|en|in|op|an?|the))*$")


def is_of_something_else(heading: str) -> bool:
    """Whether what a heading speaks of is plainly accepted without being contacted: "Accepte
    paiement par carte". In doubt it isn't: "Acepta facturas por e-mail" names a channel, and
    "Accepte offre partenaires" whose offers."""
    return bool(_ELSE.search(heading)) and not _SAYS_TO_WHOM.search(heading)


def says_no(heading: str) -> bool:
    """Whether a heading has a word that says no; "yes/no" only tells its cells."""
    return bool(_SAYS_NO.search(_EITHER.sub(" ", heading)))


def denies(heading: str, consent: re.Pattern[str], *, whole: bool = False) -> bool:
    """Whether a heading says no and a `consent`, or `whole`: is one but for its no."""
    if not says_no(heading) or is_of_something_else(heading):
        return False
    rest = " ".join(_NO_OR_GIVEN.sub(" ", _EITHER.sub(" ", heading)).split())
    return bool(consent.fullmatch(rest) if whole else consent.search(rest))


def denies_refusal(heading: str, opt_out: re.Pattern[str]) -> bool:
    """Whether a heading says no of an `opt_out`: "Not opted out"."""
    refusals = opt_out.finditer(heading)
    return any(_NO_BEFORE.search(heading[: each.start()].rstrip()) for each in refusals)
