"""Reviewed templates: what is sent when no generated template passes the shield.

`reviewed.json` is written and read by people. Every one passes the shield for every customer of
its tenure band and tone, whatever the name, bill and services; a test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from churn_assets.messages.shield.brief import MessageBrief, TenureBand, Tone

TEMPLATES_PATH = Path(__file__).with_name("reviewed.json")


@cache
def _table() -> Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]:
    """with_offer | without_offer -> tenure band -> tone -> templates."""
    raw = json.loads(TEMPLATES_PATH.read_text(encoding="utf-8"))
    return {
        kind: {
            band: {tone: tuple(templates) for tone, templates in tones.items()}
            for band, tones in bands.items()
        }
        for kind, bands in raw.items()
    }


def reviewed_for(offer: int, band: TenureBand, tone: Tone) -> tuple[str, ...]:
    """The reviewed templates for an offer (percent), tenure band and tone; at least two."""
    return _table()["with_offer" if offer else "without_offer"][band][tone]


def reviewed_templates(brief: MessageBrief) -> tuple[str, ...]:
    """The reviewed templates for this brief; at least two."""
    return reviewed_for(brief.offer_percentage, brief.band, brief.tone)
