"""The ways of writing that benchmarks/messages.json compares, on the tiny chain."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.messages import table
from benchmarks.messages.dpo import train_dpo
from benchmarks.messages.figures import figures, known_sentences, new_share, sentences
from benchmarks.messages.methods import DPO, METHODS, best
from benchmarks.messages.samples import of_method, read_readings, unread
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models.evaluation import evaluation_situations
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import ScoredTemplate
from tests.messages.conftest import TINY, Chain

SITUATIONS = evaluation_situations(6, 5)
GOOD = "Hello {name}, thank you for your time with us. We are here whenever you need us."


@pytest.fixture(scope="module")
def dpo_folder(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    report = train_dpo(chain.folders, TINY, folder / DPO)
    assert report["steps"] == TINY.reward.steps
    assert all(map(math.isfinite, report["losses"]))
    return folder


def test_every_method_writes_for_every_situation_and_again_the_same(
    chain: Chain, dpo_folder: Path
) -> None:
    """Why: a row compares methods on the same situations, and a seed must give it again."""
    model = table.loaded(chain.folders, dpo_folder / DPO / DPO, TINY)
    known = known_sentences(chain.folders["retention_messages"])
    for name, method in METHODS.items():
        texts = method(model, SITUATIONS, 3)
        assert texts == method(model, SITUATIONS, 3), name
        assert len(texts) == len(SITUATIONS)
        found = figures(texts, SITUATIONS, np.zeros(len(SITUATIONS)), known)
        assert 0 <= found["fit"] <= found["pass_rate"] <= 1
        assert 1 <= found["naturalness_lower"] <= found["naturalness"] <= 5
        if name in ("grammar", "grammar_best_of_8", "reviewed"):
            assert found["pass_rate"] == 1.0
        if name == "reviewed":
            assert found["new_sentence_share"] == 0.0
        if name.startswith("grammar"):
            assert found["fit"] == 1.0


def test_dpo_moves_its_own_adapter_only(chain: Chain, dpo_folder: Path) -> None:
    """Why: DPO's row is of SFT's adapter after DPO, and SFT's stays what it was."""
    model = table.loaded(chain.folders, dpo_folder / DPO / DPO, TINY).model
    state = model.state_dict()
    ours = {name: value for name, value in state.items() if f".{DPO}." in name}
    assert ours
    moved = [not np.array_equal(v, state[n.replace(f".{DPO}.", ".sft.")]) for n, v in ours.items()]
    assert any(moved)


def test_best_of_n_takes_what_passes_before_what_scores() -> None:
    """Why: the shield decides first; a score is no licence."""
    one = Situation(0, "settled", "One year", (), "plain")
    texts = iter([("Act now!", 9.0), (GOOD, 1.0), (GOOD.replace("time", "trust"), 2.0)])

    def draw(situations: Sequence[Situation], seed: int) -> list[ScoredTemplate]:
        return [ScoredTemplate(*next(texts))]

    assert Shield.load().check_template_facts(GOOD, one.facts).passed
    assert best(draw, 3, [one], 0) == [GOOD.replace("time", "trust")]


def test_new_sentences_are_those_in_no_corpus(tmp_path: Path) -> None:
    """Why: a template put together from known sentences is no new writing."""
    row = {"response": "Hi {name}, thanks for choosing us. We keep your calls clear."}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    known = known_sentences(tmp_path)
    assert sentences("Hi {name}, thanks for it. Yes!") == ["hi {name},", "thanks for it.", "yes!"]
    share = new_share(["Hi {name}, we keep your calls clear. Your calls are dear to us."], known)
    assert share is not None
    assert share.value == pytest.approx(1 / 3)
    assert new_share([], known) is None


def test_a_row_is_measured_once_and_the_document_has_every_field(tmp_path: Path) -> None:
    """Why: an hour's work on one base may not be lost with the machine, nor a field."""
    made: list[Path] = []

    def make(out: Path) -> dict[str, int]:
        made.append(out)
        return {"steps": 3}

    first, second = (table.reported(tmp_path / "dpo", make) for _ in range(2))
    assert first == second
    assert len(made) == 1
    reports = {
        stage: {"minutes": 1.0} for stage in table.STAGES
    } | {
        "reward_model": {
            "minutes": 1.0, "accuracy": 0.97,
            "accuracy_by_source": {"grammar": 0.97, "public": 0.6},
            "right_over_wrong": 0.86,
        }
    }  # fmt: skip
    found = {name: table.of_the_chain(name, reports, {"minutes": 5.0}, 0.1) for name in METHODS}
    assert found["ppo"]["minutes"] == 4.1
    assert found["sft_best_of_8"]["minutes"] == 3.1
    assert found["dpo"]["minutes"] == 7.1
    assert found["reviewed"]["minutes"] == 0.1
    assert found["ppo"]["rm_accuracy_public"] == 0.6
    assert found["ppo"]["right_over_wrong"] == 0.86
    assert found["grammar"]["rm_accuracy"] is None


def test_samples_are_read_blind_and_counted(tmp_path: Path) -> None:
    """Why: a reader who sees the method rates the method."""
    samples = {"ppo": [("a:", "One."), ("b:", "Two.")], "grammar": [("a:", "One."), ("c:", "Six.")]}
    path = tmp_path / "readings.json"
    row = {"prompt": "a:", "text": "One.", "usable": 1, "naturalness": 4}
    path.write_text(json.dumps([row]), encoding="utf-8")
    readings = read_readings(path)
    assert sorted(unread(samples, readings)) == [("b:", "Two."), ("c:", "Six.")]
    path.write_text(json.dumps([row, {**row, "prompt": "b:", "text": "Two.", "usable": 0}]))
    readings = read_readings(path)
    found = of_method([readings[one] for one in samples["ppo"]])
    assert found["usable_share"] == 0.5
    assert found["naturalness_read"] == 4.0
    path.write_text(json.dumps([{**row, "naturalness": 6}]), encoding="utf-8")
    with pytest.raises(ValueError, match="1 to 5"):
        read_readings(path)
