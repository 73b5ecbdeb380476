"""What the headings and cells of tables say in Norwegian (bokmål), Danish and Swedish.

As `headings` has the other languages: patterns of whole words in headings that are in lower case
and without accents: "å" is "a", "ä" is "a" and "ö" is "o"; "ø" and "æ" stay, and some write them
as "oe" and "ae", and "å" as "aa".
"""

from __future__ import annotations

_PRICE = r"^pris(?! (en|le|la|par)\b)|(maa?nedlig|manatlig|fast|samlet|total|gjeldende) pris"
"""A price: French takes ("RDV pris") and contains ("compris") with the same letters."""

SAID: dict[str, tuple[str, ...]] = {
    "left": (
        r"op?psagt|op?psigelse|u[td]meldt|utmelding|udmeldelse|a[vf]sluttet|op?ph(ø|oe)rt|frafall?d?",
        r"uppsag(d|ning)|avslutad|uttradd|avgatt",
    ),
    "status": (r"tilstand|tillstand",),
    "value": (
        r"maa?neds?(pris|avgift|afgift|bel(ø|oe)[pb]|kostnad|leie|ydelse|betaling|kontingent|premie)"
        r"|(maa?nedlig )?(avgift|afgift|ydelse|betaling|kontingent)|abonnementspris",
        rf"manads?(pris|avgift|belopp|kostnad|premie)|(manatlig )?(avgift|kostnad)|{_PRICE}"
        r"|abonnemangs(pris|avgift)|medlemsavgift",
    ),
    "monthly": (r"maa?ned\w*|manad\w*|manatlig\w*",),
    "money": (
        rf"{_PRICE}|(?!(in|entre)?(com|ap|sur|re|me|e|entre)pris\b)\w+pris",
        r"\w*(avgift|afgift|bel(ø|oe)[pb]|belopp|kostnad(er)?|omkostning(er)?|betaling"
        r"|betalning|ydelse|premie|kontingent|omsetning|oms(æ|ae|a)ttn?ing)",
    ),
    "months": (r"\w*maa?ned(er)?|\w*manad(er)?",),
    "half_year": (r"halvaa?r\w*",),
    "year": (
        r"aa?rlig\w*|(per|pr|om) aa?r(et)?"
        r"|aa?rs?(pris|avgift|afgift|bel\w+|kostnad|kontingent|leie|ydelse|premie)",
    ),
    "quarter": (r"kvartal\w*",),
    "tenure": (
        r"(kunde?|medlems|abonnements|abonnemangs|kontrakts|avtale|avtals|aftale)"
        r"(tid|lengde|l(æ|ae)ngde|langd|varighe[td]|maa?neder|manader)"
        r"|(maa?neder|manader) (som|siden|sedan)|an[sc]iennitet|^(maa?neder|manader)$",
    ),
    "since": (
        r"siden|(kund|medlem|abonnent|prenumerant|aktiv|ansluten|registrerad)( \w+){0,2} sedan"
        r"|inn?tradt|innmeldt|innmelding\w*|indmeldt|indmeldelse\w*|tilmeldt|oprettet"
        r"|opprettet|skapad|registrer(t|et|ad)|startdato|startet"
        r"|(avtale|aftale|avtals|kontrakts|abonnements|abonnemangs|intrades|oprettelses|opprettelses"
        r"|etablerings|tegnings|aktiverings)(dato|datum)|tegnet",
    ),
    "end": (
        r"slutt?(dato|datum)|op?psigelse(sdato)?|op?psagt|op?ph(ø|oe)r(t|sdato)?|u[td]meldt"
        r"|utmelding(sdato)?|udmeldelse(sdato)?|a[vf]sluttet",
        r"uppsag(d|ning|ningsdatum)|avslut(ad|sdatum)|uttrade(sdatum)?|avgang(sdatum)?",
    ),
    "reason": (r"a?arsak|grunn|a?arsag|grund|orsak|anledning",),
    "snapshot": (
        r"uttrekk\w*|udtr(æ|ae)k\w*|uttag(sdatum|sdag)?|rapport(dato|datum|dag|maa?ned|manad)"
        r"|(skj(æ|ae)rings|opg(ø|oe)relses|status|ma(le|t))(dato|datum)"
        r"|^(dato|datum|dag|maa?ned|manad)$",
    ),
    "id": (
        r"(kunde?|medlems?|konto|avtale|avtals|aftale|kontrakts|abonnements|abonnent|abonnemangs"
        r"|police|anleggs?)(nummer|nr|id)",
    ),
    "first_name": (r"fornavn|f(ø|oe)rstenavn|fornamn|tilltalsnamn|navn|namn",),
    "family_name": (r"ett?ernavn|efternavn|efternamn|slektsnavn",),
    "person": (
        r"kontaktperson( ?na[vm]n)?|(kunde?)?(ansvarlig|ansvarig|radgiver|radgivare)"
        r"|kunde?kontakt|selger|s(æ|ae)lger|saljare",
    ),
    "unfair": (
        r"kj(ø|oe)nn|k(ø|oe|o)n|f(ø|oe)dsels?\w*|f(ø|oe)dt|fodelse\w*|fodd|person(nummer|nr)|cpr\w*"
        r"|sivilstand|sivilstatus|civilst(and|atus)|na(sj|ti)onalitet|statsborgerska[pb]"
        r"|medborgarskap|trossamfunn?d?",
    ),
    "zone": (r"tids(sone|zone|zon)",),
    "language": (r"\w*spra+k|\w*sprog",),
    "code": (r"(postnr|postnummer|postkode?|\w+kode)$",),
    "ranked": (r"\w*(grupp|klass|niva|trinn?)$",),
    "opt_out": (
        r"reserver(t|et|ad)|reservasjon|reservation mo[td]|(av|af|fra)meldt|avregistrerad"
        r"|avprenumerer\w*|nix\w*|robinson\w*|nei takk|nej tac?k",
        r"(ikke|inte|ej) (kontakt\w*|ring\w*|send\w*|skick\w*|maile?|sms|e ?post|reklamer?)"
        r"|ingen (reklame?|post|e ?post|e ?mails?|sms|anrop|opkald|nyhe[td]sbrev)"
        r"|(reklame?|kontakt|marketing)(stopp?|sperre|sp(æ|ae|a)rr?e?)",
    ),
    "consent": (
        r"\w*samty[kc]ke\w*|\w*tillatelse|\w*tilladelse|godk(jenner|ender|anner) \w+"
        r"|(ønsker|oensker|onskar) \w+|(vil|vill) (ha|have|gerne have) \w+",
    ),
    "letter": (r"brev(post|reklame?|utskick|utsend\w+|udsend\w+)?|papirpost|papperspost",),
    "email": (r"e ?post\w*|nyhe[td]sbrev\w*",),
    "call": (r"(ikke|inte|ej|ma|kan) ring\w*|op?pringn?ing|uppringning|anrop|opkald",),
    "answer": (r"svar|respons|akseptert|accept(eret|erad)|innløst|indl(ø|oe)st|inlost",),
    "offered": (r"tilbud|erbjudande|\w*rabat|kupong|kampanj(e)?",),
    "afterwards": (
        r"op?psigelse(?!stid|sfrist|svarsel|speriode)\w*|op?psagt\w*|u[td]meld(t|ing|else)\w*"
        r"|a[vf]sluttet|op?ph(ø|oe)r\w*|slutt?(dato|arsak|arsag|grunn?)|tilbakevunn\w*|genvund\w*"
        r"|(grunn?|arsa[kg]) (til|for) (op?psigelse\w*|slutt?\w*|u[td]meld\w*|op?ph\w*)",
        r"uppsag(d|ning(?!stid))\w*|avslut(ad|s)\w*|slutdatum|slutorsak|utt?rade\w*"
        r"|(orsak|skal|anledning) (till|for) (uppsagning\w*|avslut\w*|uttrade\w*)|atervunn\w*",
        r"(kunde?|medlems|abonnements|abonnemangs|konto|avtale|avtals|aftale|kontrakts)status",
    ),
}
"""Meaning -> what says it."""

LEFT = frozenset({
    "oppsagt", "opsagt", "uppsagd", "utmeldt", "udmeldt", "avsluttet", "afsluttet", "avslutad",
    "sluttet", "opphørt", "ophørt", "uttradd", "avgatt", "tidligere kunde", "tidligere medlem",
    "tidigare kund", "tidigare medlem",
})  # fmt: skip
"""Cells of customers who left."""
YES = frozenset({"sann", "sand", "sant"})
NO = frozenset({"nei", "nej", "usann", "falsk", "falskt"})
"""Cells that mean yes and no; `ja` is German, too."""
