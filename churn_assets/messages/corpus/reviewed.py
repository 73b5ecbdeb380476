"""Reviewed templates: what is sent when no generated template passes the shield.

`reviewed.json` (English) and `reviewed.es.json` (Spanish) are written and read by people. Every one
passes the shield for every customer of its tenure band and tone, whatever the name, bill and
services; a test holds that. `subject.json` and `subject.es.json` have those that speak of what a
company's contract has words for, in that language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from churn_assets.messages.shield.brief import MessageBrief, TenureBand, Tone
from churn_assets.messages.shield.language import Language


def templates_path(language: Language, stem: str = "reviewed") -> Path:
    """The file of a language's templates; English has no tag in its name."""
    name = f"{stem}.json" if language == "en" else f"{stem}.{language}.json"
    return Path(__file__).with_name(name)


@cache
def _table(language: Language) -> Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]:
    """with_offer | without_offer -> tenure band -> tone -> templates."""
    raw = json.loads(templates_path(language).read_text(encoding="utf-8"))
    return {
        kind: {
            band: {tone: tuple(templates) for tone, templates in tones.items()}
            for band, tones in bands.items()
        }
        for kind, bands in raw.items()
    }


def reviewed_for(
    offer: int, band: TenureBand, tone: Tone, language: Language = "en"
) -> tuple[str, ...]:
    """The reviewed templates for an offer (percent), tenure band and tone; at least two."""
    return _table(language)["with_offer" if offer else "without_offer"][band][tone]


def every_reviewed_template(language: Language = "en") -> list[str]:
    """All reviewed templates of the language, whatever the customer."""
    return [
        template
        for bands in _table(language).values()
        for tones in bands.values()
        for templates in tones.values()
        for template in templates
    ]


@cache
def _of_subjects(language: Language) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """with_offer | without_offer -> tone -> templates that speak of the brief's subject."""
    raw = json.loads(templates_path(language, "subject").read_text(encoding="utf-8"))
    return {
        kind: {tone: tuple(templates) for tone, templates in tones.items()}
        for kind, tones in raw.items()
    }


def subject_templates(brief: MessageBrief) -> tuple[str, ...]:
    """The reviewed templates that speak of the brief's subject, in its language; none where it has
    none."""
    if brief.subject is None:
        return ()
    kind = "with_offer" if brief.offer_percentage else "without_offer"
    return _of_subjects(brief.language)[kind][brief.tone]


def all_reviewed(language: Language) -> tuple[str, ...]:
    """Every reviewed template of a language, those with a subject included."""
    bands = [tones for bands in _table(language).values() for tones in bands.values()]
    tones = [*bands, *_of_subjects(language).values()]
    return tuple(text for each in tones for texts in each.values() for text in texts)


def reviewed_templates(brief: MessageBrief) -> tuple[str, ...]:
    """The reviewed templates for this brief, in its language; at least two."""
    return reviewed_for(brief.offer_percentage, brief.band, brief.tone, brief.language)
