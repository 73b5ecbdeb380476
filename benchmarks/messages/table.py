"""The table of benchmarks/messages.json: a chain for each base and seed, every method on it.

A row is kept in the work folder as soon as it is measured, and a second run goes on behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from benchmarks.bench.measuring import peak_memory
from benchmarks.messages.dpo import train_dpo
from benchmarks.messages.figures import figures, kl_to_sft, known_sentences
from benchmarks.messages.methods import DPO, METHODS
from benchmarks.messages.seeds import PUBLIC, STAGES, Reports, run_chain, seeded
from churn_assets.datasets.config import DatasetsConfig
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.judging.judge import fitted_judge
from churn_assets.messages.models.evaluation import evaluation_situations
from churn_assets.messages.models.language_model import use_threads
from churn_assets.messages.models.ppo_text import REFERENCE
from churn_assets.messages.profiles import Profile, messages_config
from churn_assets.messages.writing import bank_stage
from churn_assets.messages.writing.live import LiveModel

SITUATIONS = 512
EVALUATION_SEED = 3_000_017  # of the held-out situations: the same for all bases and seeds
SHOWN = 40
BASES: tuple[Profile, ...] = get_args(Profile)
# What each method's training takes: stages of the chain.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sft": ("message_base_model", "sft_model"),
    "ppo": tuple(STAGES),
    "dpo": ("message_base_model", "sft_model"),
    "grammar": (),
    "grammar_best_of_8": ("message_base_model", "reward_model"),
    "reviewed": (),
}


def measure_chain(
    base: Profile,
    seed: int,
    data: DatasetsConfig,
    folder: Path,
    count: int = SITUATIONS,
    methods: Sequence[str] = tuple(METHODS),
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of one base and seed, and what the bank stage reports of it; DPO is trained if it
    is among the methods."""
    config = seeded(messages_config(base), seed)
    folder.mkdir(parents=True, exist_ok=True)
    reports = run_chain(config, data, folder)
    names = (*PUBLIC, "retention_messages", "retention_preferences", *STAGES)
    inputs = {name: folder / name for name in names}
    bank = reported(folder / "message_bank", lambda out: bank_stage.run(inputs, out, config))
    dpo: Mapping[str, Any] = {}
    if DPO in methods:
        dpo = reported(folder / DPO, lambda out: train_dpo(inputs, config, out))
    use_threads(config.threads)
    model = loaded(inputs, folder / DPO / DPO if DPO in methods else None, config)
    situations = evaluation_situations(count, EVALUATION_SEED)
    known = known_sentences(inputs["retention_messages"])
    against = fitted_judge().sums(METHODS["sft_min_p"](model, situations, seed), situations)
    rows = []
    for name in methods:
        kept, method = folder / "rows" / f"{name}.json", METHODS[name]
        if not kept.exists():
            started = time.perf_counter()
            texts = method(model, situations, seed)
            spent = (time.perf_counter() - started) / 60
            row = {
                "base": base,
                "method": name,
                "seed": seed,
                "situations": count,
                **figures(texts, situations, against, known),
                "usable_share": None,
                "kl": kl_to_sft(model, name, situations, seed),
                **of_the_chain(name, reports, dpo, spent),
                "peak_mb": round(peak_memory()),
            }
            shown = [
                {"prompt": one.prompt.strip(), "text": text}
                for one, text in zip(situations[:SHOWN], texts, strict=False)
            ]
            write(kept, {"row": row, "samples": shown, "texts": len(texts)})
        rows.append(json.loads(kept.read_text(encoding="utf-8"))["row"])
    return rows, bank


def of_the_chain(
    method: str, reports: Reports, dpo: Mapping[str, Any], drawing: float
) -> dict[str, Any]:
    """What the chain's stages measured for the method, and the minutes of its training."""
    kind = next(n for n in sorted(NEEDS, key=len, reverse=True) if method.startswith(n))
    stages = {*NEEDS[kind], *(["reward_model"] if "best_of" in method else [])}
    reward = reports["reward_model"]
    uses_reward = "reward_model" in stages
    public = [
        accuracy
        for source, accuracy in reward["accuracy_by_source"].items()
        if source != "grammar"
    ]  # fmt: skip
    spent = [reports[stage].get("minutes") for stage in stages]  # none: made by another run
    spent += [dpo["minutes"]] if method == DPO else []
    known = [minutes for minutes in spent if minutes is not None]
    minutes = round(sum(known) + drawing, 2) if len(known) == len(spent) else None
    return {
        "rm_accuracy": round(reward["accuracy"], 4) if uses_reward else None,
        "rm_accuracy_public": round(sum(public) / len(public), 4) if uses_reward else None,
        "right_over_wrong": round(reward["right_over_wrong"], 4) if uses_reward else None,
        "minutes": minutes,
        "minutes_drawing": round(drawing, 3),
    }


def reported(out: Path, make: Any) -> dict[str, Any]:
    """What is in `out` already, or what making it reports, with the minutes that it took."""
    report = out / "report.json"
    if not report.exists():
        out.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        made = make(out)
        write(report, {**made, "minutes": (time.perf_counter() - started) / 60})
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def loaded(inputs: Mapping[str, Path], dpo: Path | None, config: MessagesConfig) -> LiveModel:
    """All adapters on one base: of PPO-Text, SFT, the reward model and, if there is one, DPO."""
    model = LiveModel.load(
        inputs["message_base_model"],
        inputs["ppo_text_model"],
        inputs["reward_model"],
        config.generation,
        eight_bit=config.base.eight_bit,
    )
    if REFERENCE not in model.model.peft_config:
        model.model.load_adapter(inputs["sft_model"] / REFERENCE, adapter_name=REFERENCE)
    if dpo is not None:
        model.model.load_adapter(dpo, adapter_name=DPO)
    model.model.eval()
    return model


def write(path: Path, content: Mapping[str, Any]) -> None:
    """As JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def document(
    rows: Sequence[Mapping[str, Any]], banks: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The content of benchmarks/messages.json; `banks`: what the bank stage of each base and seed
    ("embedded-42") reported."""
    return {
        "served": {name: bank["served_method"] for name, bank in banks.items()},
        "best": {name: bank["best_method"] for name, bank in banks.items()},
        "banks": {
            name: {"failed_gates": bank["failed_gates"], "methods": bank["methods"]}
            for name, bank in banks.items()
        },
        "rows": list(rows),
    }


COLUMNS = (
    "pass_rate", "fit", "new_sentence_share", "usable_share", "naturalness", "win_rate", "kl",
    "distinct2", "rm_accuracy", "rm_accuracy_public", "right_over_wrong", "minutes", "peak_mb",
)  # fmt: skip


def markdown(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the table, intervals in brackets."""
    yield "| " + " | ".join(("base", "method", "seed", *COLUMNS)) + " |"
    yield "|---" * (3 + len(COLUMNS)) + "|"
    for row in rows:
        cells = [str(row[name]) for name in ("base", "method", "seed")]
        cells += [_cell(row, name) for name in COLUMNS]
        yield "| " + " | ".join(cells) + " |"


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return "–"
    if f"{name}_lower" not in row:
        return f"{value:g}" if name in ("peak_mb", "minutes") else f"{value:.3f}"
    return f"{value:.3f} [{row[f'{name}_lower']:.3f}, {row[f'{name}_upper']:.3f}]"
