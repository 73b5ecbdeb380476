"""Briefs for the tests: one to vary, and hypothesis strategies for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.shield.brief import CONTRACTS, SERVICES, TONES, MessageBrief
from churn_assets.messages.shield.names import read_name
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.shield.verdict import Verdict
from churn_assets.messages.writing.renderer import Renderer

RENDERER = Renderer("$", 12)
NOON = datetime(2026, 5, 5, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))
SAM = MessageBrief(
    name="Sam",
    tenure=12,
    offer_percentage=10,
    monthly_charges=89.99,
    contract="Month-to-month",
    local_time=NOON,
)


def brief(**changes: Any) -> MessageBrief:
    return replace(SAM, **changes)


def judged(shield: Shield, text: str, made: MessageBrief) -> Verdict:
    """What the shield says of a text that was filled as the tests' messages are."""
    return shield.check_text(text, made, RENDERER.values(made))


names = st.text(
    st.characters(categories=["Lu", "Ll", "Lo", "Mn"], include_characters=" '’-."),
    min_size=1,
    max_size=40,
).filter(lambda text: text.strip() and read_name(text).text)

briefs = st.builds(
    MessageBrief,
    name=names,
    tenure=st.integers(0, 1200),
    offer_percentage=st.sampled_from(OFFER_PERCENTAGES),
    monthly_charges=st.floats(0, 99_999_999.99),
    contract=st.sampled_from(CONTRACTS),
    local_time=st.just(NOON),
    services=st.lists(st.sampled_from(SERVICES), unique=True).map(tuple),
    tone=st.sampled_from(TONES),
)
