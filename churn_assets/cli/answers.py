"""Answers of the API for a person or a program: a table, CSV or JSON, written as they come."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from churn_assets.domain.cells import inert
from churn_assets.storage.trees import written_atomically

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
OUTCOMES = ("decision_id", "group", "action_probability")
"""What an outcome is held against; the first two where the decision was recorded, and an experiment
runs."""
COLUMNS = (
    *("row", "customer_id", *DECISION, *METADATA),
    *("message", "warnings", "excluded", *OUTCOMES),
)
ANSWER = ("decision", "message", "safety", "metadata")  # the specification's keys, in its order


class Format(StrEnum):
    """How answers are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Answers:
    """Answers in one of the formats, as pieces of text; holds no more than the table shows.

    Attributes:
        form: of all of them.
        one: there is one, which in JSON is the API's own.
        emit: takes each piece.
        count: answers so far.
    """

    def __init__(self, form: Format, emit: Callable[[str], None], *, one: bool = False) -> None:
        self.form, self.emit, self.one = form, emit, one
        self.count = 0
        self._shown: list[dict[str, Any]] = []

    def add(self, answers: Sequence[dict[str, Any]]) -> None:
        """Write some more."""
        for answer in answers:
            if self.form == Format.TABLE:
                self._shown += [answer] if self.count < SHOWN_ROWS else []
            elif self.form == Format.CSV:
                self.emit(_csv_line(answer, with_header=not self.count))
            elif self.one:
                self.emit(to_json({key: answer[key] for key in ANSWER}))
            else:
                start = ",\n" if self.count else "[\n"
                self.emit(start + textwrap.indent(to_json(answer).rstrip(), "  "))
            self.count += 1

    def close(self) -> None:
        """Write what comes after the last one."""
        if self.form == Format.TABLE:
            self.emit(to_table(self._shown, self.count))
        elif self.form == Format.JSON and not self.one:
            self.emit("\n]\n")


@contextmanager
def written_answers(out: Path | None, form: Format, *, one: bool) -> Iterator[Answers]:
    """Answers to a file, which is there whole afterwards or not at all, or to the screen (None).

    Without any answer nothing is written.
    """
    if out is None:
        answers = Answers(form, lambda text: typer.echo(text, nl=False), one=one)
        yield answers
        if answers.count:
            answers.close()
        return
    try:
        # A pipe or a terminal is written to as it is.
        ordinary = out.is_file() or not out.exists()
        with written_atomically(out) if ordinary else out.open("wb") as file:
            answers = Answers(form, lambda text: _write(file, text), one=one)
            yield answers
            if not answers.count:
                raise _NothingToWriteError
            answers.close()
    except _NothingToWriteError:
        pass


class _NothingToWriteError(Exception):
    """Takes back a file that nothing was written to."""


def _write(file: Any, text: str) -> None:
    file.write(text.encode())


def to_json(value: Any) -> str:
    """Indented JSON with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _csv_line(answer: dict[str, Any], *, with_header: bool) -> str:
    """One line for an answer; the alternatives and reasons are left to JSON."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    if with_header:
        writer.writeheader()
    known = dict.fromkeys(OUTCOMES) | {**answer, **answer["decision"], **answer["metadata"]}
    known["warnings"] = "; ".join(known["warnings"])
    known["excluded"] = known.get("excluded", {}).get("rule")
    writer.writerow({name: inert(known[name]) for name in COLUMNS})
    return out.getvalue()


def to_table(
    answers: Sequence[dict[str, Any]], count: int | None = None, width: int | None = None
) -> str:
    """What a person wants to see of the first answers.

    Args:
        count: how many there are in all; None: these.
        width: columns of the screen; None asks the terminal.
    """
    table = Table("row", "customer", "contact", "leaves", "stays", "worth", "again", "message")
    for answer in answers:
        decision, metadata = answer["decision"], answer["metadata"]
        offer = f"{decision['offer_percentage']} % off" if decision["offer_percentage"] else "yes"
        days = decision["delay_days"]
        warned = [f"Warning: {escape(warning)}" for warning in metadata["warnings"]]
        if excluded := metadata.get("excluded"):
            warned.append(f"Not to be contacted: {excluded['text']}")
        table.add_row(
            str(answer["row"]),
            escape(answer["customer_id"]),
            offer if decision["contact"] else "no",
            f"{metadata['churn_risk']:.0%}",
            f"{decision['estimated_retention_prob']:.0%}",
            f"{metadata['expected_value']:.2f}",
            f"in {days} d" if days else "now",
            "\n".join(filter(None, (answer["message"], *warned))),
        )
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    if more := (count or len(answers)) - len(answers):
        console.print(f"… and {more:,} more: --out FILE writes all of them")
    return console.export_text()
