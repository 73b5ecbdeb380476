"""The message bank: who may write for it, what it keeps, and that it serves."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from churn_assets.messages.corpus.grammar import WITH_REASON, Shape, grammar, write_message
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.judging.judge import Judge, fitted_judge
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing import bank_stage
from churn_assets.messages.writing.authors import METHODS, Authors, Method
from churn_assets.messages.writing.bank import Cell, MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.choice import (
    Tried,
    best_of,
    held_out_situations,
    sentence,
    try_bank,
)
from churn_assets.messages.writing.gates import failed_gates
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, SAM
from tests.messages.conftest import TINY, Chain

STAGES = ("message_base_model", "sft_model", "reward_model", "ppo_text_model")


CLAIMS = re.compile(r"(?i)look(?:ed)? at|checked|we (?:took|found|went over)|all looks|it turns")


class StandIns:
    """Stand for authors that learnt to write: PPO-Text's words are the grammar's, every fourth one
    spoilt; SFT's are bare, so that no reason is given."""

    @classmethod
    def load(cls, *_: Any, **__: Any) -> Self:
        return cls()

    def write(
        self, method: Method, situations: Sequence[Situation], seed: int
    ) -> list[ScoredTemplate]:
        rng = random.Random(f"{method}-{seed}")
        families = grammar().families_of("train")
        shapes: Mapping[Shape, float] = {"bare": 1} if method == "sft" else WITH_REASON
        texts = [_without_claims(rng, one, families, shapes) for one in situations]
        spoilt = [f"{text} Act now!" if i % 4 == 3 else text for i, text in enumerate(texts)]
        return [ScoredTemplate(text, rng.random()) for text in spoilt]


def _without_claims(
    rng: random.Random, one: Situation, families: Sequence[str], shapes: Mapping[Shape, float]
) -> str:
    """A message of the grammar that claims no work that nobody did: such ones are never served."""
    drawn = (write_message(rng, one, rng.choice(families), shapes) for _ in range(1_000))
    return next(text for text in drawn if not CLAIMS.search(text))


def test_a_model_that_missed_a_gate_writes_no_served_word(chain: Chain) -> None:
    """Why: the tiny model of the tests is as bad as a failed training; its words stay inside."""
    report = chain.reports["message_bank"]
    assert "sft_templates_pass_the_shield" in report["failed_gates"]
    assert (report["kept"], report["written"], report["served_by_model"]) == (0, 0, 0.0)
    assert report["served_method"] == "reviewed"
    writer = MessageWriter.load(chain.folders["message_bank"], RENDERER)
    assert writer.write(SAM, "x").source == "template"


@pytest.mark.parametrize("method", ["ppo", "grammar", "reviewed", "auto"])
def test_what_the_setting_names_is_served_and_told(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Why: the other half of the rule; every cell is asked for, what passes is kept and served,
    by the author that the report names, and every method's figures stand beside it. Where reviewed
    templates are the best, PPO-Text's stand behind them: answers may yet speak for those."""
    monkeypatch.setattr(bank_stage, "failed_gates", lambda reports: [])
    monkeypatch.setattr(bank_stage, "Authors", StandIns)
    monkeypatch.setattr(bank_stage, "held_out_situations", lambda: held_out_situations()[:64])
    bank = TINY.bank.model_copy(update={"candidates": 4, "keep": 2, "method": method})
    config = TINY.model_copy(update={"bank": bank})
    report = bank_stage.run({name: chain.folders[name] for name in STAGES}, tmp_path, config)
    served = report["served_method"]
    assert set(report["methods"]) == {"ppo", "sft", "grammar", "reviewed"}
    assert served == report["messages"]["served_method"]
    assert served == (report["best_method"] if method == "auto" else method)
    assert report["methods"][served]["lead"] == 0.0
    assert report["served_pass_rate"] == 1.0
    source = {"reviewed": "template", "grammar": "grammar"}.get(served, "model")
    assert MessageWriter.load(tmp_path, RENDERER).write(SAM, "x").source == source
    assert report["served_by_model"] == float(source == "model")
    assert report["served_by_grammar"] == float(source == "grammar")
    assert Judge.load(tmp_path / "judge.json") == fitted_judge()
    bank_file = MessageBank.load(tmp_path / "bank.json")
    assert bank_file.reviewed_first is (served == "reviewed" and method == "auto")
    assert report["served_because"].startswith("Served: ")
    assert "PPO-Text" in report["served_because"]
    if method == "reviewed":
        assert (report["written"], report["kept"]) == (0, 0)
        return
    assert len(all_cells()) * 4 < report["written"] < len(all_cells()) * 6  # some were asked again
    assert report["cells_with_templates"] == len(all_cells())
    assert len(all_cells()) <= report["kept"] < report["written"]
    kept = [t for cell in bank_file.cells().values() for t in cell]
    assert not any("Act now" in template.text for template in kept)


def tried(naturalness: float, *, passed: float = 1.0, fit: float = 1.0) -> Tried:
    """A method with these means over a hundred situations."""
    passing, fitting = ([i < share * 100 for i in range(100)] for share in (passed, fit))
    return Tried(["text"] * 100, passing, fitting, np.full(100, naturalness))


def test_the_best_by_the_judge_is_served_if_it_always_passes_and_fits() -> None:
    """Why: no score buys a message that the shield refused, nor one that could go to anybody."""
    reviewed = tried(4.6, fit=0.0)
    found = {"ppo": tried(3.4), "grammar": tried(3.5), "reviewed": reviewed}
    assert best_of(found) == "grammar"
    assert best_of({**found, "grammar": tried(4.9, passed=0.99)}) == "ppo"
    assert best_of({**found, "grammar": tried(4.9, fit=0.89)}) == "ppo"
    assert best_of({"ppo": tried(4.9, passed=0.99), "reviewed": reviewed}) == "reviewed"
    assert best_of({"ppo": tried(3.4, fit=0.5), "reviewed": reviewed}) == "reviewed"
    assert best_of({**found, "reviewed": tried(4.6)}) == "reviewed"


def test_what_may_be_chance_is_a_tie_and_goes_to_ppo_text() -> None:
    """Why: a few hundredths on five hundred situations are no reason to serve another method."""
    noise = np.random.default_rng(0).normal(0.0, 0.5, 100)
    ppo, grammar = tried(3.4), tried(3.4)
    found = {"grammar": replace(grammar, naturalness=3.41 + noise), "ppo": ppo}
    assert found["grammar"].naturalness.mean() > ppo.naturalness.mean()
    assert best_of(found) == "ppo"
    assert best_of({**found, "grammar": replace(grammar, naturalness=3.8 + noise)}) == "grammar"


def test_what_is_served_is_told_with_how_ppo_text_stands_against_it() -> None:
    """Why: whoever runs the service must not have to look for it."""
    found = {"ppo": tried(3.4, fit=0.02), "reviewed": tried(4.6)}
    assert sentence(found, "reviewed") == (
        "Served: reviewed templates (naturalness 4.60 of 5, fit 1.00); PPO-Text: naturalness 3.40 "
        "of 5, fit 0.02, -1.20 [-1.20, -1.20] from the served."
    )
    assert sentence(found, "ppo") == "Served: PPO-Text (naturalness 3.40 of 5, fit 0.02)."


def test_a_cell_without_a_template_counts_against_its_method() -> None:
    """Why: a bank with holes would shine with reviewed templates that it didn't write."""
    shield, judge, situations = Shield.load(), fitted_judge(), held_out_situations()[:20]
    cells = {cell: [] for cell in all_cells()}
    empty = MessageBank(cells)
    assert all(try_bank(empty, shield, RENDERER, judge, situations).passed)
    one = situations[0]
    text = StandIns().write("grammar", [one], 1)[0]
    cell = Cell(one.offer, one.band, one.contract, one.tone)
    bank = MessageBank({**cells, cell: [text]}, "grammar")
    found = try_bank(bank, shield, RENDERER, judge, situations)
    assert found.passed[0]
    assert not all(found.passed)


def test_a_bank_says_who_wrote_it(tmp_path: Path) -> None:
    """Why: words of the grammar must not be passed off as the model's."""
    cells = {cell: [ScoredTemplate("Hi {name}.", 1.0)] for cell in all_cells()}
    MessageBank(cells, "grammar").save(tmp_path / "bank.json")
    assert MessageBank.load(tmp_path / "bank.json").author == "grammar"
    saved = json.loads((tmp_path / "bank.json").read_text(encoding="utf-8"))
    del saved["author"]  # a bank of an earlier release: only the model wrote any
    (tmp_path / "bank.json").write_text(json.dumps(saved), encoding="utf-8")
    assert MessageBank.load(tmp_path / "bank.json").author == "model"
    (tmp_path / "bank.json").write_text(json.dumps({**saved, "author": "me"}), encoding="utf-8")
    with pytest.raises(ValueError, match="author 'me'"):
        MessageBank.load(tmp_path / "bank.json")


def test_every_author_writes_and_is_scored_alike(chain: Chain) -> None:
    """Why: the reward model ranks all of them; a text's score may not depend on who wrote it."""
    authors = Authors.load(chain.folders, TINY.generation)
    situations = held_out_situations()[:4]
    for method in METHODS:
        written = authors.write(method, situations, 3)
        assert [t.text for t in authors.write(method, situations, 3)] == [t.text for t in written]
        assert len(written) == len(situations)
    texts = [template.text for template in authors.write("grammar", situations, 3)]
    together = authors.model.score(texts, situations)
    alone = [authors.model.score([t], [s])[0] for t, s in zip(texts, situations, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    shield = Shield.load()
    assert all(
        shield.check_template_facts(text, one.facts).passed
        for text, one in zip(texts, situations, strict=True)
    )


def test_the_bank_keeps_the_best_for_everybody_and_the_best_others() -> None:
    """Why: a template that names a service can't go to those without it; without such as suit
    all, they would be left with reviewed ones. One that says nothing of the customer is no match
    for one that does, however it scores."""
    shield, cell = Shield.load(), all_cells()[0]
    rng, families = random.Random(1), grammar().families_of("train")

    def written(services: tuple[Any, ...], suits_all: bool) -> list[str]:
        topic = services[0] if services else cell.contract
        situation = Situation(
            cell.offer, cell.band, cell.contract, services, cell.tone, topic=topic
        )
        nobody = Situation(cell.offer, cell.band, cell.contract, (), cell.tone)
        found: list[str] = []
        while len(found) < 3:
            text = write_message(rng, situation, rng.choice(families))
            fits_all = shield.check_template_facts(text, nobody.facts).passed
            has_reason = shield.gives_a_reason(text, situation.facts)
            if fits_all is suits_all and has_reason and text not in found:
                found.append(text)
        return found

    for_all, for_some = written((), True), written(("internet",), False)
    scored = [*zip(for_all, (0.1, 0.3, 0.2), strict=True)]
    scored += [("Hi {name}, how can we serve you better? We are here whenever you need us.", 0.8)]
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
        "reward_gain_second_rm": 0.6, "kl": 2.0, "kl_target": 2.0, "fit_rate": 0.95,
    }  # fmt: skip
    others = {
        "sft_model": {"pass_rate": 0.96},
        "reward_model": {
            "accuracy": 0.97,
            "accuracy_by_flaw": {"cold": 0.9},
            "reason_over_none_lower": 0.9,
            "reviewed_over_bare_lower": 0.7,
        },
    }
    assert failed_gates({**others, "ppo_text_model": good}) == []
    assert failed_gates({**others, "ppo_text_model": {**good, **worse}}) != []


def test_bank_and_rules_of_the_artifact_serve(chain: Chain) -> None:
    """Why: the release carries exactly this folder."""
    writer = MessageWriter.load(chain.folders["message_bank"], RENDERER)
    assert writer.write(SAM, "C1:r1").verdict.passed
