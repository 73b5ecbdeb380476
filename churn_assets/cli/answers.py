"""Answers of the API for a person or a program: a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN_ROWS = 50
DECISION = ("contact", "offer_percentage", "delay_days", "estimated_retention_prob")
METADATA = (
    "churn_risk",
    "accept_prob",
    "expected_value",
    "send_not_before",
    "message_source",
    "policy",
    "baseline",
    "release_id",
)
COLUMNS = ("row", "customer_id", *DECISION, *METADATA, "message")


class Format(StrEnum):
    """How answers are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def to_json(answers: Any) -> str:
    """Indented JSON with a final newline."""
    return json.dumps(answers, indent=2, ensure_ascii=False) + "\n"


def to_csv(answers: Sequence[dict[str, Any]]) -> str:
    """One line for each answer; the alternatives and reasons are left to JSON."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        known = {**answer, **answer["decision"], **answer["metadata"]}
        writer.writerow({name: known[name] for name in COLUMNS})
    return out.getvalue()


def to_table(answers: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """What a person wants to see of the first 50 answers.

    Args:
        width: columns of the screen; None asks the terminal.
    """
    table = Table("row", "customer", "contact", "leaves", "stays", "worth", "again", "message")
    for answer in answers[:SHOWN_ROWS]:
        decision, metadata = answer["decision"], answer["metadata"]
        offer = f"{decision['offer_percentage']} % off" if decision["offer_percentage"] else "yes"
        days = decision["delay_days"]
        table.add_row(
            str(answer["row"]),
            answer["customer_id"],
            offer if decision["contact"] else "no",
            f"{metadata['churn_risk']:.0%}",
            f"{decision['estimated_retention_prob']:.0%}",
            f"{metadata['expected_value']:.2f}",
            f"in {days} d" if days else "now",
            answer["message"] or "",
        )
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    if len(answers) > SHOWN_ROWS:
        console.print(f"… and {len(answers) - SHOWN_ROWS:,} more: --out FILE writes all of them")
    return console.export_text()
