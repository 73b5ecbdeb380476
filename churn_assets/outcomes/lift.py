"""What contacting brought: the treated customers against those who were left alone.

Everybody counts in the group that the draw put them in, whether or not they were contacted or the
message arrived (intention to treat): only then are the groups alike but for the treatment. A
customer's outcome is that of the horizon that began with the first decision after the draw.

Four measures a customer: `churn` (0/1), `retained_value` (the customer's value if they stayed),
`spend` (discounts accepted, and what the contacts themselves cost) and `net` (retained value minus
spend). The verdict is about `net`, and is read from the interval that is valid at every look, since
people look every day; so are those of the segments, and the check of the groups' sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.domain.experiment import Draw, ExperimentConfig
from churn_assets.domain.statistics import Floats
from churn_assets.domain.value import amount
from churn_assets.outcomes import inference, leaving
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import awaited, measured
from churn_assets.outcomes.foretold import held_against
from churn_assets.outcomes.inference import TooFewError
from churn_assets.outcomes.sample_ratio import sample_ratio
from churn_assets.outcomes.segments import segments
from churn_assets.outcomes.worth import PLAIN, Worth

MEASURES = ("churn", "retained_value", "spend", "net")
COVARIATES = ("churn_risk", "customer_value")
RISK, VALUE = map(COVARIATES.index, COVARIATES)
OF_INTEREST = 0.025
"""Of a year's value: the smallest gain that would matter, where the settings don't say. 20 a
customer are next to nothing for an insurance and a quarter of what some subscriptions bring."""
CONTRADICTED = (
    "Not known: the groups' sizes contradict the share that was drawn, so the log or the draw is "
    "broken and nothing can be concluded."
)
STOP_IT = (
    "Stop it: approve and send nothing, and take back the approved plan (churn campaign cancel), "
    "until you know why."
)
NOT_BY_THE_SWITCH = (
    "The kill switch (churn baseline on) only changes who decides: the rules contact people, too."
)
"""What follows `STOP_IT` while the switch is off: whoever throws it has stopped no contact."""
OTHER_SHARE = (
    "the control group's share was changed, and everybody was decided on with another one before: "
    "in this draw they are never compared. Draw anew (CHURN_EXPERIMENT__ROTATION_DATES)."
)
LOOKS = 60  # points of the interval over time that the report keeps

Verdict = Literal["helps", "hurts", "no effect that matters", "not known yet"]


@dataclass(frozen=True)
class Customers:
    """N customers of one draw whose outcome is known, in the order in which it became known.

    Attributes:
        treated: (N,) bool; the others were left alone.
        measures: name (`MEASURES`) -> (N,).
        covariates: (N, 2) `COVARIATES`, as they were at the first decision.
        known_at: (N,) datetime64, when the horizon was over.
        control_share: that the draw was made with.
        foretold: (N,) currency that decisions said the contacts sent are worth; None: unknown.
    """

    treated: NDArray[np.bool_]
    measures: Mapping[str, Floats]
    covariates: Floats
    known_at: NDArray[np.datetime64]
    control_share: float
    foretold: Floats | None = None

    @classmethod
    def of(cls, table: pd.DataFrame, worth: Worth = PLAIN) -> Customers:
        """From a table with a row a customer: columns customer, group, churned, spend, known_at,
        control_share and `COVARIATES`, and `foretold` where it is known; `worth` says how leaving
        counts."""
        table = table.sort_values(["known_at", "customer"], kind="stable")
        churned = table["churned"].to_numpy(np.float64)
        spend = table["spend"].to_numpy(np.float64)
        retained = worth.kept(table)
        return cls(
            treated=(table["group"] == "treated").to_numpy(),
            measures={
                "churn": churned,
                "retained_value": retained,
                "spend": spend,
                "net": retained - spend,
            },
            covariates=table[list(COVARIATES)].to_numpy(np.float64),
            known_at=table["known_at"].dt.tz_localize(None).to_numpy(),
            control_share=float(table["control_share"].iloc[0]) if len(table) else 0.0,
            foretold=table["foretold"].to_numpy(np.float64) if "foretold" in table else None,
        )

    def __len__(self) -> int:
        return len(self.treated)


def lift_report(customers: Customers, config: OutcomesConfig, currency: str = "") -> dict[str, Any]:
    """The report as JSON: effects, segments, the interval over time, the verdict and its sentence,
    whose amounts begin with `currency`.

    Where there are too few customers for any interval, or too few who left or stayed, it says so,
    and how many are needed.
    """
    counts = {
        "customers": len(customers),
        "treated": int(customers.treated.sum()),
        "control": int((~customers.treated).sum()),
    }
    try:
        effects = _effects(customers)
        telling = _telling(customers)
    except TooFewError as error:
        needed = _planned(customers, config)
        sentence = f"Not known yet: {error}. {_until(needed, config)}"
        return {**counts, "verdict": "not known yet", "sentence": sentence, "needed": needed}
    scores = inference.doubly_robust_scores(
        customers.measures["net"],
        customers.treated,
        customers.covariates,
        1 - customers.control_share,
        config.seed,
    )
    sequence = inference.confidence_sequence(scores, config.plan_customers)
    lower, upper = float(sequence.lower[-1]), float(sequence.upper[-1])
    of_interest = _of_interest(customers, config)
    needed = _more_needed(customers, scores, of_interest, config)
    ratio = sample_ratio(counts["control"], counts["customers"], customers.control_share)
    verdict = judge(lower, upper, of_interest)
    value = float(sequence.value[-1])
    sentence = sentence_of(verdict, value, (lower, upper), needed, of_interest, currency)
    if ratio["found"]:
        verdict, sentence = "not known yet", CONTRADICTED
    told: dict[str, Any] = {}
    if customers.foretold is not None and not ratio["found"]:
        told = held_against(customers.foretold, customers.treated, lower, upper, currency)
    return {
        **counts,
        "sample_ratio": ratio,
        "effects": effects,
        "segments": segments(
            customers.covariates,
            customers.treated,
            customers.measures["churn"],
            scores,
            config.plan_customers,
        ),
        "always_valid": {"net": value, "net_lower": lower, "net_upper": upper},
        **({"foretold": told} if told else {}),
        "over_time": _over_time(sequence, customers, telling),
        "power": _power(customers, config),
        "needed": needed if verdict == "not known yet" else 0,
        "verdict": verdict,
        "sentence": sentence,
    }


def no_outcome_yet(
    table: pd.DataFrame,
    experiment: ExperimentConfig,
    config: OutcomesConfig,
    in_force: Draw | None,
    last_left: pd.Timestamp | None,
    now: datetime,
) -> dict[str, Any]:
    """The report while nobody's outcome is known: why, and from when on one will be.

    Args:
        table: `joining.without_ids`, a row a decision.
        experiment: as it is in force.
        last_left: `leaving.Reported.last`.
    """
    waiting = awaited(table, in_force)
    if waiting.empty and len(measured(table, in_force)):
        why = OTHER_SHARE
    elif len(waiting):
        why = leaving.first_known(waiting["known_at"].min(), last_left, config, now)
    elif not experiment.enabled:
        why = "nobody is left alone to compare with; `churn experiment on` changes that."
    else:
        why = "no decision is logged yet."
    decided = waiting if len(waiting) else table
    rate = _as_told(decided["churn_risk"].to_numpy(np.float64))
    needed = _customers_needed(rate, experiment.control_share, config)
    return {
        **dict.fromkeys(("customers", "treated", "control"), 0),
        "verdict": "not known yet",
        "sentence": f"Not known yet: {why} {_until(needed, config)}",
        "needed": needed,
    }


def judge(lower: float, upper: float, of_interest: float) -> Verdict:
    """The verdict that an interval of the gain per customer allows."""
    if lower > 0:
        return "helps"
    if upper < 0:
        return "hurts"
    if -of_interest < lower and upper < of_interest:
        return "no effect that matters"
    return "not known yet"


def sentence_of(
    verdict: Verdict,
    value: float,
    bounds: tuple[float, float],
    needed: int,
    of_interest: float,
    currency: str = "",
) -> str:
    """The verdict as a sentence for whoever has to act on it."""
    lower, upper = (amount(bound, currency) for bound in bounds)
    between = f"between {lower} and {upper} a customer"
    if verdict == "helps":
        return f"Contacting helps: it brings {amount(value, currency)}, {between}, after all costs."
    if verdict == "hurts":
        lost, least, most = (amount(-n, currency) for n in (value, bounds[1], bounds[0]))
        costs = f"it costs {lost}, between {least} and {most} a customer"
        return f"Contacting hurts: {costs}. {STOP_IT} {NOT_BY_THE_SWITCH}"
    if verdict == "no effect that matters":
        largest = max(abs(bound) for bound in bounds)
        return f"No effect larger than {amount(largest, currency)} a customer, either way."
    effect = f"an effect of {amount(of_interest, currency)} a customer"
    if needed <= 0:
        return f"Not known yet: {between}, though {effect} mostly shows with so many customers."
    return f"Not known yet: {between}. To see {effect} needs {needed:,} more customers."


def _telling(customers: Customers) -> NDArray[np.bool_]:
    """(N,) after how many customers the interval holds.

    Raises:
        TooFewError: it doesn't hold yet, since too few have left, or stayed.
    """
    churned, yearly = customers.measures["churn"], customers.covariates[:, VALUE]
    telling = inference.enough_of_both(churned, customers.treated, yearly)
    if not telling[-1]:
        held = float(inference.least_of_both(churned, customers.treated, yearly)[-1])
        left = int(churned.sum())
        smaller = int(min(customers.treated.sum(), (~customers.treated).sum()))
        raise TooFewError(
            f"{left:,} of {len(customers):,} customers have left, too "
            f"{'few' if 2 * left < len(customers) else 'many'} to compare a group of {smaller:,}: "
            f"counted by what they pay, as customers of one bill, these are {held:.1f} in it, and "
            f"{inference.EFFECTIVE:g} are needed"
        )
    return telling


def _effects(customers: Customers) -> dict[str, dict[str, Any]]:
    """Treated minus control for every measure: plain, and adjusted by what was known before."""
    found = {}
    for name, outcome in customers.measures.items():
        difference = inference.share_difference if name == "churn" else inference.mean_difference
        plain = difference(outcome, customers.treated)
        adjusted = inference.adjusted_difference(outcome, customers.treated, customers.covariates)
        found[name] = {
            "treated": float(outcome[customers.treated].mean()),
            "control": float(outcome[~customers.treated].mean()),
            **plain.as_dict("effect"),
            **adjusted.as_dict("adjusted"),
            "variance_left": float((adjusted.error / plain.error) ** 2) if plain.error else 1.0,
        }
    return found


def _over_time(
    sequence: inference.Sequence, customers: Customers, telling: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """The interval at up to `LOOKS` moments at which it holds, for the plot."""
    looks = np.unique(np.linspace(2 * inference.FEWEST, len(customers) - 1, LOOKS).astype(int))
    return [
        {
            "time": str(customers.known_at[i].astype("datetime64[s]")),
            "customers": int(i + 1),
            "net": float(sequence.value[i]),
            "lower": float(sequence.lower[i]),
            "upper": float(sequence.upper[i]),
        }
        for i in looks
        if i < len(customers) and telling[i]
    ]


def _power(customers: Customers, config: OutcomesConfig) -> dict[str, Any]:
    """How many customers and days the effect of interest takes, at the pace until now."""
    customers_needed = _planned(customers, config)
    span = (customers.known_at[-1] - customers.known_at[0]) / np.timedelta64(1, "D")
    pace = len(customers) / max(float(span), 1.0)
    return {
        "effect_of_interest": config.effect_of_interest,
        "customers_needed": customers_needed,
        "customers_a_day": pace,
        "days_needed": max(0.0, (customers_needed - len(customers)) / pace),
    }


def _planned(customers: Customers, config: OutcomesConfig) -> int:
    churned, yearly = customers.measures["churn"], customers.covariates[:, VALUE]
    told = 0 < churned.sum() < len(churned)
    rate = float(churned.mean()) if told else _as_told(customers.covariates[:, RISK])
    worth = inference.effective_number(yearly)[-1:].sum()  # nobody yet: of none
    alike = float(worth) / len(customers) if worth else 1.0
    return _customers_needed(rate, customers.control_share, config, alike)


def _as_told(risk: Floats) -> float:
    """How many leave, as their risk says while nobody has; a fifth before anybody was looked at."""
    return float(np.clip(risk.mean(), 1e-3, 1 - 1e-3)) if len(risk) else 0.2


def _customers_needed(rate: float, share: float, config: OutcomesConfig, alike: float = 1.0) -> int:
    """Until an effect of interest mostly shows, and there are enough of either outcome; `alike`:
    how many customers of one value a customer is worth (`inference.effective_number`)."""
    share = min(max(share, 0.01), 0.5)
    planned = inference.customers_needed(rate, -config.effect_of_interest, share)
    enough = inference.EFFECTIVE / (share * min(rate, 1 - rate) * alike)
    return max(planned, int(np.ceil(enough)))


def _until(needed: int, config: OutcomesConfig) -> str:
    points = 100 * config.effect_of_interest
    return (
        f"To see {points:g} % more or less of all customers leave takes about {needed:,} of them."
    )


def _of_interest(customers: Customers, config: OutcomesConfig) -> float:
    """The smallest gain per customer that would matter, in currency."""
    if config.value_of_interest is not None:
        return config.value_of_interest
    yearly = customers.covariates[:, VALUE]
    return max(OF_INTEREST * float(yearly.mean()), 0.01)  # who pay nothing can't bring less


def _more_needed(
    customers: Customers, scores: Floats, of_interest: float, config: OutcomesConfig
) -> int:
    """Customers beyond those there are until an effect that matters would be shown at some look."""
    needed = inference.observations_needed(float(scores.std()), of_interest, config.plan_customers)
    return max(0, needed - len(customers))
