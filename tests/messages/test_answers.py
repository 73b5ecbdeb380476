"""What customers' answers decide reaches the next reward model, once there is enough of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pytest
import torch

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.assets import publish_answers, reward_model
from churn_assets.messages.config import RewardSettings
from churn_assets.messages.corpus.answers import INPUT, PAIRS, SOURCE, read_answers, with_share
from churn_assets.messages.corpus.pairs import Pair, as_pairs, read_pairs
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import reviewed_for
from churn_assets.messages.models.language_model import load_base, with_new_adapter
from churn_assets.messages.models.reward import (
    REWARD,
    train_and_evaluate,
    train_reward,
)
from churn_assets.messages.models.reward_evaluation import score_pairs
from churn_assets.messages.shield.brief import CONTRACTS, TENURE_BANDS, TONES
from churn_assets.orchestration.resources import KEPT_VERSIONS
from churn_assets.stages.spec import narrowed
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.messages.conftest import TINY, Chain

SETTINGS = narrowed(RewardSettings, TINY)


def answered() -> list[dict[str, Any]]:
    """Customers of every kind who like to be greeted with "Hey", whatever follows."""
    rows = []
    for offer, band, contract, tone in product(OFFER_PERCENTAGES, TENURE_BANDS, CONTRACTS, TONES):
        _, body = re.split(r"(?<=\{name\})[,!] ", reviewed_for(offer, band, tone)[0])
        rows.append(
            {
                "prompt": Situation(offer, band, contract, (), tone).prompt,
                "chosen": f"Hey {{name}}! {body}",
                "rejected": f"Dear {{name}}, {body}",
                "source": SOURCE,
                "group": SOURCE,
                "flaw": None,
            }
        )
    return rows


class Stores(NamedTuple):
    """Stands for the store resource."""

    store: LocalArtifactStore

    def open(self) -> LocalArtifactStore:
        return self.store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = (json.dumps(row) + "\n" for row in answered())
    (tmp_path / PAIRS).write_text("".join(lines), encoding="utf-8")
    return tmp_path


def test_few_pairs_are_chance_and_are_left_out(folder: Path) -> None:
    """Why: a handful of answers would outweigh what is known. More answers that decide no other
    pair leave the artifact as it is, and so train nothing anew."""
    store = LocalArtifactStore(folder / "store")
    (folder / "out").mkdir()
    (folder / "out" / PAIRS).write_bytes((folder / PAIRS).read_bytes())
    (folder / "out" / "templates.json").write_text("counts")
    first = store.put("template_answers", folder / "out")
    assert publish_answers(store, first, len(answered()) + 1) is None
    pairs = publish_answers(store, first, len(answered()))
    assert pairs is not None
    (folder / "out" / "templates.json").write_text("other counts")
    later = store.put("template_answers", folder / "out")
    assert later != first
    assert publish_answers(store, later, 1) == pairs
    (folder / "out" / PAIRS).write_text("")
    assert publish_answers(store, store.put("template_answers", folder / "out"), 1) is None


def test_old_pairs_are_let_go(folder: Path) -> None:
    """Why: each training's stayed in the store for good."""
    store = LocalArtifactStore(folder / "store")
    (folder / "out").mkdir()
    lines = (folder / PAIRS).read_text().splitlines(keepends=True)
    for count in range(1, KEPT_VERSIONS + 3):
        (folder / "out" / PAIRS).write_text("".join(lines[:count]))
        last = publish_answers(store, store.put("template_answers", folder / "out"), 1)
    kept = store.versions(INPUT)
    assert len(kept) == KEPT_VERSIONS
    assert last is not None
    assert last.version == kept[-1]


class Recorder:
    """Stands for the compute resource: keeps what a stage would be given."""

    inputs: Mapping[str, Artifact]

    def run(
        self, context: Any, stage: str, inputs: Mapping[str, Artifact], config: Any
    ) -> dg.MaterializeResult[Artifact]:
        self.inputs = inputs
        return dg.MaterializeResult(value=next(iter(inputs.values())))


@pytest.mark.parametrize("informed", [True, False])
@pytest.mark.parametrize(("enough", "given"), [(100, True), (1_000, False)])
def test_the_graph_hands_the_reward_model_what_it_reads(
    folder: Path, enough: int, *, given: bool, informed: bool
) -> None:
    """Why: what is learnt from customers is lost if nobody asks for it, and one that isn't told by
    SFT need not be trained again with it."""
    stores, recorder = Stores(LocalArtifactStore(folder / "store")), Recorder()
    (folder / "out").mkdir()
    (folder / "out" / PAIRS).write_bytes((folder / PAIRS).read_bytes())
    made = stores.open().put("template_answers", folder / "out")
    others = ("message_base_model", "retention_preferences", "preference_pairs")
    reward = TINY.reward.model_copy(update={"answer_pairs": enough, "informed": informed})
    reward_model(
        dg.build_asset_context(),
        **dict.fromkeys((*others, "template_answers", "sft_model"), made),
        compute=recorder,
        messages_config=TINY.model_copy(update={"reward": reward}),
        store=stores,
    )
    asked = [*([INPUT] if given else []), *(["sft_model"] if informed else [])]
    assert set(recorder.inputs) == {*others, *asked}


def test_some_pairs_of_texts_are_held_out_whoever_read_them(folder: Path) -> None:
    """Why: a pair that was learnt from tells nothing of what was learnt."""
    train, test = (read_answers(folder, split) for split in ("train", "test"))
    assert len(train) + len(test) == len(answered())
    assert len(train) > len(test) > 0
    learnt = {(row["chosen"], row["rejected"]) for row in train}
    assert learnt.isdisjoint((row["chosen"], row["rejected"]) for row in test)
    assert read_answers(None, "train") == read_answers(None, "test") == []


def test_answers_are_a_share_of_what_is_learnt_from() -> None:
    """Why: neither may a few pairs drown in thousands, nor may they be all that is learnt."""
    mixed = with_share(["grammar"] * 90, ["one", "other", "third"], 0.1)
    assert (len(mixed), mixed.count("grammar"), mixed.count("one")) == (100, 90, 4)
    assert with_share(["grammar"] * 9, [], 0.1) == ["grammar"] * 9
    assert with_share(["grammar"] * 9, ["one"], 0.0) == ["grammar"] * 9


def test_without_answers_the_reward_stage_is_what_it_was(chain: Chain, folder: Path) -> None:
    """Why: nothing may be trained otherwise for what isn't there."""
    inputs = dict(chain.folders)
    assert read_pairs({**inputs, INPUT: folder}, SETTINGS, "train") == read_pairs(
        inputs, SETTINGS, "train"
    )
    report = chain.reports["reward_model"]
    assert "answer_pairs" not in report
    assert SOURCE not in report["accuracy_by_source"]


def test_a_reward_model_learns_what_customers_liked(chain: Chain, folder: Path) -> None:
    """Made answers, one base and the same steps: who likes one greeting gets it, and who likes the
    other gets that."""
    reward = SETTINGS.reward.model_copy(update={"steps": 40, "answer_share": 0.9})
    config = SETTINGS.model_copy(update={"reward": reward})
    out = folder / "out"
    out.mkdir()
    report = train_and_evaluate(REWARD, {**chain.folders, INPUT: folder}, out, config)
    train = as_pairs(read_answers(folder, "train"))
    assert report["answer_pairs"] == len(train[::2])
    assert SOURCE in report["accuracy_by_source"]  # of the held-out ones

    def agreeing(answers: list[Pair]) -> float:
        """Of texts that no pair was learnt from, the share in which "Hey" scores higher."""
        model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
        torch.manual_seed(1)
        adapted = with_new_adapter(model, config.lora, REWARD)
        pairs = with_share(read_pairs(chain.folders, config, "train"), answers, 0.9)
        head = train_reward(adapted, tokenizer, REWARD, pairs, config, 1)
        unseen = as_pairs(read_answers(folder, "test"))
        chosen, rejected = score_pairs(adapted, tokenizer, head, unseen, reward.max_length)
        return float((chosen > rejected).float().mean())

    liked = agreeing(train)
    opposed = agreeing([replace(p, chosen=p.rejected, rejected=p.chosen) for p in train])
    assert liked > 0.9
    assert opposed < 0.1
