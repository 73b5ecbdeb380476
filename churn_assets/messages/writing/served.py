"""What customers would be sent: random briefs through the writer, counted. Needs no torch."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.statistics import share
from churn_assets.messages.corpus.prompts import SERVICE_SETS
from churn_assets.messages.models.evaluation import is_right
from churn_assets.messages.shield.brief import CONTRACTS, TONES, MessageBrief
from churn_assets.messages.writing.writer import MessageWriter

SERVED = 2_000
SHOWN = 8
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
# Short, long and of many scripts: what the served messages are tried on.
NAMES = (
    "Sam", "X", "José", "Nguyễn Thị Minh Khai", "O’Brien", "Anne-Marie", "محمد", "अनिल कुमार",
    "李小龙", "Иван Петров", "Brian Hurry", "Wolfeschlegelsteinhausenbergerdorffsmith",
)  # fmt: skip


def serve_everybody(writer: MessageWriter) -> dict[str, Any]:
    """Serve random customers as the API would, and count what passes and who wrote it."""
    rng = random.Random(0)
    served = []
    for i in range(SERVED):
        brief = MessageBrief(
            name=rng.choice(NAMES),
            tenure=rng.randint(0, 80),
            offer_percentage=rng.choice(OFFER_PERCENTAGES),
            monthly_charges=round(rng.uniform(18, 120), 2),
            contract=rng.choice(CONTRACTS),
            local_time=NOON,
            services=rng.choice(SERVICE_SETS),
            tone=rng.choice(TONES),
        )
        message = writer.write(brief, f"C{i}")
        verdict = writer.shield.check_text(message.text, brief, message.values)
        right = is_right(
            message.text,
            brief,
            currency=writer.renderer.currency,
            offer_months=writer.renderer.offer_months,
        )
        served.append((message, verdict.passed, right))
    generated = [message for message, _, _ in served if message.source != "template"]
    return {
        **share(sum(passed for _, passed, _ in served), SERVED).as_dict("served_pass_rate"),
        **share(sum(right for _, _, right in served), SERVED).as_dict("served_right_rate"),
        "served_by_model": sum(m.source == "model" for m in generated) / SERVED,
        "served_by_grammar": sum(m.source == "grammar" for m in generated) / SERVED,
        "different_templates": len({message.template for message, _, _ in served}),
        "samples": [{"text": m.text, "source": m.source} for m, _, _ in served[:SHOWN]],
    }
