"""SHP-2 and HH-RLHF as pairs of replies to one prompt, of which people preferred one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, FiniteFloat

from churn_assets.datasets.config import PreferencesConfig
from churn_assets.datasets.texts import parse, read_jsonl, text_key, tidy

_HUMAN = "\n\nHuman:"
_ASSISTANT = "\n\nAssistant:"


class Dialogue(BaseModel):
    """A line of HH-RLHF: two whole dialogues."""

    chosen: str
    rejected: str


class Comments(BaseModel):
    """A line of SHP-2: two comments on a post; `labels` is 1 where A has more votes."""

    history: str
    human_ref_A: str  # noqa: N815 - the source's own name
    human_ref_B: str  # noqa: N815
    labels: Literal[0, 1]
    score_ratio: FiniteFloat


Pair = dict[str, str]


def clean(files: Sequence[Path], config: PreferencesConfig) -> tuple[list[Pair], dict[str, Any]]:
    """Pairs `{prompt, chosen, rejected, source, group}`, and what was left out.

    Compared is the last turn; the prompt is the whole dialogue before it, its turns after the
    first marked `Human:` and `Assistant:`. Left out are dialogues that differ before their last
    turn, empty or equal replies, SHP comments without a clear majority, and repeated pairs.
    `group` names the first turn, so that all turns of one dialogue stay on one side of a split.

    Raises:
        CorruptFileError: a line is neither of the two formats.
    """
    limits = {"hh-rlhf": config.hh.limit, "shp-2": config.shp.limit}
    taken = dict.fromkeys(limits, 0)
    notes = {"raw_rows": 0, "dropped_unusable": 0, "dropped_duplicates": 0, "over_limit": 0}
    pairs: dict[tuple[str, str, str], Pair] = {}
    for path in files:
        for line, value in read_jsonl(path):
            notes["raw_rows"] += 1
            pair = _pair(value, path, line, config.minimum_score_ratio)
            if pair is None:
                notes["dropped_unusable"] += 1
                continue
            key = (pair["prompt"], pair["chosen"], pair["rejected"])
            limit = limits[pair["source"]]
            if key in pairs:
                notes["dropped_duplicates"] += 1
            elif limit is not None and taken[pair["source"]] >= limit:
                notes["over_limit"] += 1
            else:
                taken[pair["source"]] += 1
                pairs[key] = pair
    return list(pairs.values()), {**notes, "pairs_by_source": taken}


def _pair(value: Any, path: Path, line: int, minimum_score_ratio: float) -> Pair | None:
    if isinstance(value, dict) and "history" in value:
        return _from_comments(parse(Comments, value, path, line), minimum_score_ratio)
    return _from_dialogue(parse(Dialogue, value, path, line))


def _from_comments(row: Comments, minimum_score_ratio: float) -> Pair | None:
    if row.score_ratio < minimum_score_ratio:
        return None
    replies = (row.human_ref_A, row.human_ref_B)
    chosen, rejected = replies if row.labels == 1 else replies[::-1]
    return _usable(row.history, chosen, rejected, "shp-2", opening=row.history)


def _from_dialogue(row: Dialogue) -> Pair | None:
    context, _, chosen = row.chosen.rpartition(_ASSISTANT)
    other, _, rejected = row.rejected.rpartition(_ASSISTANT)
    if context != other or _HUMAN in chosen + rejected:
        return None
    prompt = context.removeprefix(_HUMAN)
    return _usable(prompt, chosen, rejected, "hh-rlhf", opening=prompt.split(_ASSISTANT)[0])


def _usable(prompt: str, chosen: str, rejected: str, source: str, opening: str) -> Pair | None:
    prompt, chosen, rejected = tidy(prompt), tidy(chosen), tidy(rejected)
    if not (prompt and chosen and rejected) or chosen == rejected:
        return None
    return {
        "prompt": prompt,
        "chosen": chosen,
        "rejected": rejected,
        "source": source,
        "group": text_key(opening),
    }
