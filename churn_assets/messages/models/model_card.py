"""A model card beside every model: what it is, from what it was made, what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churn_assets.messages.config import BaseSettings
from churn_assets.messages.profiles import OPT_350M

NOT_YET_RUN = (
    "`facebook/opt-350m` on HH-RLHF and SHP-2: **not yet run** (needs a GPU). Published for it, on "
    "a like set: a pair accuracy of 0.599 to 0.612."
)


def write_model_card(
    folder: Path,
    title: str,
    config: BaseSettings,
    report: Mapping[str, Any],
    inputs: Mapping[str, Path],
) -> None:
    """Write `README.md` with data, settings, results and the digest of every weights file.

    The data are what the inputs' `dataset.json` say of themselves.
    """
    scalars = {k: v for k, v in report.items() if isinstance(v, int | float | str)}
    results = "\n".join(f"| {name} | {_shown(value)} |" for name, value in scalars.items())
    digests = "\n".join(
        f"| `{path.relative_to(folder)}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for path in sorted(folder.rglob("*.safetensors"))
    )
    card = f"""# {title}

Base model: `{config.base.source}`{f" at `{config.base.revision}`" if config.base.revision else ""}.

A part of the message writer, which writes retention messages with slots (`{{name}}`, `{{offer}}`,
...). Values are filled in afterwards, never written by the model. Every message passes the safety
shield or is replaced by a reviewed template. Not for any other use: it knows no facts, and with the
embedded base no English beyond its grammar.

## Data

{_data(inputs)}

## Results

`_lower` and `_upper` are the ends of a 95 % interval.

| measure | value |
|---|---|
{results}
{_by_source(report)}{"" if config.base.source == OPT_350M else f"{chr(10)}{NOT_YET_RUN}{chr(10)}"}
## Files

| file | sha256 |
|---|---|
{digests}

## Settings

```json
{json.dumps(config.model_dump(mode="json"), indent=1)}
```
"""
    (folder / "README.md").write_text(card, encoding="utf-8")


def _data(inputs: Mapping[str, Path]) -> str:
    cards = {
        name: json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        for name, folder in inputs.items()
        if (folder / "dataset.json").exists()  # the other inputs are models
    }
    if not cards:
        return "None of its own: it learns from the scores of what it writes."
    rows = "\n".join(
        f"| {name} | {card['source']} | {card['splits']['train']} | {card['splits']['test']} |"
        for name, card in cards.items()
    )
    return f"""| data set | source | rows to train on | held out |
|---|---|---|---|
{rows}

How many of the public texts (OASST1, Apache-2.0; HH-RLHF, MIT; SHP-2) are trained on is set by
`corpus` in the settings below."""


def _by_source(report: Mapping[str, Any]) -> str:
    """Pair accuracy by source; the texts that were cut are not judged as people judged them."""
    if "interval_by_source" not in report:
        return ""
    rows = "\n".join(
        f"| {name} | {of['accuracy']:.3f} [{of['accuracy_lower']:.3f}, {of['accuracy_upper']:.3f}] "
        f"| {report['cut_share_by_source'][name]:.1%} |"
        for name, of in report["interval_by_source"].items()
    )
    return f"""
| held-out pairs of | accuracy, 95 % interval | longer than the model reads |
|---|---|---|
{rows}
"""


def _shown(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
