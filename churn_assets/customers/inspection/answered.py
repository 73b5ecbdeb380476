"""What a person is asked about a table that looks like the log of a campaign."""

from __future__ import annotations

import yaml

from churn_assets.customers.headings import says
from churn_assets.customers.inspection.words import means_yes, yes_of
from churn_assets.customers.quality.profile import ColumnProfile


def accepted_in(column: ColumnProfile) -> str | None:
    """The one of a column's few words that says that an offer was taken, beside such as "refused"
    and "no answer"; None where none does, or several."""
    if column.guess != "category" or column.distinct > len(column.top):
        return None
    taken = [w for w, _ in column.top if means_yes(w) or says(w, "answer", whole=True)]
    return taken[0] if len(taken) == 1 else None


def is_it_a_log(
    answer: ColumnProfile, offered: ColumnProfile | None, whom: ColumnProfile | None
) -> str:
    """The question, and what to write then: a contract's `campaign`, as far as columns tell it;
    `whom` its contacts reached, some of them more than once."""
    told = f"what came of it in {answer.name}"
    offer = "offer: {column: ..., levels: {...}}"
    if offered:
        told = f"what was offered in {offered.name} and {told}"
        levels = ", ".join(f"{quoted(cell)}: ..." for cell, _ in offered.top)
        more = ", ..." if offered.distinct > len(offered.top) else ""
        offer = f"offer: {{column: {quoted(offered.name)}, levels: {{{levels}{more}}}}}"
    yes = accepted_in(answer) or yes_of(answer)
    outcome = f"outcome: {{column: {quoted(answer.name)}, yes: {quoted(yes)}}}"
    customer = f"customer: {quoted(whom.name)}, " if whom else ""
    return (
        f"is this the log of a campaign, with {told}? Then write campaign in place of tables, "
        f"identity, value and tenure: {{table: {{path: ...}}, {customer}{offer}, {outcome}, "
        "features: {...}}"
    )


def quoted(word: str) -> str:
    """A word as YAML writes it within braces."""
    return yaml.safe_dump([word], default_flow_style=True, allow_unicode=True, width=10_000)[1:-2]
