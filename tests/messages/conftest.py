"""A trained chain of tiny stages, made once for all tests of the area."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from churn_assets.messages.config import (
    BaseModelConfig,
    CorpusConfig,
    GenerationConfig,
    MessageBankConfig,
    MessagesConfig,
    PpoTextConfig,
    RewardConfig,
    SftConfig,
)

TINY = MessagesConfig(
    threads=1,
    corpus=CorpusConfig(messages=300, pairs=150, public_dialogues=2, public_pairs=2),
    base=BaseModelConfig(
        vocabulary=400, hidden_size=32, projection=16, feed_forward=64, layers=2, heads=2, steps=12
    ),
    sft=SftConfig(steps=2, batch=8),
    reward=RewardConfig(steps=4, batch=8, comparisons=40),
    ppo=PpoTextConfig(
        iterations=4, batch=8, minibatch=4, checkpoint_every=2, evaluation_samples=12
    ),
    generation=GenerationConfig(max_new_tokens=16),
    bank=MessageBankConfig(candidates=1, keep=1),
)
PUBLIC = {
    "oasst1_pairs": {"prompt": "Why is the sky blue?", "response": "Because air scatters blue."},
    "preference_pairs": {"prompt": "Hello", "chosen": "Hello to you.", "rejected": "Go away."},
}


# Torch and what stands on it take seconds to import. So it is done once, in a server that every
# process of a test is forked from; the server is another interpreter than the one that asks it.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.messages.test_resume", "tests.messages.test_same_bytes"])


@dataclass(frozen=True)
class Chain:
    """Folders and reports of every stage, by asset name."""

    folders: Mapping[str, Path]
    reports: Mapping[str, dict[str, Any]]


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Every stage on a tiny model: a few seconds, and nothing of it writes sense.

    From here on the judge's process is forked, too, where a stage runs in this one; the stages that
    tests start as processes start it as the product does.
    """
    with pytest.MonkeyPatch.context() as patch:
        yield make_chain(tmp_path_factory.mktemp("chain"), patch)


def make_chain(root: Path, patch: pytest.MonkeyPatch) -> Chain:
    # Imported here: most tests of the area need no torch.
    from churn_assets.messages.corpus.corpus import write_corpus
    from churn_assets.messages.models import base_model, ppo_stage, reward, sft
    from churn_assets.messages.writing import bank_stage
    from churn_assets.stages import beside

    patch.setattr(beside, "get_context", lambda method: PROCESSES)
    folders: dict[str, Path] = {}
    for name, row in PUBLIC.items():
        folders[name] = root / name
        folders[name].mkdir()
        for split in ("train", "valid", "test"):
            text = json.dumps({**row, "source": "public", "group": "g"}) + "\n"
            (folders[name] / f"{split}.jsonl").write_text(text * 3)
        card = {"source": "mirror", "splits": {"train": 3, "valid": 3, "test": 3}}
        (folders[name] / "dataset.json").write_text(json.dumps(card))
    for kind in ("messages", "preferences"):
        folders[f"retention_{kind}"] = root / kind
        folders[f"retention_{kind}"].mkdir()
        write_corpus(kind, TINY.corpus, root / kind)
    reports = {}
    for name, stage in {
        "message_base_model": base_model,
        "sft_model": sft,
        "reward_model": reward,
        "ppo_text_model": ppo_stage,
        "message_bank": bank_stage,
    }.items():
        folders[name] = root / name
        folders[name].mkdir()
        reports[name] = stage.run(dict(folders), folders[name], TINY)
        with (folders[name] / "report.json").open("x") as file:  # the runner's to write: once
            json.dump(reports[name], file)
    return Chain(folders, reports)
