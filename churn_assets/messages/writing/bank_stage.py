"""Stage `message_bank`: templates for every cell, shielded and scored; reports the whole area.

A model that missed a gate (`gates.py`) writes none of them: the bank stays empty, so that reviewed
templates are served, and the report says which gate failed.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churn_assets.messages.config import BankSettings
from churn_assets.messages.corpus.prompts import SERVICE_SETS, Situation
from churn_assets.messages.models.language_model import use_threads
from churn_assets.messages.shield.fit import Facts
from churn_assets.messages.shield.rules import RULES_PATH
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bank import Cell, MessageBank, ScoredTemplate, all_cells
from churn_assets.messages.writing.gates import failed_gates
from churn_assets.messages.writing.live import LiveModel, copy_for_live
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.served import serve_everybody
from churn_assets.messages.writing.writer import MessageWriter
from churn_assets.stages.spec import Progress, silent

STAGES = ("message_base_model", "sft_model", "reward_model", "ppo_text_model")
BATCH = 128


def run(
    inputs: Mapping[str, Path], out: Path, config: BankSettings, progress: Progress = silent
) -> dict[str, Any]:
    """Inputs: message_base_model, sft_model, reward_model, ppo_text_model."""
    use_threads(config.threads)
    shield = Shield.load()
    folders = [inputs[name] for name in ("message_base_model", "ppo_text_model", "reward_model")]
    reports = read_reports(inputs)
    failed = failed_gates(reports)
    if failed:
        bank, written = MessageBank({cell: [] for cell in all_cells()}), 0
    else:
        model = LiveModel.load(
            folders[0], folders[1], folders[2], config.generation, eight_bit=config.base.eight_bit
        )
        bank, written = fill_bank(model, shield, config, progress)
    bank.save(out / "bank.json")
    shutil.copy(RULES_PATH, out / "rules.json")
    if config.live_generation and not failed:
        copy_for_live(folders[0], folders[1], folders[2], out / "live")
    renderer = Renderer(config.currency, config.offer_months)
    report = {
        "failed_gates": failed,
        "written": written,
        "kept": len(bank),
        "cells_with_templates": sum(bool(t) for t in bank.cells().values()),
        **serve_everybody(MessageWriter(shield, renderer, bank)),
    }
    report["messages"] = summary(reports, report)
    return report


def fill_bank(
    model: LiveModel, shield: Shield, config: BankSettings, progress: Progress
) -> tuple[MessageBank, int]:
    """n candidates per cell; of those that pass, the best that suit all and the best others."""
    rng = random.Random(config.bank.seed)
    wanted = [
        (cell, Situation(cell.offer, cell.band, cell.contract, services, cell.tone))
        for cell in all_cells()
        for services in _service_sets(rng, config.bank.candidates)
    ]
    cells: dict[Cell, set[ScoredTemplate]] = {cell: set() for cell in all_cells()}
    for i in range(0, len(wanted), BATCH):
        part = wanted[i : i + BATCH]
        written = model.write([situation for _, situation in part], config.bank.seed + i)
        for (cell, situation), template in zip(part, written, strict=True):
            if shield.check_template_facts(template.text, situation.facts).passed:
                cells[cell].add(template)
        progress(i + len(part), len(wanted), kept=float(sum(map(len, cells.values()))))
    kept = {cell: _best(shield, cell, found, config.bank.keep) for cell, found in cells.items()}
    return MessageBank(kept), len(wanted)


def _service_sets(rng: random.Random, count: int) -> list[tuple[Any, ...]]:
    """Half for customers of whose services nothing is known, half for any."""
    return [() if i % 2 == 0 else rng.choice(SERVICE_SETS) for i in range(count)]


def _best(
    shield: Shield, cell: Cell, found: set[ScoredTemplate], keep: int
) -> list[ScoredTemplate]:
    """Templates that name no service suit everybody: they are kept beside those that do."""
    ordered = sorted(found, key=lambda t: (-t.score, t.text))
    nobody = Facts(cell.offer, cell.contract, (), cell.band, cell.tone)
    for_all = [t for t in ordered if shield.check_template_facts(t.text, nobody).passed]
    others = [t for t in ordered if t not in for_all]
    return for_all[:keep] + others[:keep]


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
        "failed_gates": own["failed_gates"],
        "rm_accuracy": reward["accuracy"],
        "rm_accuracy_by_flaw": reward["accuracy_by_flaw"],
        "reward_gain": ppo["reward_gain"],
        "reward_gain_lower": ppo["reward_gain_lower"],
        "reward_gain_second_rm": ppo["reward_gain_second_rm"],
        "win_rate": ppo["win_rate"],
        "kl": ppo["kl"],
        "kl_target": ppo["kl_target"],
        "distinct2_ratio": ppo["distinct2_ratio"],
    }
