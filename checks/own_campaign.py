"""Checks of a company's own logged campaign, where the contract that CHURN_CUSTOMERS names has one.

They stand in for those of `bank_contacts` and for the accept model's bounds that presuppose that
data set: its rate of acceptance, its size, and features that rank it. Here all is relative: to the
offer alone and to a logistic regression, on held-out contacts on which nothing was chosen; to the
interval of the observed curve; and to how closely so many contacts tell it. What holds of any model
of acceptance (it never falls in the offer, it is never certain, shuffled offers have no uplift) is
the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from math import ceil

import dagster as dg
import pandas as pd

from checks.attach import check_on
from checks.own_customers import OFF_LATER, Allowed, calibration_gate
from checks.predictors import ACCEPT_GATES, FALSE_FAILURES, Gate
from churn_assets.customers.campaign import contacts_schema
from churn_assets.customers.campaign_schema import load_campaign
from churn_assets.customers.quality.said import recorded_line, recorded_problems
from churn_assets.datasets.errors import SchemaViolationError
from churn_assets.datasets.schemas import validate
from churn_assets.datasets.tables import read_split
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.statistics import wilson_interval
from churn_assets.orchestration.resources import StoreResource
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.training.own.offers import LOGISTIC, OFFER_ALONE
from churn_assets.stages.spec import Report
from churn_assets.storage.protocol import Artifact

OF_ANY_LOG = (
    "acceptance_never_falls_in_the_offer",
    "acceptance_is_never_certain",
    "shuffled_offers_have_no_uplift",
)
CLOSE_ENOUGH = AcceptConfig().support_reach
MOST_PEOPLE = 10**9


def _gain(baseline: str, figure: str, report: Report) -> float:
    return float(report["gain_over"][baseline][figure])


def _apart(low: float, high: float) -> float:
    """Half of the interval of a rate over what it may be: 0.10, or half of the rarer answer's rate
    where that is less. That rate is the interval's middle, which is never 0."""
    middle = (low + high) / 2
    return (high - low) / 2 / min(CLOSE_ENOUGH, OFF_LATER * min(middle, 1 - middle))


def _widest(report: Report) -> float:
    return max(_apart(*bounds) for bounds in report["curve_by_contacts"]["interval"])


def _more_contacts(report: Report) -> str:
    return "; ".join(_lacking(report))


def _lacking(report: Report) -> Iterator[str]:
    """Of each offer whose response isn't told closely: how many more contacts like its own would
    tell it so, if the rate is the one that was seen."""
    curve, told = report["curve_by_contacts"], report["effective_contacts_by_level"]
    offers = zip(report["response_by_level"], curve["mean"], curve["interval"], told, strict=True)
    for offer, mean, (low, high), count in offers:
        if _apart(low, high) <= 1:
            continue
        needed = _needed(mean if 0 < mean < 1 else (low + high) / 2)
        have = offer["people"]
        yield (
            f"{offer['gives']:g} {report['unit']}: a response of {mean:.2%} is told to "
            f"±{(high - low) / 2:.2%}; about {ceil(have * (needed / count - 1)):,} more customers "
            f"like the {have:,} contacted with that offer would tell it closely"
        )


def _needed(rate: float) -> int:
    """How many people tell a response of this rate, between 0 and 1, closely."""

    def tell(people: int) -> bool:
        low, high = wilson_interval(rate, people)
        return _apart(float(low), float(high)) <= 1

    return bisect_left(range(MOST_PEOPLE), True, lo=1, key=tell)


OWN_ACCEPT_GATES = (
    Gate(
        name="acceptance_is_not_shown_to_be_told_worse_than_by_the_offer_alone",
        figure="mean log-loss of each offer's rate for everybody, minus the model's, held out",
        value=partial(_gain, OFFER_ALONE, "value"),
        low=0.0,
        error=partial(_gain, OFFER_ALONE, "error"),
        beside=("method", "methods", "auc", "auc_interval", "rows", "baselines"),
    ),
    Gate(
        name="acceptance_is_not_shown_to_be_told_worse_than_by_logistic_regression",
        figure="mean log-loss of a logistic regression minus the model's, held out",
        value=partial(_gain, LOGISTIC, "value"),
        low=0.0,
        error=partial(_gain, LOGISTIC, "error"),
        beside=("method", "chosen", "rows", "baselines"),
    ),
    Gate(
        name="acceptance_curve_lies_in_the_interval_of_the_observed_one",
        figure="p-value of the offer whose predicted and observed rate lie furthest apart, out of "
        "fold (exact predictions fail with probability 1e-4)",
        value=lambda report: report["oof"]["curve_p_value"],
        low=FALSE_FAILURES,
        beside=("offer_curve", "oof", "response_by_level"),
    ),
    calibration_gate(
        "acceptance_is_calibrated_beyond_chance",
        "expected calibration error out of fold",
        Allowed(0.025),
        lambda report: report["oof"]["calibration_by_mass"],
        ("oof",),
    ),
    Gate(
        name="contacts_tell_the_customers_response_closely",
        figure="half of the 95 % interval of the customers' response, over what is close enough "
        f"({CLOSE_ENOUGH:g}, or {OFF_LATER:g} of the rarer answer's rate where that is less), at "
        "the offer that the log tells it least closely",
        value=_widest,
        high=1.0,
        todo=_more_contacts,
        beside=(
            *("curve_reach", "curve_by_contacts", "reach_by_level", "effective_contacts_by_level"),
            *("customers_auc", "unshared"),
        ),
    ),
    Gate(
        name="offers_were_made_as_the_contract_says",
        figure="p-value of the offers: not told from the features, in the shares or of the chances "
        "that the contract says (sound logs fail with probability 1e-4)",
        value=lambda report: report["propensity_p_value"],
        low=FALSE_FAILURES,
        beside=("propensity_auc", "share_by_level", "tests"),
    ),
    *(gate for gate in ACCEPT_GATES if gate.name in OF_ANY_LOG),
)

LOG_HOLDS = "the log is what the contract says: `churn customers check` finds nothing to mend in it"


def _log_holds_the_contract(store: StoreResource, contacts: Artifact) -> dg.AssetCheckResult:
    """`LOG_HOLDS`, as it was when it was read; columns that are means of the outcome are among what
    it finds, and stop it where they are features."""
    report = store.report(contacts)
    found = recorded_problems(report)
    means = [leak["column"] for leak in report["leaks"] if leak["sign"] == "group_mean"]
    return dg.AssetCheckResult(
        passed=not found,
        description=recorded_line(found) if found else None,
        metadata={"problems": len(report["problems"]), "outcome_means": ", ".join(means) or "none"},
    )


FOLLOW = (
    "every contact of every split has the contract's columns, types, ranges and words (pandera)"
)


def _contacts_follow_their_schema(store: StoreResource, contacts: Artifact) -> dg.AssetCheckResult:
    """`FOLLOW`, in the files as they were written."""
    folder = store.open().get(contacts)
    table = pd.concat([read_split(folder, part) for part in SPLITS], ignore_index=True)
    try:
        validate(
            table, contacts_schema(load_campaign(folder)), "campaign_contacts", show_values=False
        )
    except SchemaViolationError as violation:
        cases = dg.MetadataValue.md(violation.failure_cases)
        return dg.AssetCheckResult(
            passed=False, metadata={"failures": violation.count, "failure_cases": cases}
        )
    return dg.AssetCheckResult(passed=True, metadata={"rows": len(table)})


def _on_accept(gate: Gate) -> dg.AssetChecksDefinition:
    return check_on(
        "accept_model",
        lambda store, model: gate.judge(store.report(model)["accept"]),
        name=gate.name,
        about=gate.figure,
    )


def own_campaign_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of a graph on a company's own log."""
    log = check_on(
        "campaign_contacts",
        _log_holds_the_contract,
        name="log_holds_the_contract",
        about=LOG_HOLDS,
    )
    schema = check_on(
        "campaign_contacts",
        _contacts_follow_their_schema,
        name="contacts_follow_their_schema",
        about=FOLLOW,
    )
    return [log, schema, *map(_on_accept, OWN_ACCEPT_GATES)]
