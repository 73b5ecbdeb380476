"""The gates that a message model passes before its words are served.

Each is a function of one stage's report. They stand as asset checks, which fail without stopping
anything else, and the message bank enforces them: unless all hold it holds no word of the model.
The release then takes the champion's messages, or reviewed templates are served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from churn_assets.stages.spec import Report

SFT_PASS_RATE = 0.95
PPO_PASS_RATE = 0.98
REWARD_ACCURACY = 0.95
WORST_FLAW_ACCURACY = 0.85
AS_GOOD = 0.5
FIT_RATE = 0.9
REWARD_GAIN, REWARD_GAIN_LOWER = 0.5, 0.2
KL_SHARE_OF_TARGET = (0.5, 1.5)

Gate = Callable[[Report], bool]


def sft_templates_pass_the_shield(report: Report) -> bool:
    """Raw SFT samples at the set temperature pass the shield often enough."""
    return bool(report["pass_rate"] >= SFT_PASS_RATE)


def reward_model_ranks_held_out_pairs(report: Report) -> bool:
    """On template families that it never saw, the reward model prefers the good message."""
    return bool(report["accuracy"] >= REWARD_ACCURACY)


def reward_model_sees_every_flaw(report: Report) -> bool:
    """No kind of flaw escapes the reward model: PPO would find that kind."""
    return bool(min(report["accuracy_by_flaw"].values()) >= WORST_FLAW_ACCURACY)


def reward_model_wants_a_reason(report: Report) -> bool:
    """The right reason is at least as good as none, by the interval's lower bound."""
    return bool(report["reason_over_none_lower"] >= AS_GOOD)


def reward_model_prefers_reviewed_to_bare(report: Report) -> bool:
    """Templates that people wrote beat messages that speak of nobody, by the lower bound."""
    return bool(report["reviewed_over_bare_lower"] >= AS_GOOD)


def ppo_templates_fit_the_customer(report: Report) -> bool:
    """They pass the shield, which refuses misfits, and name the customer's contract or service."""
    return bool(report["fit_rate"] >= FIT_RATE)


def ppo_templates_pass_the_shield(report: Report) -> bool:
    """Raw samples of the policy pass the shield often enough, and no less often than SFT's."""
    return bool(report["ppo_pass_rate"] >= max(PPO_PASS_RATE, report["sft_pass_rate"]))


def reward_gain_is_real(report: Report) -> bool:
    """PPO gains reward, and the second reward model, which it never saw, agrees."""
    return bool(
        report["reward_gain"] >= REWARD_GAIN
        and report["reward_gain_lower"] > REWARD_GAIN_LOWER
        and report["reward_gain_second_rm"] > 0
    )


def policy_stays_near_sft(report: Report) -> bool:
    """KL ends within half and one and a half times its target."""
    low, high = (share * report["kl_target"] for share in KL_SHARE_OF_TARGET)
    return bool(low <= report["kl"] <= high)


GATES: dict[str, tuple[Gate, ...]] = {
    "sft_model": (sft_templates_pass_the_shield,),
    "reward_model": (
        reward_model_ranks_held_out_pairs,
        reward_model_sees_every_flaw,
        reward_model_wants_a_reason,
        reward_model_prefers_reviewed_to_bare,
    ),
    "ppo_text_model": (
        ppo_templates_pass_the_shield,
        ppo_templates_fit_the_customer,
        reward_gain_is_real,
        policy_stays_near_sft,
    ),
}


def failed_gates(reports: Mapping[str, Report]) -> list[str]:
    """Names of the gates that don't hold; `reports` maps stage names to their reports."""
    return [
        gate.__name__
        for stage, gates in GATES.items()
        for gate in gates
        if not gate(reports[stage])
    ]
