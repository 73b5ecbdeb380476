"""The message bank: who may write for it, what it keeps, and that it serves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from churn_assets.messages.corpus.grammar import grammar, write_message
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing import bank_stage
from churn_assets.messages.writing.bank import MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.gates import failed_gates
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, SAM
from tests.messages.conftest import TINY, Chain

STAGES = ("message_base_model", "sft_model", "reward_model", "ppo_text_model")


class GrammarModel:
    """Stands for a model that learnt to write: the grammar's words. Every other one is spoilt."""

    @classmethod
    def load(cls, *_: Any, **__: Any) -> Self:
        return cls()

    def write(self, situations: Sequence[Situation], seed: int) -> list[ScoredTemplate]:
        rng = random.Random(seed)
        families = grammar().families_of("train")
        texts = [write_message(rng, one, rng.choice(families)) for one in situations]
        spoilt = [f"{text} Act now!" if i % 4 == 3 else text for i, text in enumerate(texts)]
        return [ScoredTemplate(text, rng.random()) for text in spoilt]


def test_a_model_that_missed_a_gate_writes_no_served_word(chain: Chain) -> None:
    """Why: the tiny model of the tests is as bad as a failed training; its words stay inside."""
    report = chain.reports["message_bank"]
    assert "sft_templates_pass_the_shield" in report["failed_gates"]
    assert (report["kept"], report["written"], report["served_by_model"]) == (0, 0, 0.0)
    writer = MessageWriter.load(chain.folders["message_bank"], RENDERER)
    assert writer.write(SAM, "x").source == "template"


def test_a_model_that_passed_its_gates_fills_the_bank(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the other half of the rule; every cell is asked for, what passes is kept and served."""
    monkeypatch.setattr(bank_stage, "failed_gates", lambda reports: [])
    monkeypatch.setattr(bank_stage, "LiveModel", GrammarModel)
    bank = TINY.bank.model_copy(update={"candidates": 4, "keep": 2})
    config = TINY.model_copy(update={"bank": bank})
    report = bank_stage.run({name: chain.folders[name] for name in STAGES}, tmp_path, config)
    assert report["written"] == len(all_cells()) * 4
    assert report["cells_with_templates"] == len(all_cells())
    assert len(all_cells()) <= report["kept"] < report["written"]
    assert report["served_by_model"] == report["served_pass_rate"] == 1.0
    kept = [t for cell in MessageBank.load(tmp_path / "bank.json").cells().values() for t in cell]
    assert not any("Act now" in template.text for template in kept)
    assert MessageWriter.load(tmp_path, RENDERER).write(SAM, "x").source == "model"


def test_the_bank_keeps_the_best_for_everybody_and_the_best_others() -> None:
    """Why: a template that names a service can't go to those without it; without such as suit
    all, they would be left with reviewed ones."""
    shield, cell = Shield.load(), all_cells()[0]
    rng, families = random.Random(1), grammar().families_of("train")

    def written(services: tuple[Any, ...], suits_all: bool) -> list[str]:
        situation = Situation(cell.offer, cell.band, cell.contract, services, cell.tone)
        nobody = Situation(cell.offer, cell.band, cell.contract, (), cell.tone)
        found: list[str] = []
        while len(found) < 3:
            text = write_message(rng, situation, rng.choice(families))
            fits_all = shield.check_template_facts(text, nobody.facts).passed
            if fits_all is suits_all and text not in found:
                found.append(text)
        return found

    for_all, for_some = written((), True), written(("internet",), False)
    scored = [*zip(for_all, (0.1, 0.3, 0.2), strict=True)]
    scored += zip(for_some, (0.7, 0.9, 0.8), strict=True)
    kept = bank_stage._best(shield, cell, {ScoredTemplate(t, s) for t, s in scored}, keep=2)
    assert [(t.text, t.score) for t in kept] == [
        (for_all[1], 0.3),
        (for_all[2], 0.2),
        (for_some[1], 0.9),
        (for_some[2], 0.8),
    ]


@pytest.mark.parametrize("worse", [{"ppo_pass_rate": 0.98}, {"reward_gain": -0.1}, {"kl": 3.2}])
def test_a_policy_that_is_no_better_than_sft_is_not_served(worse: dict[str, float]) -> None:
    """Why: reward may not be bought with the shield, nor by leaving SFT behind."""
    good = {
        "sft_pass_rate": 0.985, "ppo_pass_rate": 0.99, "reward_gain": 0.7, "reward_gain_lower": 0.6,
        "reward_gain_second_rm": 0.6, "kl": 2.0, "kl_target": 2.0,
    }  # fmt: skip
    others = {
        "sft_model": {"pass_rate": 0.96},
        "reward_model": {"accuracy": 0.97, "accuracy_by_flaw": {"cold": 0.9}},
    }
    assert failed_gates({**others, "ppo_text_model": good}) == []
    assert failed_gates({**others, "ppo_text_model": {**good, **worse}}) != []


def test_bank_and_rules_of_the_artifact_serve(chain: Chain) -> None:
    """Why: the release carries exactly this folder."""
    writer = MessageWriter.load(chain.folders["message_bank"], RENDERER)
    assert writer.write(SAM, "C1:r1").verdict.passed
