"""The project's own training text: messages and preference pairs, written by the grammar.

Splits differ by template family: openings, offers' leads and messages without an offer of `test`,
and the words of its flaws, stand in no training text. Greetings, reasons (with what the varied
grammar says behind them), the offers' objects and closings are the same in both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from churn_assets.datasets.texts import write_jsonl
from churn_assets.messages.config import CorpusConfig
from churn_assets.messages.corpus.flaws import taught, write_pair
from churn_assets.messages.corpus.grammar import SPLITS, Split, grammar, write_message
from churn_assets.messages.corpus.prompts import random_situation

SOURCE = "grammar"
HELD_OUT_SHARE = 0.2  # of the training size


def _size(total: int, split: Split) -> int:
    return total if split == "train" else max(60, int(total * HELD_OUT_SHARE))


def write_messages(config: CorpusConfig, split: Split) -> Iterator[dict[str, Any]]:
    """Rows {prompt, response, source, group}; group is the template family."""
    rng = random.Random(f"{config.seed}-messages-{split}")
    families = grammar(config.phrasing).families_of(split)
    for _ in range(_size(config.messages, split)):
        situation, family = random_situation(rng), rng.choice(families)
        response = write_message(rng, situation, family, phrasing=config.phrasing)
        yield {
            "prompt": situation.prompt,
            "response": response,
            "source": SOURCE,
            "group": family,
        }


def write_preferences(config: CorpusConfig, split: Split) -> Iterator[dict[str, Any]]:
    """Rows {prompt, chosen, rejected, source, group, flaw}; in the turn of `taught`."""
    rng = random.Random(f"{config.seed}-pairs-{split}")
    families, flaws = grammar(config.phrasing).families_of(split), taught(split)
    for i in range(_size(config.pairs, split)):
        flaw = flaws[i % len(flaws)]
        situation, family = random_situation(rng), rng.choice(families)
        chosen, rejected = write_pair(rng, situation, family, flaw, config.phrasing)
        yield {
            "prompt": situation.prompt,
            "chosen": chosen,
            "rejected": rejected,
            "source": SOURCE,
            "group": family,
            "flaw": flaw,
        }


def read_jsonl(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The first `limit` rows; raises FileNotFoundError or json.JSONDecodeError."""
    with path.open(encoding="utf-8") as file:
        lines: Sequence[str] = file.readlines()[:limit]
    return [json.loads(line) for line in lines]


def write_corpus(kind: str, config: CorpusConfig, out: Path) -> dict[str, Any]:
    """Write `messages` or `preferences` into `out` with its dataset.json, which is returned."""
    write = {"messages": write_messages, "preferences": write_preferences}[kind]
    sizes = {}
    for split in SPLITS:
        rows = list(write(config, split))
        write_jsonl(rows, out / f"{split}.jsonl")
        sizes[split] = len(rows)
    card = {
        "source": SOURCE,
        "rows": sum(sizes.values()),
        "splits": sizes,
        "families": {split: grammar(config.phrasing).families_of(split) for split in SPLITS},
        "seed": config.seed,
    }
    (out / "dataset.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card
