"""Stage `message_bank`: templates for every cell, shielded and scored; reports the whole area.

PPO-Text, SFT and the grammar each fill a bank, and the judge compares them with the reviewed
templates (`choice.py`); served is what `bank.method` names, the best where that is `auto`. Where
reviewed templates are the best, PPO-Text's bank stands behind them: answers may yet speak for it. A
model that missed a gate (`gates.py`) writes none: the bank stays empty, so that reviewed templates
are served, and the report says which gate failed.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from churn_assets.messages.config import BankSettings
from churn_assets.messages.corpus.prompts import SERVICE_SETS, Situation
from churn_assets.messages.judging.judge import fitted_judge
from churn_assets.messages.models.language_model import use_threads
from churn_assets.messages.shield.brief import Facts
from churn_assets.messages.shield.rules import RULES_PATH
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.admission import is_admitted
from churn_assets.messages.writing.authors import METHODS, Authors, Method, author_of
from churn_assets.messages.writing.bank import (
    REVIEWED,
    Cell,
    MessageBank,
    ScoredTemplate,
    all_cells,
)
from churn_assets.messages.writing.choice import (
    Tried,
    best_of,
    held_out_situations,
    lead,
    sentence,
    try_bank,
    win_rate,
)
from churn_assets.messages.writing.drafts import Drafts
from churn_assets.messages.writing.gates import failed_gates
from churn_assets.messages.writing.live import copy_for_live
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.served import serve_everybody
from churn_assets.messages.writing.writer import MessageWriter
from churn_assets.stages.spec import Progress, silent

STAGES = ("message_base_model", "sft_model", "reward_model", "ppo_text_model")
BATCH = 128
MOST_WRITTEN = 2  # times the candidates, for a model that hardly ever passes
NONE_PASSED = "Served: reviewed templates; the model missed a gate, and nothing of it is served."


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: BankSettings,
    progress: Progress = silent,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Inputs: message_base_model, sft_model, reward_model, ppo_text_model.

    Resumes from `checkpoints`, batch by batch; a stop request leaves a last one.
    """
    use_threads(config.threads)
    shield, renderer = Shield.load(), Renderer(config.currency, config.offer_months)
    reports = read_reports(inputs)
    failed = failed_gates(reports)
    banks: dict[str, MessageBank] = {REVIEWED: MessageBank({cell: [] for cell in all_cells()})}
    written = {REVIEWED: 0}
    served, best, compared, said = REVIEWED, REVIEWED, {}, NONE_PASSED
    if not failed:
        authors = Authors.load(inputs, config.generation, eight_bit=config.base.eight_bit)
        drafts = Drafts(checkpoints)
        for method in METHODS:
            banks[method], written[method] = fill_bank(
                authors, method, drafts, shield, config, progress
            )
        tried = _judged(banks, shield, renderer, out)
        best = best_of(tried)
        served = best if config.bank.method == "auto" else config.bank.method
        compared, said = compare(tried, served), sentence(tried, served)
    bank = banks[served]
    if served == REVIEWED and config.bank.method == "auto" and not failed:
        bank = MessageBank(banks["ppo"].cells(), banks["ppo"].author, reviewed_first=True)
    bank.save(out / "bank.json")
    shutil.copy(RULES_PATH, out / "rules.json")
    if config.live_generation and not failed:
        base, ppo, reward = (
            inputs[name] for name in ("message_base_model", "ppo_text_model", "reward_model")
        )
        copy_for_live(base, ppo, reward, out / "live")
    report = {
        "failed_gates": failed,
        "served_method": served,
        "best_method": best,
        "served_because": said,
        "methods": compared,
        "written": written["ppo" if bank.reviewed_first else served],
        "kept": len(bank),
        "cells_with_templates": sum(bool(t) for t in bank.cells().values()),
        **serve_everybody(
            MessageWriter(shield, renderer, bank, reviewed_first=bank.reviewed_first)
        ),
    }
    report["messages"] = summary(reports, report)
    return report


def _judged(
    banks: Mapping[str, MessageBank], shield: Shield, renderer: Renderer, out: Path
) -> dict[str, Tried]:
    """Each method's bank on the held-out situations; the judge is left in `out`."""
    judge = fitted_judge()
    judge.save(out / "judge.json")
    situations = held_out_situations()
    return {
        name: try_bank(bank, shield, renderer, judge, situations) for name, bank in banks.items()
    }


def compare(tried: Mapping[str, Tried], served: str) -> dict[str, dict[str, Any]]:
    """Each method's figures on the held-out situations, and its lead over what is served."""
    return {
        name: {
            **one.figures(),
            **win_rate(one, tried["sft"]),
            **lead(one, tried[served]),
        }
        for name, one in tried.items()
    }


def fill_bank(
    authors: Authors,
    method: Method,
    drafts: Drafts,
    shield: Shield,
    config: BankSettings,
    progress: Progress,
) -> tuple[MessageBank, int]:
    """n candidates per cell; of those that may be served, the best that suit all and the best
    others; and how many were written. A cell with none that suits all is asked for again.

    A batch's draws depend on its place and the seed only: those in `drafts` are passed over.
    """
    rng = random.Random(config.bank.seed)
    cells: dict[Cell, set[ScoredTemplate]] = {cell: set() for cell in all_cells()}
    planned = config.bank.candidates * len(cells)
    done, written, lacking = METHODS.index(method) * planned, 0, list(cells)
    while lacking and written < MOST_WRITTEN * planned:
        wanted = [
            (cell, situation)
            for cell in lacking
            for situation in _situations(rng, cell, config.bank.candidates)
        ]
        for i in range(0, len(wanted), BATCH):
            part = wanted[i : i + BATCH]
            asked = [situation for _, situation in part]
            write = partial(authors.write, method, asked, config.bank.seed + written)
            written += len(part)
            for (cell, situation), template in zip(part, drafts.next_batch(write), strict=True):
                if is_admitted(shield, template.text, situation.facts):
                    cells[cell].add(template)
            kept = float(sum(map(len, cells.values())))
            progress(done + min(written, planned), len(METHODS) * planned, kept=kept)
        lacking = [cell for cell in lacking if not _for_all(shield, cell, cells[cell])]
    best = {cell: _best(shield, cell, found, config.bank.keep) for cell, found in cells.items()}
    return MessageBank(best, author_of(method)), written


def _situations(rng: random.Random, cell: Cell, count: int) -> Iterator[Situation]:
    """Half for customers of whose services nothing is known, which speak of the contract; half for
    any, each of one service if there is one: those of the contract are there already."""
    for i in range(count):
        services = () if i % 2 == 0 else rng.choice(SERVICE_SETS)
        situation = Situation(cell.offer, cell.band, cell.contract, services, cell.tone)
        yield replace(situation, topic=rng.choice(services or situation.topics))


def _best(
    shield: Shield, cell: Cell, found: set[ScoredTemplate], keep: int
) -> list[ScoredTemplate]:
    """Templates that name no service suit everybody: they are kept beside those that do.

    One that gives a reason, the customer's contract or a service, goes before one that gives none.
    """
    ordered = sorted(found, key=lambda t: (-t.score, t.text))
    for_all = _for_all(shield, cell, ordered)
    with_reason = [t for t in for_all if shield.gives_a_reason(t.text, _nobody(cell))]
    others = [t for t in ordered if t not in for_all]  # they name a service
    return (with_reason or for_all)[:keep] + others[:keep]


def _for_all(shield: Shield, cell: Cell, found: Iterable[ScoredTemplate]) -> list[ScoredTemplate]:
    """Those that suit a customer of the cell of whose services nothing is known, in their order."""
    nobody = _nobody(cell)
    return [t for t in found if shield.check_template_facts(t.text, nobody).passed]


def _nobody(cell: Cell) -> Facts:
    return Facts(cell.offer, cell.contract, (), cell.band, cell.tone)


def read_reports(inputs: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Stage name -> what it reported."""
    return {
        name: json.loads((inputs[name] / "report.json").read_text(encoding="utf-8"))
        for name in STAGES
    }


def summary(reports: Mapping[str, dict[str, Any]], own: Mapping[str, Any]) -> dict[str, Any]:
    """The area's figures in one place, as `churn report --json` prints them."""
    base, sft, reward, ppo = (reports[name] for name in STAGES)
    return {
        "base_model": base["base_model"],
        "sft_pass_rate": sft["pass_rate"],
        "sft_pass_rate_without_min_p": sft["pass_rate_without_min_p"],
        "ppo_pass_rate": ppo["ppo_pass_rate"],
        "ppo_pass_rate_without_min_p": ppo["ppo_pass_rate_without_min_p"],
        "min_p": sft["sampling"]["min_p"],
        "served_pass_rate": own["served_pass_rate"],
        "served_by_model": own["served_by_model"],
        "served_by_grammar": own["served_by_grammar"],
        "served_method": own["served_method"],
        "best_method": own["best_method"],
        "served_because": own["served_because"],
        "methods": own["methods"],
        "failed_gates": own["failed_gates"],
        "rm_accuracy": reward["accuracy"],
        "rm_accuracy_by_source": reward["interval_by_source"],
        "rm_cut_share_by_source": reward["cut_share_by_source"],
        "rm_accuracy_by_flaw": reward["accuracy_by_flaw"],
        "reward_gain": ppo["reward_gain"],
        "reward_gain_lower": ppo["reward_gain_lower"],
        "reward_gain_second_rm": ppo["reward_gain_second_rm"],
        "win_rate": ppo["win_rate"],
        "win_rate_judge": ppo["win_rate_judge"],
        "judge_rm_correlation": ppo["judge_rm_correlation"],
        "kl": ppo["kl"],
        "kl_target": ppo["kl_target"],
        "distinct2_ratio": ppo["distinct2_ratio"],
    }
