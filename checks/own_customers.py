"""Checks of a company's own customers, where CHURN_CUSTOMERS names a contract.

They stand in for those of the built-in data, whose bounds presuppose IBM's rows. Figures of the
risk model are relative: to a logistic regression on the same folds, and to the calibration error
that so few rows show by chance. (Measured on subsamples of IBM's table: a lower bound of the gain
above -0.005 would refuse nearly every sound table of 500 to 1,000 rows; an upper bound of at least
0 refuses 8 % at 1,000 and catches 92 % of overfitted models.)
"""

from __future__ import annotations

import dagster as dg

from checks.attach import check_on
from checks.predictors import Gate
from churn_assets.customers.schema import load_schema
from churn_assets.messages.shield.own_words import unfit_words
from churn_assets.orchestration.resources import StoreResource
from churn_assets.storage.protocol import Artifact

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
    Gate(
        name="risk_is_calibrated_beyond_chance",
        figure="expected calibration error out of fold, less that of exact probabilities of as "
        "many rows",
        value=lambda report: report["ece_oof_beyond_floor"],
        high=0.05,
        beside=("ece_oof", "ece_oof_floor", "rows"),
    ),
    Gate(
        name="risk_is_calibrated_for_short_requests_beyond_chance",
        figure="the same with nothing but the fields that a request has to give",
        value=lambda report: report["required_only_oof"]["ece_beyond_floor"],
        high=0.05,
        beside=("required_only_oof",),
    ),
)


TABLES_HOLD = "the tables are what the contract says: `churn customers check` finds nothing to mend"


def _tables_hold_the_contract(store: StoreResource, history: Artifact) -> dg.AssetCheckResult:
    """`TABLES_HOLD`, as it was when they were read."""
    report = store.report(history)
    schema = load_schema(store.open().get(history))
    said = schema.messages if schema else ()
    unfit = unfit_words({w.field: w.say for w in said}, {w.field: w.say_in for w in said})
    found = [*report["problems"], *unfit]
    return dg.AssetCheckResult(
        passed=not found,
        description="; ".join(found) or None,
        metadata={"problems": len(found), "leaks": len(report["leaks"])},
    )


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
    return [table, *gates]
