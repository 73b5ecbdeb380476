"""Checks of a company's own customers, where CHURN_CUSTOMERS names a contract.

They stand in for those of the built-in data, whose bounds presuppose IBM's rows. Figures of the
risk model are relative: to a logistic regression on the same folds, and to the calibration error
that so few rows show by chance. (Measured on subsamples of IBM's table: a lower bound of the gain
above -0.005 would refuse nearly every sound table of 500 to 1,000 rows; an upper bound of at least
0 refuses 8 % at 1,000 and catches 92 % of overfitted models.)

What a calibration error may be follows the rate: where 3 % leave, a model that says 0 for everybody
is off by 0.03. So it may be a quarter of the rarer outcome's rate, and no more than 0.05; and it is
held against that with its own standard error, so that few rows don't fail by chance.

Where customers have snapshots, what is the same for all of a month raises the pooled AUC and knows
nobody. There the AUC among customers of one snapshot, and that of the later test rows, have to keep
half of its lead over chance, and the risk has to be calibrated in the later month: to half of the
rarer outcome's rate, since rates do move from month to month.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import dagster as dg

from checks.attach import check_on
from checks.predictors import Gate
from churn_assets.customers import counted
from churn_assets.customers.quality.said import recorded_line, recorded_problems
from churn_assets.customers.schema import load_schema
from churn_assets.messages.shield.own_words import unfit_words
from churn_assets.orchestration.resources import StoreResource
from churn_assets.stages.spec import Report
from churn_assets.storage.protocol import Artifact

OFF, OFF_LATER = 0.25, 0.5
"""Of the rarer outcome's rate: so much of it a calibration error may be, and in a later month."""
NOTHING_OFF = {"rate": 0.5, "beyond_floor": 0.0, "error": 0.0}


@dataclass(frozen=True)
class Allowed:
    """How far off probabilities may be: `most`, or a part (`of_rate`) of the rarer outcome's rate
    where that is less."""

    most: float
    of_rate: float = OFF

    def share(
        self, place: Callable[[Report], Mapping[str, float]], figure: str
    ) -> Callable[[Report], float]:
        """A figure of the calibration at a place of the report, over what is allowed."""

        def share(report: Report) -> float:
            found = place(report)
            rarer = min(found["rate"], 1 - found["rate"])
            return found[figure] / min(self.most, self.of_rate * rarer)

        return share


def calibration_gate(
    name: str,
    which: str,
    allowed: Allowed,
    place: Callable[[Report], Mapping[str, float]],
    beside: tuple[str, ...],
) -> Gate:
    """A bound on the calibration error beyond chance of what `which` says, at a place of the report
    (as `calibration_by_mass` has it); shown to be exceeded, or it holds."""
    return Gate(
        name=name,
        figure=f"{which}, in bins of as many rows each, less that of exact probabilities of as "
        f"many rows, over what is allowed ({allowed.most:g}, or {allowed.of_rate:g} of the rarer "
        "outcome's rate where that is less)",
        value=allowed.share(place, "beyond_floor"),
        high=1.0,
        error=allowed.share(place, "error"),
        beside=beside,
    )


def ranking_gate(name: str, which: str, place: str) -> Gate:
    """A bound on an AUC of snapshots (`snapshots` of the report): not shown to have lost more than
    half of the pooled one's lead over chance. Holds where there are no snapshots."""

    def kept(report: Report) -> float:
        found = report["snapshots"].get(place)
        return found["auc"] - (0.5 + report["auc_oof"]) / 2 if found else 0.0

    return Gate(
        name=name,
        figure=f"{which}, minus what lies half-way between chance and the pooled AUC (0 without "
        "several snapshots)",
        value=kept,
        low=0.0,
        error=lambda report: report["snapshots"].get(place, {}).get("error", 0.0),
        beside=("snapshots", "auc_oof"),
    )


OWN_RISK_GATES = (
    Gate(
        name="risk_is_not_shown_to_rank_worse_than_logistic_regression",
        figure="97.5 % bootstrap bound of the AUC's gain over a logistic regression on the same "
        "folds (where that is the model itself, 0)",
        value=lambda report: report["baselines_oof"]["logistic_regression"]["auc_gain_interval"][1],
        low=0.0,
        beside=("auc_oof", "auc_oof_interval", "rows", "baselines_oof", "method", "chosen"),
    ),
    Gate(
        name="risk_ranks_better_than_chance",
        figure="2.5 % bootstrap bound of the AUC, pooled out-of-fold predictions of all customers",
        value=lambda report: report["auc_oof_lower"],
        low=0.501,  # 0.5 is the AUC, and its bound, where everybody's risk is the base rate
        beside=("auc_oof", "rows"),
    ),
    calibration_gate(
        "risk_is_calibrated_beyond_chance",
        "expected calibration error out of fold",
        Allowed(0.05),
        lambda report: report["calibration_by_mass"],
        ("calibration_by_mass", "rows"),
    ),
    calibration_gate(
        "risk_is_calibrated_for_short_requests_beyond_chance",
        "the same with nothing but the fields that a request has to give",
        Allowed(0.05),
        lambda report: report["required_only_oof"]["calibration_by_mass"],
        ("required_only_oof",),
    ),
    ranking_gate(
        "risk_ranks_customers_of_the_same_snapshot",
        "AUC out of fold among customers of the same snapshot",
        "within",
    ),
    ranking_gate(
        "risk_ranks_customers_of_a_later_snapshot",
        "AUC of the test customers, of a later snapshot than all that was learnt from",
        "later",
    ),
    calibration_gate(
        "risk_is_calibrated_in_a_later_snapshot",
        "expected calibration error of the same customers",
        Allowed(0.1, OFF_LATER),
        lambda report: report["snapshots"].get("later", {}).get("calibration_by_mass", NOTHING_OFF),
        ("snapshots",),
    ),
)


TABLES_HOLD = "the tables are what the contract says: `churn customers check` finds nothing to mend"


def _tables_hold_the_contract(store: StoreResource, history: Artifact) -> dg.AssetCheckResult:
    """`TABLES_HOLD`, as it was when they were read."""
    report = store.report(history)
    schema = load_schema(store.open().get(history))
    said = schema.messages if schema else ()
    unfit = [*unfit_words({w.field: w.say for w in said}, {w.field: w.say_in for w in said})]
    found = [*recorded_problems(report), *unfit]
    return dg.AssetCheckResult(
        passed=not found,
        description=recorded_line(found) if found else None,
        metadata={"problems": len(report["problems"]) + len(unfit), "leaks": len(report["leaks"])},
    )


COUNTED = {
    counted.ACTIVE: (
        "as_many_customers_are_active_as_lately",
        "no tenth fewer customers are active than on some day of the last 30",
    ),
    counted.HISTORY: (
        "the_history_is_as_long_as_lately",
        "the history has no tenth fewer rows that can be used than on some day of the last 30",
    ),
}
"""Asset -> the check of its table's length, and what it holds. It warns: some tables do get
shorter, and nothing in one tells that its export broke off."""


def _is_as_long_as_lately(asset: str) -> dg.AssetChecksDefinition:
    name, about = COUNTED[asset]

    def judge(store: StoreResource, _: Artifact) -> dg.AssetCheckResult:
        fall = counted.fall_of(store.open(), asset)
        return dg.AssetCheckResult(
            passed=fall is None,
            severity=dg.AssetCheckSeverity.WARN,
            description=None if fall is None else counted.said_of(fall, asset),
            metadata={} if fall is None else fall._asdict(),
        )

    return check_on(asset, judge, name=name, about=about, blocking=False)


def _on_risk(gate: Gate) -> dg.AssetChecksDefinition:
    return check_on(
        "risk_model",
        lambda store, model: gate.judge(store.report(model)["risk"]),
        name=gate.name,
        about=gate.figure,
    )


def own_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of a graph on a company's own customers."""
    gates = [_on_risk(gate) for gate in OWN_RISK_GATES]
    table = check_on(
        "customer_history",
        _tables_hold_the_contract,
        name="tables_hold_the_contract",
        about=TABLES_HOLD,
    )
    return [table, *map(_is_as_long_as_lately, COUNTED), *gates]
