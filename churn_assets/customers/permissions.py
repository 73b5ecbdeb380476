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
_LETS = r"permite|permet(te)?|consente|autori[sz]a|autorise|autorizza"
_LET = (
    r"permitid[oa]s?|permise?s?|permess[aeio]|consentid[oa]s?|consentit[aeio]|autori[sz]ad[oa]s?"
    r"|autorisee?s?|autorizzat[aeio]|aceptad[oa]s|deseja?d[oa]s?"
)
_WANTS = r"acepta|consiente|autoriza|permite|desea|quiere"

SAID: dict[str, tuple[str, ...]] = {
    # Before the consents: yes of "No consiente SMS" is a no.
    "opt_out": (
        rf"no ({_WANTS})",
        r"(ne|n) (accepte|autorise|consent|souhaite|veut|permet) pas",
        r"non (acconsente|consente|accetta|autorizza|desidera|vuole|permette)",
        r"nao (aceita|autoriza|consente|deseja|permite|quer)",
    ),
    "consent": (
        rf"({_LETS})( {_BETWEEN})* {_CHANNEL}",
        rf"{_CHANNEL}( com+er[cz]ia\w+)? ({_LET})",
        r"consient[eo]n?|consentid[oa]|(desea|quiere) (recibir|ser) \w+",
        r"consentante?|(autorise|accepte|souhaite) (d )?(etre|recevoir|le|la|les|l|du|des) \w+",
        r"contattabil[ei]|(desidera|vuole) essere \w+",
        r"conta(c?t)avel|(deseja|quer) ser \w+",
    ),
}
"""Meaning -> what says it."""
