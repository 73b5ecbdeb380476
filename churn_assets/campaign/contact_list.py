"""The list that leaves for the mail or dialler system: one row a contact, with its words.

`contact_rows(...)` makes the rows; `write_list` writes them as Parquet, CSV or JSON Lines. Messages
carry merge tags instead of names, in the receiving system's dialect; where a first name is known,
the filled text stands beside it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.campaign.config import Dialect
from churn_assets.campaign.eligibility import NOBODY, Window
from churn_assets.campaign.people import Person
from churn_assets.customers.languages import served_language
from churn_assets.domain.cells import inert
from churn_assets.messages.shield.slots import fill
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.messages.writing.writer import Message
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.explain import top_reasons
from churn_assets.storage.trees import write_atomically

LIST = pa.schema(
    [
        ("customer_id", pa.string()),
        ("decision_id", pa.string()),
        ("channel", pa.string()),
        ("offer_percentage", pa.int64()),
        ("send_not_before", pa.string()),
        ("send_not_after", pa.string()),
        ("zone", pa.string()),
        ("language", pa.string()),
        ("message", pa.string()),
        ("message_filled", pa.string()),
        ("shield_passed", pa.bool_()),
        ("shield_violations", pa.string()),
        ("message_source", pa.string()),
        ("reason", pa.string()),
        ("expected_value", pa.float64()),
        ("expected_cost", pa.float64()),
    ]
)
FORMATS = (".csv", ".parquet", ".jsonl")
UNKNOWN_ZONE = "unknown: hours that all of the company's zones allow"
TAGS: Mapping[Dialect, tuple[str, str]] = {
    "liquid": ("{{{{ {} }}}}", "customer.first_name"),
    "handlebars": ("{{{{{}}}}}", "first_name"),
    "mailchimp": ("*|{}|*", "FNAME"),
}
"""Dialect -> how a merge field is written, and the first name's usual one."""
SOMEBODY = "Sam"  # stands in while the shield judges a message whose name is filled in elsewhere
REASONS = 2  # of a risk, in words


def name_tag(dialect: Dialect, field: str = "") -> str:
    """The merge tag of the first name; of the dialect's usual field where none is named."""
    form, usual = TAGS[dialect]
    return form.format(field or usual)


def contact_rows(
    contacts: Sequence[Mapping[str, Any]],
    windows: Sequence[Window],
    customers: Mapping[str, Mapping[str, Any]],
    people: Mapping[str, Person],
    engine: RetentionEngine,
    seed: str,
    tag: str,
    drawn: Mapping[str, str],
    zones: Sequence[str],
) -> list[dict[str, Any]]:
    """The list's rows, columns as in `LIST`.

    Args:
        contacts: rows of a plan's contacts.
        windows: when each may be sent.
        customers: customer id -> the row of their prediction.
        seed: of the release's messages (`message_seed`).
        tag: the merge tag that stands for the first name.
        drawn: decision id -> id of the template that was drawn for it, where one was.
        zones: where customers live, for those whose zone isn't known.
    """
    elsewhere = zones[0] if len(zones) == 1 else UNKNOWN_ZONE  # one zone is the hours' own
    reasons = _reasons([customers[contact["customer_id"]] for contact in contacts], engine)
    rows = []
    for contact, window, reason in zip(contacts, windows, reasons, strict=True):
        customer = customers[contact["customer_id"]]
        person = people.get(contact["customer_id"], NOBODY)
        message = message_of(
            engine,
            contact,
            customer,
            person,
            window.not_before,
            f"{contact['customer_id']}:{seed}",
            wanted=drawn.get(contact["decision_id"]),
        )
        tagged = fill(message.template, {**message.values, "name": tag})
        rows.append(
            {
                "customer_id": contact["customer_id"],
                "decision_id": contact["decision_id"],
                "channel": contact["channel"],
                "offer_percentage": contact["offer_percentage"],
                "send_not_before": window.not_before.isoformat(),
                "send_not_after": window.not_after.isoformat(),
                "zone": person.zone or elsewhere,
                "language": _language(person, engine),
                "message": tagged,
                "message_filled": message.text if person.first_name else None,
                "shield_passed": message.verdict.passed,
                "shield_violations": ", ".join(message.verdict.violations),
                "message_source": message.source,
                "reason": reason,
                "expected_value": round(contact["expected_value"], 2),
                "expected_cost": round(contact["expected_cost"], 2),
            }
        )
    return rows


def _language(person: Person, engine: RetentionEngine) -> str:
    """What the message is written in, and that it isn't the customer's where it isn't."""
    asked = person.language or engine.defaults.language
    language, is_missing = served_language(asked)
    return f"{language}: nothing is reviewed in {asked}" if is_missing else language


def message_of(
    engine: RetentionEngine,
    contact: Mapping[str, Any],
    customer: Mapping[str, Any],
    person: Person,
    when: datetime,
    seed: str,
    chooser: TemplateChooser | None = None,
    wanted: str | None = None,
) -> Message:
    """A contact's message; `seed`, `chooser` and `wanted` as `MessageWriter.write` has them."""
    brief = engine.brief_of(
        customer,
        contact["offer_percentage"],
        when,
        name=person.first_name or SOMEBODY,
        language=served_language(person.language or engine.defaults.language)[0],
    )
    return engine.writer.write(brief, seed, chooser, wanted)


def _reasons(rows: Sequence[Mapping[str, Any]], engine: RetentionEngine) -> list[str]:
    """What raises each customer's risk most, in words; empty where nothing does."""
    if not rows:
        return []
    _, contributions = engine.assessor.risk.explain(rows)
    names = engine.assessor.reasons[: contributions.shape[1]]
    found = top_reasons(names, contributions, rows, len(names), engine.form.wording)
    raising = [[r["text"] for r in some if r["contribution"] > 0] for some in found]
    return ["; ".join(texts[:REASONS]) for texts in raising]


def write_list(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write the rows, in the format that the file's name ends with, whole or not at all.

    Raises:
        ValueError: it ends with none of `FORMATS`.
    """
    write_atomically(file, list_bytes(rows, file.suffix.lower()))


def list_bytes(rows: Sequence[Mapping[str, Any]], suffix: str) -> bytes:
    """The rows as the content of a file; raises ValueError for another suffix than `FORMATS`."""
    if suffix == ".csv":
        return _csv(rows)
    if suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        return "".join(line + "\n" for line in lines).encode()
    if suffix == ".parquet":
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=LIST), out)
        return out.getvalue()
    raise ValueError(f"name the list {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def _csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(LIST.names)
    for row in rows:
        writer.writerow([inert(row[name]) for name in LIST.names])
    return out.getvalue().encode()
