"""The whole message chain for several seeds: what its gates have to spare.

    python -m benchmarks.messages.seeds --seeds 42 43 44 --source synthetic --work FOLDER

Each seed is one of corpus, base, SFT, reward model, judge and PPO-Text. A stage whose report is in
FOLDER already isn't run again, and one that was killed goes on from its checkpoint there; its
`minutes` are those of the last attempt. Three minutes a seed on two idle cores. Prints a Markdown
table. The base is the settings': `CHURN_MESSAGES__BASE__SOURCE=pretrained` for SmolLM2-135M.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

from churn_assets.datasets.build import build
from churn_assets.datasets.config import DatasetName, DatasetsConfig, SourceKind
from churn_assets.datasets.pull import pull
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.corpus.comparisons import RIGHT_OVER_WRONG
from churn_assets.messages.corpus.corpus import write_corpus
from churn_assets.messages.writing.gates import failed_gates
from churn_assets.settings import load_settings
from churn_assets.stages.registry import STAGES as DECLARED
from churn_assets.stages.spec import Progress

PUBLIC: tuple[DatasetName, ...] = ("oasst1_pairs", "preference_pairs")
STAGES = {
    "message_base_model": "base_model",
    "sft_model": "sft",
    "reward_model": "reward",
    "ppo_text_model": "ppo_stage",
}
Reports = dict[str, dict[str, Any]]


def _right_over_wrong(reports: Reports, kind: str) -> float:
    found: float = reports["reward_model"]["right_over_wrong_by_kind"][kind]["share"]
    return found


FIGURES: dict[str, Callable[[Reports], float]] = {
    "SFT passes": lambda r: r["sft_model"]["pass_rate"],
    "without min-p": lambda r: r["sft_model"]["pass_rate_without_min_p"],
    "the base passes": lambda r: r["sft_model"]["base_pass_rate"],
    "reward-model pair accuracy": lambda r: r["reward_model"]["accuracy"],
    "worst flaw": lambda r: min(r["reward_model"]["accuracy_by_flaw"].values()),
    **{
        f"right over wrong: {kind}": partial(_right_over_wrong, kind=kind)
        for kind in RIGHT_OVER_WRONG
    },
    "right reason over none": lambda r: r["reward_model"]["reason_over_none"],
    "reviewed over bare": lambda r: r["reward_model"]["reviewed_over_bare"],
    "PPO-Text passes": lambda r: r["ppo_text_model"]["ppo_pass_rate"],
    "SFT by PPO's prompts": lambda r: r["ppo_text_model"]["sft_pass_rate"],
    "PPO-Text fits the customer": lambda r: r["ppo_text_model"]["fit_rate"],
    "SFT fits the customer": lambda r: r["ppo_text_model"]["sft_fit_rate"],
    "PPO-Text without min-p": lambda r: r["ppo_text_model"]["ppo_pass_rate_without_min_p"],
    "reward gain [s.d.]": lambda r: r["ppo_text_model"]["reward_gain"],
    "its lower bound": lambda r: r["ppo_text_model"]["reward_gain_lower"],
    "gain by the judge": lambda r: r["ppo_text_model"]["reward_gain_second_rm"],
    "win rate by the judge": lambda r: r["ppo_text_model"]["win_rate"],
    "KL at the end [nats]": lambda r: r["ppo_text_model"]["kl"],
    "distinct-2 of clean sentences, PPO / SFT": lambda r: r["ppo_text_model"]["distinct2_ratio"],
    "the same, garble counted": lambda r: r["ppo_text_model"]["distinct2_ratio_with_garble"],
}


def seeded(config: MessagesConfig, seed: int) -> MessagesConfig:
    """The settings with every seed of the chain set."""
    parts: dict[str, dict[str, int]] = {
        name: {"seed": seed} for name in ("corpus", "base", "sft", "reward", "ppo", "bank")
    }
    parts["reward"]["judge_seed"] = seed + 1_000
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=part) for name, part in parts.items()}
    )


def run_chain(config: MessagesConfig, data: DatasetsConfig, folder: Path) -> Reports:
    """Every stage's report; what is in `folder` already is read."""
    inputs: dict[str, Path] = {}
    for name in PUBLIC:
        inputs[name] = folder / name
        if not (folder / name / "dataset.json").exists():
            build(name, pull(name, data, folder / "raw"), folder / name, data)
    for kind in ("messages", "preferences"):
        inputs[f"retention_{kind}"] = folder / f"retention_{kind}"
        inputs[f"retention_{kind}"].mkdir(exist_ok=True)
        write_corpus(kind, config.corpus, inputs[f"retention_{kind}"])
    reports: Reports = {}
    for stage, module in STAGES.items():
        out = inputs[stage] = folder / stage
        report = out / "report.json"
        if not report.exists():
            out.mkdir(exist_ok=True)
            program = importlib.import_module(f"churn_assets.messages.models.{module}")
            kept: dict[str, Any] = {}
            if DECLARED[stage].resumable:
                kept["checkpoints"] = folder / "checkpoints" / stage
            started = time.perf_counter()
            made = program.run(inputs, out, config, told(stage), **kept)
            made["minutes"] = (time.perf_counter() - started) / 60
            report.write_text(json.dumps(made), encoding="utf-8")
        reports[stage] = json.loads(report.read_text(encoding="utf-8"))
    return reports


def told(stage: str) -> Progress:
    """Says on stderr every ten steps how far the stage is, and when."""

    def say(step: int, total: int, **metrics: float) -> None:
        if step % 10 == 0 or step == total:
            figures = " ".join(f"{name}={value:.4g}" for name, value in metrics.items())
            print(f"{time.strftime('%X')} {stage} {step}/{total} {figures}", file=sys.stderr)

    return say


def table(found: dict[int, Reports]) -> Iterator[str]:
    """Lines of a Markdown table, a column a seed."""
    yield f"| figure | {' | '.join(f'seed {seed}' for seed in found)} |"
    yield "|---" * (len(found) + 1) + "|"
    for name, figure in FIGURES.items():
        yield f"| {name} | {' | '.join(f'{figure(reports):.3f}' for reports in found.values())} |"
    failed = (", ".join(failed_gates(reports)) or "none" for reports in found.values())
    yield f"| gates missed | {' | '.join(failed)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--source", choices=get_args(SourceKind), default="synthetic")
    parser.add_argument("--work", type=Path, help="keeps what is made; default: a temporary folder")
    asked = parser.parse_args()
    settings = load_settings()
    data = settings.data.model_copy(update={"source": asked.source})
    with tempfile.TemporaryDirectory() as scratch:
        found = {}
        for seed in asked.seeds:
            folder = (asked.work or Path(scratch)) / f"{asked.source}-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            found[seed] = run_chain(seeded(settings.messages, seed), data, folder)
            print("\n".join(table(found)), flush=True)


if __name__ == "__main__":
    main()
