"""What a person is asked about a table that looks like the log of a campaign."""

from __future__ import annotations

import yaml

from churn_assets.customers.inspection.words import yes_of
from churn_assets.customers.quality.profile import ColumnProfile


def is_it_a_log(answer: ColumnProfile, offered: ColumnProfile | None) -> str:
    """The question, and what to write then: a contract's `campaign`, as far as columns tell it."""
    told = f"what came of it in {answer.name}"
    offer = "offer: {column: ..., levels: {...}}"
    if offered:
        told = f"what was offered in {offered.name} and {told}"
        levels = ", ".join(f"{quoted(cell)}: ..." for cell, _ in offered.top)
        more = ", ..." if offered.distinct > len(offered.top) else ""
        offer = f"offer: {{column: {quoted(offered.name)}, levels: {{{levels}{more}}}}}"
    outcome = f"outcome: {{column: {quoted(answer.name)}, yes: {quoted(yes_of(answer))}}}"
    return (
        f"is this the log of a campaign, with {told}? Then write campaign in place of tables, "
        f"identity, value and tenure: {{table: {{path: ...}}, {offer}, {outcome}, "
        "features: {...}}"
    )


def quoted(word: str) -> str:
    """A word as YAML writes it within braces."""
    return yaml.safe_dump([word], default_flow_style=True, allow_unicode=True, width=10_000)[1:-2]
