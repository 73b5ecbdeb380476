"""Checks of the predictors: each holds a figure of the model's report against its bound.

All are blocking. A bound that presupposes the real data sets, what is in them or how many rows they
have (`data_bound`), only warns where the model was trained on synthetic data: there a miss says
something about the generator or the noise of few rows, not about the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from checks.attach import check_on
from churn_assets.domain.evidence import SHOWN, shown_above, shown_below
from churn_assets.stages.spec import Report

FALSE_FAILURES = 1e-4
"""How often a permutation test may fail what is sound."""


@dataclass(frozen=True)
class Gate:
    """A bound on a figure.

    Attributes:
        name: the fact, as the check's name.
        figure: what the fact is about, and on which rows it is measured.
        value: the figure, from the model's section of the report.
        low, high: the bounds, inclusive; None where there is none.
        error: the figure's standard error, for one that varies from run to run by more than it
            keeps from its bound: the gate then fails where the miss is shown (`evidence`).
        beside: keys of the report shown with the figure (intervals, baselines).
        data_bound: the bound presupposes the real data sets.
        todo: says of a report that misses the gate what would help, as the check's description.
    """

    name: str
    figure: str
    value: Callable[[Report], float]
    low: float | None = None
    high: float | None = None
    error: Callable[[Report], float] | None = None
    beside: tuple[str, ...] = ()
    data_bound: bool = False
    todo: Callable[[Report], str] | None = None

    def holds(self, value: float, error: float = 0.0) -> bool:
        """Whether the figure is within its bounds, or not shown to be beyond; never for NaN."""
        below = self.low is not None and shown_below(value, self.low, error)
        above = self.high is not None and shown_above(value, self.high, error)
        return not (below or above)

    def judge(self, report: Report) -> dg.AssetCheckResult:
        """The check's result on the model's section of the report."""
        value = self.value(report)
        error = self.error(report) if self.error else 0.0
        held = self.holds(value, error)
        warns_only = self.data_bound and report["source"] == "synthetic"
        bounds = {"at_least": self.low, "at_most": self.high}
        return dg.AssetCheckResult(
            passed=held,
            description=self.todo(report) if self.todo and not held else None,
            severity=dg.AssetCheckSeverity.WARN if warns_only else dg.AssetCheckSeverity.ERROR,
            metadata={
                "value": value,
                **{key: bound for key, bound in bounds.items() if bound is not None},
                **({"standard_error": error, "shown_by": SHOWN} if self.error else {}),
                "figure": self.figure,
                "source": report["source"],
                "binding": "warns only: bound of the real data" if warns_only else "blocks",
                # What the figure presumes of offers: no gate can see that, so a person has to.
                **({"presets": report["presets"]} if "presets" in report else {}),
                # What a company's own customers lack of the shared features, and what that costs.
                **({"lacking": report["lacking"]} if "lacking" in report else {}),
                **{key: report[key] for key in self.beside},
            },
        )


RISK_GATES = (
    Gate(
        name="risk_ranks_held_out_customers",
        figure="AUC on the test split (published contract)",
        value=lambda report: report["auc"],
        low=0.78,
        beside=("test_rows", "baselines_oof"),
        data_bound=True,
    ),
    Gate(
        name="risk_is_calibrated_on_held_out_customers",
        figure="expected calibration error on the test split (published contract)",
        value=lambda report: report["ece"],
        high=0.05,
        beside=("test_rows", "calibration"),
        data_bound=True,
    ),
    Gate(
        name="risk_ranks_all_customers_out_of_fold",
        figure="2.5 % bootstrap bound of the AUC, pooled out-of-fold predictions of all customers",
        value=lambda report: report["auc_oof_lower"],
        low=0.83,
        beside=("auc_oof", "auc_oof_interval", "rows", "baselines_oof"),
        data_bound=True,
    ),
    Gate(
        name="risk_is_calibrated_out_of_fold",
        figure="expected calibration error, pooled out-of-fold predictions of all customers",
        value=lambda report: report["ece_oof"],
        high=0.025,
        beside=("rows", "calibration_oof"),
        data_bound=True,
    ),
    Gate(
        name="risk_is_calibrated_for_short_requests",
        figure="expected calibration error out of fold, required fields only",
        value=lambda report: report["required_only_oof"]["ece"],
        high=0.025,
        beside=("required_only_oof",),
        data_bound=True,
    ),
)

ACCEPT_GATES = (
    Gate(
        name="acceptance_is_ranked",
        figure="AUC on held-out contacts",
        value=lambda report: report["auc"],
        low=0.70,
        beside=("auc_interval", "rows", "baselines", "responses"),
        data_bound=True,
    ),
    Gate(
        name="acceptance_without_offer_is_ranked",
        figure="AUC of contacts without a discount, out of fold",
        value=lambda report: report["oof"]["auc_offer0"],
        low=0.68,
        error=lambda report: report["oof"]["auc_offer0_error"],
        beside=("auc_offer0", "auc_by_offer"),
        data_bound=True,
    ),
    Gate(
        name="customers_differ_beyond_the_offer",
        figure="AUC minus that of the offer alone, out of fold",
        value=lambda report: report["oof"]["auc"] - report["oof"]["auc_offer_only"],
        low=0.05,
        error=lambda report: report["oof"]["auc_over_offer_only_error"],
        beside=("auc", "auc_offer_only", "auc_over_offer_only_interval"),
        data_bound=True,
    ),
    Gate(
        name="acceptance_is_calibrated",
        figure="expected calibration error, out of fold",
        value=lambda report: report["oof"]["ece"],
        high=0.025,
        error=lambda report: report["oof"]["ece_error"],
        beside=("calibration", "oof"),
        data_bound=True,
    ),
    Gate(
        name="acceptance_is_calibrated_at_each_offer",
        figure="largest expected calibration error of the four offers, out of fold",
        value=lambda report: max(report["oof"]["ece_by_offer"]),
        high=0.045,
        error=lambda report: max(report["oof"]["ece_by_offer_error"]),
        beside=("ece_by_offer", "oof"),
        data_bound=True,
    ),
    Gate(
        name="acceptance_never_falls_in_the_offer",
        figure="customers for whom a larger offer is predicted to be accepted less often",
        value=lambda report: report["monotone_violations"],
        high=0,
        beside=("customers", "strictly_increasing_share", "customer_curve"),
    ),
    Gate(
        name="acceptance_is_never_certain",
        figure="1 if all probabilities of all customers are strictly within (0, 1)",
        value=lambda report: int(report["within_zero_and_one"]),
        low=1,
        beside=("customers",),
    ),
    Gate(
        name="offer_is_unpredictable_from_features",
        figure="permutation p-value of telling the offer from the features, out of fold "
        "(independent offers fail with probability 1e-4)",
        value=lambda report: report["propensity_p_value"],
        low=FALSE_FAILURES,
        beside=("propensity_auc",),
    ),
    Gate(
        name="shuffled_offers_have_no_uplift",
        figure="p-value of the mean predicted uplift of the largest offer over shuffles of the "
        "offers (a training that makes up none fails with probability 1e-4)",
        value=lambda report: report["placebo_p_value"],
        low=FALSE_FAILURES,
        beside=("placebo_uplifts", "placebo_uplift"),
    ),
    Gate(
        name="customers_are_inside_the_contacts_support",
        figure="share of customers whose acceptance the similar contacts in training tell closely "
        "enough, at the offer with the least",
        value=lambda report: report["support_share"],
        low=0.99,
        beside=(
            *("support_by_level", "support_reach_by_level", "curve_by_contacts"),
            *("thin_support_share", "support_least"),
        ),
        data_bound=True,
    ),
)


def _check(gate: Gate, asset: str) -> dg.AssetChecksDefinition:
    section = asset.removesuffix("_model")
    return check_on(
        asset,
        lambda store, model: gate.judge(store.report(model)[section]),
        name=gate.name,
        about=gate.figure,
    )


risk_checks = [_check(gate, "risk_model") for gate in RISK_GATES]
accept_checks = [_check(gate, "accept_model") for gate in ACCEPT_GATES]
