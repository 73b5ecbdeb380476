"""Reviewed templates: what is sent when no generated template passes the shield.

`templates.json` is written and read by people. Every one passes the shield for every customer of
its tenure band, whatever the name, bill and services; a test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from churn_assets.messages.shield.brief import MessageBrief

TEMPLATES_PATH = Path(__file__).with_name("templates.json")


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


def reviewed_templates(brief: MessageBrief) -> tuple[str, ...]:
    """The reviewed templates for this offer, tenure band and tone; at least two."""
    kind = "with_offer" if brief.offer_percentage else "without_offer"
    return _table()[kind][brief.band][brief.tone]
