"""How often each check fails where nothing is wrong, and why: what `docs/gates.md` is made of.

What can fail a sound system is another training seed, another processor (the last digit of a sum)
and another sample of customers or contacts. Four kinds of checks are told apart:

* *exact*: a fact of arithmetic or of pinned data; 0.
* *shown*: a figure with its standard error, which fails only beyond `evidence.SHOWN` of them; at
  most `chance_of_a_false_miss()`, reached where the true figure lies exactly on the bound.
* *tested*: the p-value of a test, held against a small level.
* *measured*: a figure whose spread over training seeds was measured: the chance that one more run
  lies beyond the bound, by Student's t with the runs' degrees of freedom.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from scipy import stats

from checks.decision import DUAL_GAP
from checks.predictors import ACCEPT_GATES, RISK_GATES, Gate
from churn_assets.datasets.quality import BALANCE_TOLERANCE
from churn_assets.decision.evaluation import gates as policy
from churn_assets.domain.evidence import SHOWN, chance_of_a_false_miss
from churn_assets.messages.writing import gates as messages

ALLOWED = 1e-3
"""What all blocking checks of a release together may fail wrongly."""


@dataclass(frozen=True)
class Odds:
    """One check in words, and its chance of failing where nothing is wrong.

    Attributes:
        figure, bound: what is held against what.
        error: the statistical error that the check allows for.
        chance: per run of the whole graph; for a check on several assets, on each of them.
        why: where the chance is from.
    """

    figure: str
    bound: str
    error: str
    chance: float
    why: str


def exact(figure: str, bound: str, why: str) -> Odds:
    """A check that can't fail by chance."""
    return Odds(figure, bound, "none", 0.0, f"exact: {why}")


def shown(figure: str, bound: str, error: str, figures: int = 1) -> Odds:
    """A check of `figures` figures, each with its standard error."""
    chance = figures * chance_of_a_false_miss()
    why = "shown: at most, if the true figure is on its bound"
    return Odds(figure, bound, f"{SHOWN:g} x {error}", chance, why)


def measured(
    figure: str,
    bound: str,
    low: float | None,
    high: float | None,
    *runs: float,
    sampling_error: float = 0.0,
) -> Odds:
    """A check whose figure was measured in `runs` that differ in their seed alone.

    Few runs can agree by chance: their spread is taken for no less than one's `sampling_error`.
    """
    mean, count = statistics.mean(runs), len(runs)
    deviation = max(statistics.stdev(runs), sampling_error)
    spread = deviation * (1 + 1 / count) ** 0.5
    distances = [mean - low] if low is not None else []
    distances += [high - mean] if high is not None else []
    chance = sum(float(stats.t.sf(distance / spread, count - 1)) for distance in distances)
    why = f"measured: {mean:.4g}, s.d. {deviation:.2g}, {count} seeds"
    return Odds(figure, bound, "none", chance, why)


def _of_gate(gate: Gate) -> Odds:
    """A predictor's gate: shown where it has an error, else measured or exact."""
    bounds = [f">= {gate.low:g}"] if gate.low is not None else []
    bounds += [f"<= {gate.high:g}"] if gate.high is not None else []
    bound = " and ".join(bounds)
    if gate.error is not None:
        return shown(gate.figure, bound, "its standard error")
    if gate.name in EXACT_GATES:
        return exact(gate.figure, bound, EXACT_GATES[gate.name])
    if gate.name in TESTS:
        return Odds(gate.figure, bound, TESTS[gate.name], gate.low or 0.0, "tested: at that level")
    return measured(gate.figure, bound, gate.low, gate.high, *RUNS[gate.name])


EXACT_GATES = {
    "acceptance_never_falls_in_the_offer": "monotone constraint; float addition keeps the order",
    "acceptance_is_never_certain": "sigmoids of bounded sums",
    "customers_are_inside_the_contacts_support": (
        "counts of contacts: at least 205 like each customer at each offer, where 5 are asked for"
    ),
}

TESTS = {
    "offer_is_unpredictable_from_features": "permutation of the offers",
    "shuffled_offers_have_no_uplift": "t test over 16 shuffles",
}
"""Gates on a p-value: where nothing is wrong it is below the bound as often as the bound says."""

RUNS: dict[str, tuple[float, ...]] = {
    "risk_ranks_held_out_customers": (
        0.8604, 0.8570, 0.8595, 0.8577, 0.8603, 0.8594, 0.8609, 0.8581, 0.8593,
        0.8587, 0.8595, 0.8586, 0.8601, 0.8582, 0.8602, 0.8589, 0.8597, 0.8569,
        0.8591, 0.8584, 0.8596, 0.8585, 0.8603, 0.8573,
    ),
    "risk_is_calibrated_on_held_out_customers": (
        0.0190, 0.0225, 0.0275, 0.0255, 0.0280, 0.0234, 0.0131, 0.0228, 0.0264,
        0.0318, 0.0319, 0.0254, 0.0282, 0.0220, 0.0327, 0.0234, 0.0214, 0.0240,
        0.0236, 0.0295, 0.0307, 0.0283, 0.0329, 0.0271,
    ),
    "risk_ranks_all_customers_out_of_fold": (
        0.8390, 0.8381, 0.8382, 0.8404, 0.8401, 0.8396, 0.8386, 0.8382, 0.8391,
        0.8378, 0.8384, 0.8389, 0.8383, 0.8391,
    ),
    "risk_is_calibrated_out_of_fold": (
        0.0159, 0.0129, 0.0136, 0.0128, 0.0090, 0.0137, 0.0117, 0.0131, 0.0125,
        0.0147, 0.0157, 0.0136, 0.0114, 0.0112, 0.0165, 0.0152, 0.0111, 0.0133,
        0.0110, 0.0173, 0.0186, 0.0159, 0.0103, 0.0182,
    ),
    "risk_is_calibrated_for_short_requests": (
        0.0121, 0.0134, 0.0147, 0.0131, 0.0111, 0.0110, 0.0137, 0.0112, 0.0130,
        0.0122, 0.0145, 0.0132, 0.0134, 0.0135, 0.0132, 0.0101, 0.0132, 0.0130,
        0.0138, 0.0127, 0.0113, 0.0144, 0.0120, 0.0130,
    ),
    "acceptance_is_ranked": (
        0.8577, 0.8546, 0.8534, 0.8544, 0.8564, 0.8523, 0.8488, 0.8540, 0.8444,
        0.8542,
    ),
}  # fmt: skip
"""Figures of the predictors' gates on the real data, a training seed each; those of the risk are
from before it was held to fall along tenure and bills."""

BLOCKING: dict[str, Odds] = {
    "schema_is_valid": exact("rows outside the schema", "0", "pinned data or a seeded generator"),
    "row_count_is_expected": exact("rows", "as the source is known to have", "a count"),
    "splits_do_not_overlap": exact(
        "identities in two splits; rows of the smallest split",
        "0; >= 1",
        "splits follow labels and names, the same on every machine",
    ),
    "class_balance_is_kept": exact(
        "largest gap of the label's share between a split and all rows",
        f"<= {BALANCE_TOLERANCE} or one row of the smallest split",
        "a stratified split is off by less than a row",
    ),
    "origin_is_pinned": exact(
        "digest or commit of the raw data",
        "the pinned one",
        "a digest; synthetic data are generated again by the same machine",
    ),
    "acceptance_rises_with_the_offer": exact(
        "steps of the mean acceptance from offer to offer, in each split",
        ">= 0 where responses were observed, > 0 where they are simulated",
        "never below 0 by the monotone constraint or isotonic regression; simulated, 0 needs all "
        "customers alike",
    ),
    "oracle_is_certified_by_its_dual": exact(
        "relative gap between the optimum found and its upper bound",
        f"<= {DUAL_GAP}, or the jump of one kind of customers at the budget's price",
        "no more than such a jump (7e-6 to 1.3e-3 measured; larger with few customers)",
    ),
    "optimum_never_spends_more_at_a_higher_price": exact(
        "rises of the optimum's spend as the price rises",
        f"<= {policy.ROUNDING:g}",
        "duality, in float64",
    ),
    "no_policy_that_failed_is_served": exact(
        "a learned policy served that missed a gate", "0", "chosen by the same gates"
    ),
    "expected_spend_is_within_the_budget": Odds(
        "served policy's spend over the limit, on customers it wasn't priced on; on test customers",
        f"<= {policy.OVERSPEND}, or, if larger, what shows that the limit is exceeded",
        f"{SHOWN:g} x neighbours' differences (0.5 %); customers' bootstrap (4 %); "
        "of few by Student's t",
        2 * chance_of_a_false_miss(),
        "shown: at most, for a policy that spends the whole limit",
    ),
    "contact_cap_is_kept": exact(
        "customers' exact mean probability of more contacts than the cap",
        f"< {policy.OVER_CAP}",
        "0 for every rule by construction; 0.0 for each of 17 networks trained",
    ),
    "served_policy_sees_the_customer": exact(
        "inputs whose permutation among 16,384 states changes decisions",
        ">= 1",
        "30 to 60 % of the decisions change with the risk",
    ),
    "no_family_is_in_two_splits": exact("template families in two splits", "0", "split by family"),
    "every_served_message_passes": exact(
        "of 2,000 served messages, those refused by the shield or by the second count",
        "0",
        "what the shield refuses is not sent; if the two differ, one of them is wrong",
    ),
    "no_word_of_a_model_that_failed_is_served": exact(
        "templates of a model that missed a gate", "0", "the bank is left empty"
    ),
    "every_file_has_its_digest": exact("files unlike the manifest", "0", "SHA-256"),
    "golden_answers_are_reproduced": exact(
        "golden requests answered differently",
        "0 (figures: 1e-6)",
        "trees agree to the last bit, policies are float64: 24 requests have no tie below 1e-12",
    ),
    "outcomes_have_their_schema": exact(
        "values outside the schema of decisions and outcomes",
        "0",
        "written by code that checks it; before the first decision the table is empty",
    ),
    "every_customer_is_scored_once": exact("customers missing, or there twice", "0", "a count"),
    "figures_are_finite_and_in_range": exact(
        "figures infinite, out of range, or falling in the offer",
        "0",
        "sigmoids of bounded sums; float addition keeps the order",
    ),
} | {gate.name: _of_gate(gate) for gate in (*RISK_GATES, *ACCEPT_GATES)}
"""Of the checks that stop a release, by name."""

COMPONENTS: dict[str, Odds] = {
    "training_improved_on_its_start": measured(
        "captured uplift at the end of training less that at its start, every run",
        "> 0",
        0.0,
        None,
        *(0.1148, 0.1208),
    ),
    "decisions_depend_on_the_state": exact(
        "inputs whose permutation among 16,384 states changes no decision of PPO's",
        "0",
        "the least of nine changes 2.8 % (15 networks)",
    ),
    "a_cheaper_world_never_spends_less": shown(
        "PPO's spend at each of five allowances less that at the one below",
        f">= -{policy.SAME_SPEND:.0%} of the spend with the whole allowance",
        "error over customers (cluster-robust, 0.9 %)",
        figures=4,
    ),
    "served_policy_is_the_best_measured": exact(
        "served policy's captured uplift less the best other's",
        f">= 0, or >= -{policy.NEAR_THE_BEST} where PPO is served",
        "what is served is chosen by it",
    ),
    "sft_templates_pass_the_shield": measured(
        "raw SFT samples that pass the shield",
        f">= {messages.SFT_PASS_RATE}",
        messages.SFT_PASS_RATE,
        None,
        *(0.983, 0.984, 0.985),
        sampling_error=0.004,  # of 1,024 messages
    ),
    "reward_model_ranks_held_out_pairs": measured(
        "held-out pairs ranked right",
        f">= {messages.REWARD_ACCURACY}",
        messages.REWARD_ACCURACY,
        None,
        *(0.980, 0.965, 0.964),
        sampling_error=0.004,  # of 1,800 pairs
    ),
    "reward_model_sees_every_flaw": measured(
        "held-out pairs of the worst flaw ranked right",
        f">= {messages.WORST_FLAW_ACCURACY}",
        messages.WORST_FLAW_ACCURACY,
        None,
        *(0.917, 0.917, 0.917),
        sampling_error=0.036,  # of 60 pairs
    ),
    "reward_model_wants_a_reason": measured(
        "how often the right reason scores higher than none, the interval's lower bound",
        f">= {messages.AS_GOOD}",
        messages.AS_GOOD,
        None,
        *(0.936, 0.903, 0.907),
        sampling_error=0.013,  # of 300 comparisons
    ),
    "reward_model_prefers_reviewed_to_bare": measured(
        "how often a reviewed template scores higher than a bare message, its lower bound",
        f">= {messages.AS_GOOD}",
        messages.AS_GOOD,
        None,
        *(0.780, 0.765, 0.773),
        sampling_error=0.022,  # of 300 comparisons
    ),
    "ppo_templates_fit_the_customer": measured(
        "raw samples of PPO-Text that pass and name the contract or a service",
        f">= {messages.FIT_RATE}",
        messages.FIT_RATE,
        None,
        *(0.994, 0.997, 0.990),
        sampling_error=0.002,  # of 1,024 messages
    ),
    "ppo_templates_pass_the_shield": measured(
        "raw samples of PPO-Text that pass the shield",
        f">= {messages.PPO_PASS_RATE}, and SFT's",
        messages.PPO_PASS_RATE,
        None,
        *(0.995, 0.998, 0.993),
        sampling_error=0.002,  # of 1,024 messages
    ),
    "reward_gain_is_real": measured(
        "reward gained over SFT, in its standard deviations",
        f">= {messages.REWARD_GAIN}, lower bound > {messages.REWARD_GAIN_LOWER}, by the second "
        "reward model > 0",
        messages.REWARD_GAIN,
        None,
        *(0.54, 0.56, 0.59),
        sampling_error=0.033,  # of 1,024 messages
    ),
    "policy_stays_near_sft": measured(
        "KL to SFT over its target",
        "{} to {}".format(*messages.KL_SHARE_OF_TARGET),
        *messages.KL_SHARE_OF_TARGET,
        *(0.75, 0.72, 0.76),
    ),
}
"""Of the gates that decide whether the policy or the messages go into a release, by name."""
