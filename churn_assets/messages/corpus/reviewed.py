"""Reviewed templates: written and read by people, by offer, tenure band and tone, in each language.

`subject.json` and `subject.es.json` name something of the customer's: what their company's contract
has words for, else a service of theirs or their kind of contract, by the file's own words.
`reviewed.json` and `reviewed.es.json` name nothing, and suit those of whom nothing is known. Every
template passes the shield for every customer that it suits, whatever the name, bill and services; a
test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from churn_assets.customers.languages import Language
from churn_assets.messages.shield.brief import (
    CONTRACTS,
    SERVICES,
    TENURE_BANDS,
    TONES,
    Contract,
    Facts,
    Service,
    TenureBand,
    Tone,
)
from churn_assets.messages.shield.slots import OF_OWN_CONTRACTS

Topic = Service | Contract
Table = Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]
"""with_offer | without_offer -> tenure band -> tone -> templates."""
FILES = ("reviewed", "subject")
SLOT = f"{{{OF_OWN_CONTRACTS}}}"


class Subjects(NamedTuple):
    """A language's templates that have the slot of a subject, and its words for each topic."""

    words: Mapping[Topic, str]
    templates: Table


def templates_path(language: Language, name: str = "reviewed") -> Path:
    """The file of a language's templates; English has no tag in its name."""
    tag = "" if language == "en" else f".{language}"
    return Path(__file__).with_name(f"{name}{tag}.json")


@cache
def _table(language: Language) -> Table:
    """Of the templates that name nothing of the customer."""
    return _as_table(json.loads(templates_path(language).read_text(encoding="utf-8")))


@cache
def _subjects(language: Language) -> Subjects:
    raw = json.loads(templates_path(language, "subject").read_text(encoding="utf-8"))
    return Subjects(raw.pop("words"), _as_table(raw))


def _as_table(raw: Mapping[str, Mapping[str, Mapping[str, list[str]]]]) -> Table:
    return {
        kind: {
            band: {tone: tuple(templates) for tone, templates in tones.items()}
            for band, tones in bands.items()
        }
        for kind, bands in raw.items()
    }


def _of(table: Table, offer: int, band: TenureBand, tone: Tone) -> tuple[str, ...]:
    return table["with_offer" if offer else "without_offer"][band][tone]


def reviewed_for(
    offer: int, band: TenureBand, tone: Tone, language: Language = "en"
) -> tuple[str, ...]:
    """Templates that name nothing, for an offer (percent), tenure band and tone; at least two."""
    return _of(_table(language), offer, band, tone)


def subject_templates(facts: Facts) -> tuple[str, ...]:
    """The reviewed templates that speak of a brief's subject, in its language; none where it has
    none."""
    if not facts.has_subject:
        return ()
    return _of(_subjects(facts.language).templates, facts.offer_percentage, facts.band, facts.tone)


def topic_templates(facts: Facts) -> tuple[str, ...]:
    """The reviewed templates that name one of the customer's services or their kind of contract, in
    the brief's language, topic by topic; none for whom neither is known."""
    topics = (*facts.services, *(() if facts.contract is None else (facts.contract,)))
    return tuple(
        template
        for topic in topics
        for template in about(topic, facts.offer_percentage, facts.band, facts.tone, facts.language)
    )


@cache
def about(
    topic: Topic, offer: int, band: TenureBand, tone: Tone, language: Language = "en"
) -> tuple[str, ...]:
    """The reviewed templates that name a service or a kind of contract; at least two."""
    words, templates = _subjects(language)
    return tuple(t.replace(SLOT, words[topic]) for t in _of(templates, offer, band, tone))


def reviewed_templates(facts: Facts) -> tuple[str, ...]:
    """The reviewed templates that name nothing, for a brief, in its language; at least two."""
    return reviewed_for(facts.offer_percentage, facts.band, facts.tone, facts.language)


REVIEWED_IN_TURN = (subject_templates, topic_templates, reviewed_templates)
"""What names more of the customer goes before what names less, and the last has always some."""


def all_reviewed(language: Language) -> tuple[str, ...]:
    """Every reviewed template of a language, those with a subject or topic included."""
    topics = (
        template
        for topic, offer, band, tone in product(
            (*SERVICES, *CONTRACTS), (0, 5), TENURE_BANDS, TONES
        )
        for template in about(topic, offer, band, tone, language)
    )
    return (*_all_of(_table(language)), *_all_of(_subjects(language).templates), *topics)


def _all_of(table: Table) -> Iterator[str]:
    for bands in table.values():
        for tones in bands.values():
            for templates in tones.values():
                yield from templates
