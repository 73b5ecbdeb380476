"""The message bank: templates generated, shielded and scored beforehand, one cell per brief."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.shield.brief import (
    CONTRACTS,
    TENURE_BANDS,
    TONES,
    Contract,
    MessageBrief,
    TenureBand,
    Tone,
)

Author = Literal["model", "grammar"]
REVIEWED = "reviewed"  # the method that needs no bank


class Cell(NamedTuple):
    """Customers to whom the same templates may be sent.

    Attributes:
        offer: built-in percentage of the level: 0, 5, 10 or 15.
        band: of the tenure.
    """

    offer: int
    band: TenureBand
    contract: Contract
    tone: Tone

    @classmethod
    def of(cls, brief: MessageBrief) -> Cell:
        """The brief's cell; raises ValueError for a contract of no kind, of which there is none."""
        return cls(brief.known_offer, brief.band, brief.kind_of_contract, brief.tone)


class ScoredTemplate(NamedTuple):
    """A message with slots, and its reward-model score: any real number, the larger the better."""

    text: str
    score: float


def all_cells() -> list[Cell]:
    """Every (offer, tenure band, contract, tone): 4 x 3 x 3 x 4 = 144."""
    return [
        Cell(offer, band, contract, tone)
        for offer in OFFER_PERCENTAGES
        for band in TENURE_BANDS
        for contract in CONTRACTS
        for tone in TONES
    ]


class MessageBank:
    """Templates per cell, best first by reward-model score; `author` is who wrote them.

    `reviewed_first`: reviewed templates are better than these, which only answers may bring in.
    """

    def __init__(
        self,
        cells: Mapping[Cell, Iterable[ScoredTemplate]],
        author: Author = "model",
        *,
        reviewed_first: bool = False,
    ) -> None:
        self.author = author
        self.reviewed_first = reviewed_first
        self._cells = {
            cell: tuple(sorted(templates, key=lambda t: (-t.score, t.text)))
            for cell, templates in cells.items()
        }

    def candidates(self, brief: MessageBrief, seed: str = "") -> tuple[ScoredTemplate, ...]:
        """The cell's templates, best first; empty when the bank has none for this brief."""
        return () if brief.contract is None else self._cells.get(Cell.of(brief), ())

    def __len__(self) -> int:
        return sum(len(templates) for templates in self._cells.values())

    def cells(self) -> Mapping[Cell, tuple[ScoredTemplate, ...]]:
        """Every cell with its templates, best first; () where it has none."""
        return self._cells

    def save(self, path: Path) -> None:
        """Write the bank as JSON, as `load` reads it."""
        rows = [
            {**cell._asdict(), "templates": [t._asdict() for t in templates]}
            for cell, templates in self._cells.items()
        ]
        saved = {"author": self.author, "reviewed_first": self.reviewed_first, "cells": rows}
        path.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> MessageBank:
        """Read a saved bank; raises ValueError naming the file when it is not one."""
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            rows, author = saved["cells"], saved.get("author", "model")  # older banks name none
            if author not in get_args(Author):
                raise ValueError(f"author {author!r} is none of {get_args(Author)}")
            return cls(
                {
                    Cell(row["offer"], row["band"], row["contract"], row["tone"]): [
                        ScoredTemplate(str(t["text"]), float(t["score"])) for t in row["templates"]
                    ]
                    for row in rows
                },
                author,
                reviewed_first=bool(saved.get("reviewed_first", False)),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no message bank: {error!r}") from error
