"""A model card beside every adapter: what it is, from what it was made, what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churn_assets.messages.config import MessagesConfig

NOT_YET_RUN = (
    "`facebook/opt-350m` on HH-RLHF and SHP-2: **not yet run** (needs a GPU). The figure to beat "
    "is a pair accuracy of 0.70 (DeepSpeed-Chat's reward model of the same size)."
)


def write_model_card(
    folder: Path, title: str, config: MessagesConfig, report: Mapping[str, Any]
) -> None:
    """Write `README.md` with settings, results and the digest of every weights file."""
    scalars = {k: v for k, v in report.items() if isinstance(v, int | float | str)}
    results = "\n".join(f"| {name} | {_shown(value)} |" for name, value in scalars.items())
    digests = "\n".join(
        f"| `{path.relative_to(folder)}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for path in sorted(folder.rglob("*.safetensors"))
    )
    card = f"""# {title}

Base model: `{config.base.source}`{f" at `{config.base.revision}`" if config.base.revision else ""}.
LoRA rank {config.lora.rank}, alpha {config.lora.alpha}, on {", ".join(config.lora.targets)}.

It writes retention messages with slots (`{{name}}`, `{{offer}}`, ...). Values are filled in
afterwards, never written by the model. Every message passes the safety shield or is replaced by a
reviewed template. Not for any other use: it knows no facts, and with the embedded base no English
beyond its grammar.

Trained on messages and preference pairs written by the project's grammar, with a small share of
OASST1 (Apache-2.0), HH-RLHF (MIT) and SHP-2 texts.

## Results

| measure | value |
|---|---|
{results}

{NOT_YET_RUN}

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


def _shown(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
