"""Who lets themselves be contacted, as headings say it by a verb or a participle in Spanish,
French, Italian and Portuguese: "Consiente SMS", "Publicité autorisée".

As `headings` has the nouns: patterns of whole words in headings that are in lower case and without
accents. A verb alone says little ("Permite devoluciones" is of returns): a channel has to follow.
"""

from __future__ import annotations

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
    # Before the consents: yes of "No consiente SMS" is a no.
    "opt_out": (
        rf"no ({_WANTS})(( {_BETWEEN})* {_TOLD}|$)",
        rf"(ne|n) (accepte|autorise|consent|souhaite|veut|permet) pas(( {_BETWEEN})* {_TOLD}|$)",
        r"non (acconsente|consente|accetta|autorizza|desidera|vuole|permette)"
        rf"(( {_BETWEEN})* {_TOLD}|$)",
        rf"nao (aceita|autoriza|consente|deseja|permite|quer)(( {_BETWEEN})* {_TOLD}|$)",
    ),
    # As whole headings: "Permite llamadas internacionales" is of a tariff.
    "consent": (
        rf"^({_WHO} )?({_LETS})( {_BETWEEN})* {_CHANNEL}{_REST}$",
        rf"^({_BETWEEN} )*{_CHANNEL}{_REST} ({_LET})$",
        rf"consient[eo]n?|consentid[oa]|(desea|quiere) (recibir|ser)( {_BETWEEN})* {_TOLD}",
        r"consentante?|autorise (a |d )?etre \w+",
        r"contattabil[ei]|(desidera|vuole) essere \w+",
        r"conta(c?t)avel|(deseja|quer) ser \w+",
    ),
}
"""Meaning -> what says it."""
