"""Checks of the message writer, on the stages' reports.

A served message that is not right, a word of a model that missed a gate, and families in two
splits block the release. A missed gate of a model (`churn_assets.messages.writing.gates`) doesn't:
the bank holds no word of that model, and the release goes on with the champion's messages or
reviewed templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import dagster as dg

from checks.attach import check_on, on_report
from churn_assets.messages.corpus.corpus import read_jsonl
from churn_assets.messages.corpus.grammar import SPLITS, Split, count_messages
from churn_assets.messages.writing import gates
from churn_assets.messages.writing.bank import all_cells
from churn_assets.orchestration.resources import StoreResource
from churn_assets.stages.spec import Report
from churn_assets.storage.protocol import Artifact

DISTINCT2_RATIO = 0.8
WIN_RATE = 0.65
RIGHT_OVER_WRONG = 0.85
DISTINCT_MESSAGES = 1_000_000

Finding = Callable[[Report], tuple[bool, dict[str, Any]]]


def _check(
    asset: str, finding: Finding, *, blocking: bool = False, warns: bool = False
) -> dg.AssetChecksDefinition:
    """The finding on the asset's report; a miss is a warning where it `warns`."""

    @wraps(finding)
    def judged(report: Report) -> dg.AssetCheckResult:
        passed, metadata = finding(report)
        severity = dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR
        return dg.AssetCheckResult(passed=passed, metadata=metadata, severity=severity)

    return on_report(asset, blocking=blocking)(judged)


def _gate(asset: str, finding: Finding) -> dg.AssetChecksDefinition:
    """A gate of a component: the release waits for it and goes on without the component."""
    return _check(asset, finding, blocking=True, warns=True)


def _samples(rows: list[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Sample messages as a table; the project's own text only, never public texts."""
    columns = list(rows[0]) if rows else ["none"]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(row[column]) for column in columns) for row in rows]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def _cell(value: object) -> str:
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ").replace("<", "&lt;")


def _interval(report: Report, name: str) -> dict[str, float]:
    return {key: report[key] for key in (name, f"{name}_lower", f"{name}_upper")}


def sft_templates_pass_the_shield(report: Report) -> tuple[bool, dict[str, Any]]:
    """Raw SFT samples at the set temperature pass the shield often enough."""
    return gates.sft_templates_pass_the_shield(report), {
        **_interval(report, "pass_rate"),
        "bound": gates.SFT_PASS_RATE,
        "base_model_pass_rate": report["base_pass_rate"],
        "violations": report["violations"],
        "samples": _samples(report["samples"]),
    }


def sft_passes_no_less_often_than_the_base(report: Report) -> tuple[bool, dict[str, Any]]:
    """Fine-tuning on good messages did not make them worse."""
    return report["pass_rate"] >= report["base_pass_rate"], {
        "pass_rate": report["pass_rate"],
        "base_model_pass_rate": report["base_pass_rate"],
    }


def reward_model_ranks_held_out_pairs(report: Report) -> tuple[bool, dict[str, Any]]:
    """On template families that it never saw, the reward model prefers the good message."""
    return gates.reward_model_ranks_held_out_pairs(report), {
        **_interval(report, "accuracy"),
        "bound": gates.REWARD_ACCURACY,
        "by_source": report["accuracy_by_source"],
        "cut_share_by_source": report["cut_share_by_source"],
        "second_model": report["judge"]["accuracy"],
        "test_pairs": report["test_pairs"],
    }


def reward_model_sees_every_flaw(report: Report) -> tuple[bool, dict[str, Any]]:
    """No kind of flaw escapes the reward model: PPO would find that kind."""
    return gates.reward_model_sees_every_flaw(report), {
        "worst": min(report["accuracy_by_flaw"].values()),
        "bound": gates.WORST_FLAW_ACCURACY,
        "by_flaw": report["accuracy_by_flaw"],
    }


def reward_model_sees_fit(report: Report) -> tuple[bool, dict[str, Any]]:
    """Of two messages that differ in one fact, the one that suits the customer scores higher.

    A fact is a service or contract, the tenure band, the tone of closing or greeting: each of them.
    """
    kinds = report["right_over_wrong_by_kind"]
    worst = min(kinds, key=lambda kind: kinds[kind]["share"])
    return kinds[worst]["share"] >= RIGHT_OVER_WRONG, {
        "value": kinds[worst]["share"],
        "worst_kind": worst,
        "bound": RIGHT_OVER_WRONG,
        **_interval(report, "right_over_wrong"),
        "by_kind": kinds,
    }


def reward_model_wants_a_reason(report: Report) -> tuple[bool, dict[str, Any]]:
    """The right reason is at least as good as none, by the interval's lower bound."""
    return gates.reward_model_wants_a_reason(report), {
        **_interval(report, "reason_over_none"),
        "bound": gates.AS_GOOD,
    }


def reward_model_prefers_reviewed_to_bare(report: Report) -> tuple[bool, dict[str, Any]]:
    """Templates that people wrote beat messages that speak of nobody, by the lower bound."""
    return gates.reward_model_prefers_reviewed_to_bare(report), {
        **_interval(report, "reviewed_over_bare"),
        "bound": gates.AS_GOOD,
    }


def ppo_templates_fit_the_customer(report: Report) -> tuple[bool, dict[str, Any]]:
    """They pass the shield, which refuses misfits, and name the customer's contract or service."""
    return gates.ppo_templates_fit_the_customer(report), {
        **_interval(report, "fit_rate"),
        **_interval(report, "sft_fit_rate"),
        "bound": gates.FIT_RATE,
    }


def ppo_templates_pass_the_shield(report: Report) -> tuple[bool, dict[str, Any]]:
    """Raw samples of the policy pass the shield often enough, and no less often than SFT's."""
    return gates.ppo_templates_pass_the_shield(report), {
        **_interval(report, "ppo_pass_rate"),
        "bound": gates.PPO_PASS_RATE,
        "sft_pass_rate": report["sft_pass_rate"],
        "violations": report["violations"],
        "samples": _samples(report["samples"]),
    }


def reward_gain_is_real(report: Report) -> tuple[bool, dict[str, Any]]:
    """PPO gains reward, and the second reward model, which it never saw, agrees."""
    return gates.reward_gain_is_real(report), {
        **_interval(report, "reward_gain"),
        **_interval(report, "reward_gain_second_rm"),
        "bounds": {"gain": gates.REWARD_GAIN, "lower": gates.REWARD_GAIN_LOWER, "second_rm": 0.0},
    }


def policy_stays_near_sft(report: Report) -> tuple[bool, dict[str, Any]]:
    """KL ends within half and one and a half times its target."""
    return gates.policy_stays_near_sft(report), {
        "kl": report["kl"],
        "target": report["kl_target"],
        "bounds": [share * report["kl_target"] for share in gates.KL_SHARE_OF_TARGET],
        "highest": report["kl_peak"],
    }


def messages_stay_varied(report: Report) -> tuple[bool, dict[str, Any]]:
    """PPO has not collapsed onto a few phrases; garbled sentences count on neither side."""
    return report["distinct2_ratio"] >= DISTINCT2_RATIO, {
        "distinct2_ratio": report["distinct2_ratio"],
        "bound": DISTINCT2_RATIO,
        "garble_counted": report["distinct2_ratio_with_garble"],
        **{f"sft_{name}": value for name, value in report["quality"]["sft"].items()},
        **{f"ppo_{name}": value for name, value in report["quality"]["ppo"].items()},
    }


def second_reward_model_prefers_ppo(report: Report) -> tuple[bool, dict[str, Any]]:
    """Message against message on the same prompts, the judge mostly prefers PPO's."""
    return report["win_rate"] >= WIN_RATE, {**_interval(report, "win_rate"), "bound": WIN_RATE}


def every_served_message_passes(report: Report) -> tuple[bool, dict[str, Any]]:
    """After choice and fall-back, every message passes the shield and is right by another count.

    The shield chose the messages, so its own verdict on them is no news; the other count reads
    their figures, name, length and banned phrases anew.
    """
    return report["served_pass_rate"] == report["served_right_rate"] == 1.0, {
        **_interval(report, "served_right_rate"),
        **_interval(report, "served_pass_rate"),
        "written_by_model": report["served_by_model"],
        "served_method": report["served_method"],
        "served_because": report["served_because"],
        "different_templates": report["different_templates"],
        "samples": _samples(report["samples"]),
    }


def no_word_of_a_model_that_failed_is_served(report: Report) -> tuple[bool, dict[str, Any]]:
    """Either the model passed all its gates, or the bank is empty and templates are served."""
    return not report["failed_gates"] or report["kept"] == 0, {
        "failed_gates": report["failed_gates"],
        "templates_of_the_model": report["kept"],
    }


def bank_covers_every_cell(report: Report) -> tuple[bool, dict[str, Any]]:
    """Every offer, tenure band, contract and tone has a generated template."""
    return report["cells_with_templates"] == len(all_cells()), {
        "cells_with_templates": report["cells_with_templates"],
        "templates": report["kept"],
        "written": report["written"],
    }


@dg.asset_check(asset=dg.AssetKey("retention_messages"))
def grammar_writes_a_million_messages() -> dg.AssetCheckResult:
    """Too many distinct messages to be learned by heart."""
    distinct = count_messages()
    return dg.AssetCheckResult(
        passed=distinct >= DISTINCT_MESSAGES,
        metadata={"distinct_messages": distinct, "bound": DISTINCT_MESSAGES},
    )


def no_family_is_in_two_splits(groups: Mapping[Split, set[str]]) -> tuple[bool, dict[str, Any]]:
    """Every template family of the rows is in one split only: split -> its rows' families."""
    total = len(set().union(*groups.values()))
    apart = sum(map(len, groups.values())) == total and all(groups.values())
    return apart, {split: sorted(families) for split, families in groups.items()}


def _families_check(asset: str) -> dg.AssetChecksDefinition:
    def judge(store: StoreResource, artifact: Artifact) -> dg.AssetCheckResult:
        folder = store.open().get(artifact)
        groups = {
            split: {row["group"] for row in read_jsonl(folder / f"{split}.jsonl")}
            for split in SPLITS
        }
        passed, metadata = no_family_is_in_two_splits(groups)
        return dg.AssetCheckResult(passed=passed, metadata=metadata)

    finding = no_family_is_in_two_splits
    return check_on(asset, judge, name=finding.__name__, about=finding.__doc__)


MESSAGE_CHECKS: list[dg.AssetChecksDefinition] = [
    grammar_writes_a_million_messages,
    _families_check("retention_messages"),
    _families_check("retention_preferences"),
    _gate("sft_model", sft_templates_pass_the_shield),
    _check("sft_model", sft_passes_no_less_often_than_the_base, warns=True),
    _gate("reward_model", reward_model_ranks_held_out_pairs),
    _gate("reward_model", reward_model_sees_every_flaw),
    _gate("reward_model", reward_model_wants_a_reason),
    _gate("reward_model", reward_model_prefers_reviewed_to_bare),
    _check("reward_model", reward_model_sees_fit, warns=True),
    _gate("ppo_text_model", ppo_templates_pass_the_shield),
    _gate("ppo_text_model", ppo_templates_fit_the_customer),
    _gate("ppo_text_model", reward_gain_is_real),
    _gate("ppo_text_model", policy_stays_near_sft),
    _check("ppo_text_model", messages_stay_varied, warns=True),
    _check("ppo_text_model", second_reward_model_prefers_ppo, warns=True),
    _check("message_bank", every_served_message_passes, blocking=True),
    _check("message_bank", no_word_of_a_model_that_failed_is_served, blocking=True),
    _check("message_bank", bank_covers_every_cell, warns=True),
]
