"""Every check can fail: a good report passes it, and its own fault alone fails it."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from checks import messages as checks
from churn_assets.messages.corpus.grammar import Split
from churn_assets.messages.writing.gates import GATES
from churn_assets.storage.protocol import Artifact

GOOD: dict[str, Any] = {
    "pass_rate": 0.96, "pass_rate_lower": 0.94, "pass_rate_upper": 0.98, "base_pass_rate": 0.93,
    "violations": {}, "samples": [{"text": "a | <b>", "score": 1.0}],
    "accuracy": 0.97, "accuracy_lower": 0.96, "accuracy_upper": 0.98,
    "accuracy_by_source": {"grammar": 0.97}, "cut_share_by_source": {"grammar": 0.0},
    "judge": {"accuracy": 0.96}, "test_pairs": 1200,
    "accuracy_by_flaw": {"cold": 0.99, "generic": 0.9},
    "right_over_wrong": 0.95, "right_over_wrong_lower": 0.94, "right_over_wrong_upper": 0.96,
    "right_over_wrong_by_kind": {"fact": {"share": 0.9}, "greeting": {"share": 0.97}},
    "reason_over_none": 0.9, "reason_over_none_lower": 0.86, "reason_over_none_upper": 0.93,
    "reviewed_over_bare": 0.9, "reviewed_over_bare_lower": 0.86, "reviewed_over_bare_upper": 0.93,
    "fit_rate": 0.95, "fit_rate_lower": 0.94, "fit_rate_upper": 0.96,
    "sft_fit_rate": 0.85, "sft_fit_rate_lower": 0.83, "sft_fit_rate_upper": 0.87,
    "ppo_pass_rate": 0.985, "ppo_pass_rate_lower": 0.97, "ppo_pass_rate_upper": 0.99,
    "sft_pass_rate": 0.96,
    "reward_gain": 0.7, "reward_gain_lower": 0.6, "reward_gain_upper": 0.8,
    "reward_gain_second_rm": 0.5, "reward_gain_second_rm_lower": 0.4,
    "reward_gain_second_rm_upper": 0.6,
    "kl": 2.0, "kl_target": 2.0, "kl_peak": 2.5,
    "distinct2_ratio": 0.95, "distinct2_ratio_with_garble": 0.9,
    "quality": {"sft": {"distinct_2": 0.1}, "ppo": {"distinct_2": 0.1}},
    "win_rate": 0.7, "win_rate_lower": 0.66, "win_rate_upper": 0.74,
    "served_pass_rate": 1.0, "served_pass_rate_lower": 0.99, "served_pass_rate_upper": 1.0,
    "served_right_rate": 1.0, "served_right_rate_lower": 0.99, "served_right_rate_upper": 1.0,
    "served_by_model": 0.99, "served_method": "ppo", "different_templates": 500,
    "served_because": "Served: PPO-Text.",
    "cells_with_templates": 144, "kept": 1000, "written": 2000,
    "failed_gates": [],
}  # fmt: skip

FAULTS: list[tuple[checks.Finding, dict[str, Any]]] = [
    (checks.sft_templates_pass_the_shield, {"pass_rate": 0.949}),
    (checks.sft_passes_no_less_often_than_the_base, {"base_pass_rate": 0.97}),
    (checks.reward_model_ranks_held_out_pairs, {"accuracy": 0.94}),
    (checks.reward_model_sees_every_flaw, {"accuracy_by_flaw": {"cold": 1.0, "generic": 0.84}}),
    (
        checks.reward_model_sees_fit,
        {"right_over_wrong_by_kind": {"fact": {"share": 0.84}, "greeting": {"share": 1.0}}},
    ),
    (checks.reward_model_wants_a_reason, {"reason_over_none_lower": 0.49}),
    (checks.reward_model_prefers_reviewed_to_bare, {"reviewed_over_bare_lower": 0.49}),
    (checks.ppo_templates_fit_the_customer, {"fit_rate": 0.89}),
    (checks.ppo_templates_pass_the_shield, {"ppo_pass_rate": 0.979}),
    (checks.ppo_templates_pass_the_shield, {"sft_pass_rate": 0.99}),
    (checks.reward_gain_is_real, {"reward_gain": 0.49}),
    (checks.reward_gain_is_real, {"reward_gain_lower": 0.2}),
    (checks.reward_gain_is_real, {"reward_gain_second_rm": 0.0}),
    (checks.policy_stays_near_sft, {"kl": 0.9}),
    (checks.policy_stays_near_sft, {"kl": 3.1}),
    (checks.messages_stay_varied, {"distinct2_ratio": 0.79}),
    (checks.second_reward_model_prefers_ppo, {"win_rate": 0.64}),
    (checks.every_served_message_passes, {"served_pass_rate": 0.9995}),
    (checks.every_served_message_passes, {"served_right_rate": 0.9995}),
    (checks.no_word_of_a_model_that_failed_is_served, {"failed_gates": ["reward_gain_is_real"]}),
    (checks.bank_covers_every_cell, {"cells_with_templates": 143}),
]


ARTIFACT = Artifact(name="a", sha256="0" * 64)


class Reports:
    """Stands in for the store resource: one report, whatever the artifact."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    def report(self, artifact: Artifact) -> dict[str, Any]:
        return self.found


@pytest.mark.parametrize(
    ("finding", "fault"), FAULTS, ids=lambda part: getattr(part, "__name__", "")
)
def test_each_finding_passes_good_figures_and_fails_its_fault(
    finding: checks.Finding, fault: dict[str, Any]
) -> None:
    """Why: a check that cannot fail is decoration."""
    passed, metadata = finding(GOOD)
    assert passed
    assert metadata
    assert not finding({**GOOD, **fault})[0]


def test_a_kind_of_fit_that_is_missed_is_told_before_what_holds() -> None:
    """Why: the console shows `value` and a few figures more: it said .905 beside a bound of .85."""
    fault = {"right_over_wrong_by_kind": {"tenure": {"share": 0.84}, "fact": {"share": 1.0}}}
    passed, metadata = checks.reward_model_sees_fit({**GOOD, **fault})
    assert (passed, metadata["value"], metadata["worst_kind"]) == (False, 0.84, "tenure")
    assert metadata["value"] < metadata["bound"]


def test_a_missed_gate_of_a_model_takes_nothing_else_down() -> None:
    """Why: a weak message model must not keep better risk figures from customers: the release waits
    for its gates and is only warned. That its words are not served is what stops it."""
    gates = {gate.__name__ for of_stage in GATES.values() for gate in of_stage}
    stops = set()
    for check in checks.MESSAGE_CHECKS:
        [spec] = check.check_specs
        if spec.name in gates:
            faults = [fault for finding, fault in FAULTS if finding.__name__ == spec.name]
            result = check(ARTIFACT, Reports(GOOD | faults[0]))
            assert isinstance(result, dg.AssetCheckResult)
            assert not result.passed
            assert result.severity == dg.AssetCheckSeverity.WARN
            gates.remove(spec.name)
            assert spec.blocking
        elif spec.blocking:
            stops.add(spec.name)
    assert gates == set()
    assert stops == {
        "no_family_is_in_two_splits",
        "every_served_message_passes",
        "no_word_of_a_model_that_failed_is_served",
    }


def test_an_empty_bank_of_a_failed_model_passes_its_own_check() -> None:
    """Why: materialized alone, the bank falls back on reviewed templates, and that is sound."""
    fallen_back = {**GOOD, "failed_gates": ["reward_gain_is_real"], "kept": 0}
    assert checks.no_word_of_a_model_that_failed_is_served(fallen_back)[0]


@pytest.mark.parametrize(
    "groups",
    [{"train": {"care", "help"}, "test": {"help"}}, {"train": {"care"}, "test": set()}],
)
def test_a_family_in_two_splits_is_found(groups: dict[Split, set[str]]) -> None:
    """Why: held-out figures are worth nothing on families that were trained on."""
    assert checks.no_family_is_in_two_splits({"train": {"care"}, "test": {"help"}})[0]
    assert not checks.no_family_is_in_two_splits(groups)[0]


def test_every_finding_is_wired_to_an_asset() -> None:
    """Why: a finding that no check calls guards nothing."""
    wired = {key.name for check in checks.MESSAGE_CHECKS for key in check.check_keys}
    assert {finding.__name__ for finding, _ in FAULTS} < wired


def test_samples_cannot_break_out_of_their_table() -> None:
    """Why: a model can write anything, markup included."""
    _, metadata = checks.sft_templates_pass_the_shield(GOOD)
    assert "a / &lt;b>" in metadata["samples"].md_str
