"""Whether somebody left, when, and what is known only since, as headings and cells say it.

In English, German, French, Spanish, Dutch, Italian and Portuguese, as `headings` has the other
meanings.
"""

from __future__ import annotations

from churn_assets.customers import nordic

SAID: dict[str, tuple[str, ...]] = {
    "left": (
        r"churn(ed)?( (label|value|flag))?|attrition( flag)?|exited|left|is churn|cancell?ed",
        r"gekue?ndigt|kue?ndigung|abgewandert|abwanderung|ausgetreten|storniert",
        r"resilie|resiliation|parti|attrition",
        r"baja|cancelad[oa]|cancelacion|abandon(o|ado)|fuga",
        r"opgezegd|opzegging|vertrokken|beeindigd|geannuleerd|uitgeschreven|klantverloop",
        r"disdett[oa]|cessat[oa]|recesso|disattivat[oa]|abbandonat[oa]|abbandono",
        r"cancelou|cancelamento|rescindid[oa]|rescisao|desligad[oa]|evasao|saiu",
    ),
    "status": (
        r"status|churn\w*|state", r"\w*status|zustand", r"statut|etat", r"estado",
        r"toestand",
        r"stato",
        r"situacao",
    ),
    "end": (
        r"end( date)?|churn date|cancel\w*( date)?|terminat\w*( date)?|left (at|on)",
        r"\w*ende|enddatum|kue?ndigung(?!sgrund|sfrist)\w*|gekue?ndigt (am|zum)|austritt\w*"
        r"|storn(o|ier)(?!ogrund|grund)\w*",
        r"fin|resiliation|depart|cloture|resilie le|date (de )?(fin|depart|cloture)",
        r"fin|baja|cancelacion|fecha (de )?(fin|baja|cancelacion)",
        r"\w*eind(e|datum)|opzegging(?!sreden|stermijn)\w*|opzegdatum|opgezegd (op|per)"
        r"|beeindig(d|ing)\b|vertrek(datum)?|uitschrijfdatum|uitschrijving|annulering",
        r"data (di )?fine|fine (del )?(contratto|abbonamento|rapporto|servizio|validita|iscrizione)"
        r"|cessazione|disdetta|recesso|disattivazione|uscita|chiusura",
        r"fim|termino|cancelamento|rescisao|desligamento|saida|encerramento|desativacao",
    ),
    # As a whole heading: why they left, or something else.
    "reason": (
        r"reasons?( code| text)?", r"gr(u|ue)nde?|begrue?ndung", r"motifs?|raisons?",
        r"motivos?|razon(es)?", r"reden(en)?", r"motiv[oi]|causale", r"razao|razoes",
    ),
    # What is known only once somebody has left.
    "afterwards": (
        r"churn(ed|er)?|attrition|cancel\w*|terminat\w*|deactivat\w*|win ?back|exited"
        r"|(customer|account|subscription|member(ship)?) (status|state)"
        r"|(reason|date|month|day)s? (of|for) (leaving|exit|closing|closure)"
        r"|(exit|leaving|closing|closure|end|left|lost) (reason|date|survey|score|at|on)"
        r"|closed (at|on)",
        r"kue?ndigung(?!sfrist)\w*|gekue?ndigt|abwander\w*|storn(o|ier)\w*|austritt\w*"
        r"|(kunden|vertrags|konto|abo|mitglieds)status|rue?ckgewinn\w*",
        r"resili\w*|desabonn\w*|motif (de |du )?(depart|fin|cloture)"
        r"|date (de )?(depart|fin|cloture)|statut (client|compte|abonnement|contrat)",
        r"baja|abandon\w*|(motivo|fecha) (de )?(baja|salida|fin)"
        r"|estado (del )?(cliente|cuenta|suscripcion|contrato)",
        r"opzeg(?!termijn)\w*|opgezegd|beeindig\w*|uitschrij(f|v)\w*|vertrek\w*|vertrokken"
        r"|annulering\w*|einddatum|terugwin\w*"
        r"|(klant|contract|account|abonnements|lidmaatschaps)status",
        r"(?<!preavviso )(?<!preavviso di )disdett\w*|recesso|cessa(zione|t[oa])|disattiva\w*"
        r"|motivo (di |del |della )?(uscita|abbandono|chiusura|fine)"
        r"|data (di )?(uscita|chiusura|fine)|riconquist\w*"
        r"|stato (del |dell )?(cliente|contratto|abbonamento|conto)",
        r"rescis\w*|desligament\w*|encerrament\w*|reconquist\w*"
        r"|(motivo|data) (de |da |do )?(saida|fim|termino)"
        r"|(estado|situacao|status) (do |da )?(cliente|conta|contrato|assinatura)",
    ),
}  # fmt: skip
"""Meaning -> what says it."""

LEFT = frozenset({
    "churned", "attrited customer", "left", "exited", "cancelled", "canceled", "former",
    "gekundigt", "gekuendigt", "abgewandert", "ausgetreten", "storniert", "ehemalig",
    "resilie", "resiliee", "parti", "partie", "ancien client",
    "baja", "de baja", "cancelado", "cancelada", "abandono",
    "opgezegd", "vertrokken", "beeindigd", "geannuleerd", "uitgeschreven", "ex-klant", "oud-klant",
    "disdetto", "disdetta", "cessato", "cessata", "disattivato", "disattivata", "abbandonato",
    "ex cliente", "ex-cliente", "rescindido", "rescindida", "desligado", "desligada", "encerrado",
    "encerrada", "saiu", *nordic.LEFT,
})  # fmt: skip
"""Cells, `folded`, of customers who left."""
