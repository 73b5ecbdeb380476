"""Decisions joined with what happened after them, by rules that are written down.

| case | rule |
|---|---|
| the event names a decision | it belongs to it, if the customer is the same and it came after it |
| it names none | it answers the customer's last contact within `answer_days` before it |
| a plan's contact | was made when reported as sent, else from when its day's list may go out |
| such a contact, logged without its day | was made when so reported, else at the approval |
| any other contact | was made at its decision |
| `sent`, `delivered`, `not_sent` without an id | may be of a plan's contact of the day after it |
| `sent`, `delivered`, `not_sent` so | also the last decision to leave a control customer alone |
| `delivered` so, of a control customer | what was `sent` to them within `answer_days` before it |
| `not_sent` | the contact wasn't made: what was `sent` of it until then counts for nothing |
| `not_sent`, but sent later, or an answer that names it | the contact was made |
| an answer that names none, after `not_sent` | of the contact before it |
| `not_sent` that names none, of a contact that was sent | it was made: in doubt a contact counts |
| `churned` | belongs to the customer: it is what came next to each of their decisions |
| an event id twice | counted once |
| the same kind twice for one decision | the earliest counts |
| an answer later than `horizon_days` after its contact | left out: all are given the same time |
| leaving later than that after the decision | none of its outcome, in either group |
| accepted and refused | accepted: a discount that was taken is paid, whatever was said besides |
| another discount than decided | what was really given is what was spent |
| what a contact itself costs (a call) | is spent once it was made: reported as sent, or answered |
| an event before its decision | left out, but for a day that clocks may differ |
| a day alone (midnight) | may be of a contact that was made later on that day |
| its time can't be (9999), or it is no event | left out: old logs may have some |
| a contact promised before the draw, made since | its customer's, of both draws (`customers_of`) |
| a plan's contact of the control group | none: old logs have some, of a draw after the plan's |

What is left out is counted by its reason. A decision's outcome is `known` once its horizon is over
and leaving has been reported up to its end (`leaving.reported`), and `answers_known` once that of
its contact is over; before that, nothing is concluded from them. Groups are compared by the former
alone: nobody contacts the control group, so it has but its decisions to count from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from churn_assets.domain.offers import Offers
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.leaving import Reported, reported
from churn_assets.outcomes.matching import CLOCKS_DIFFER, REPORTS, moments, with_decisions, without
from churn_assets.outcomes.reached import answers_from, made_at, reached_at, with_last_words

ANSWERS = (*REPORTS, "accepted", "refused", "unsubscribed")
MIDNIGHT = r"^\S{10}(?:$|[T ]00:00(?::00(?:\.0+)?)?(?:$|Z|[+-]))"
"""Of a time as it was told, by whatever clock: a day, most likely."""
EVENT_COLUMNS = (
    "event_id",
    "customer_id",
    "kind",
    "occurred_at",
    "offer_percentage",
    "decision_id",
)


_BUILT_IN = Offers()
LEFT_ALONE = {
    "contact": False,
    "offer_level": 0,
    "propensity": 1.0,
    "exploration": None,
    "preferred": None,
    "runner_up": None,
    "expected_value": 0.0,
    "expected_cost": 0.0,
    "contact_cost": None,
    "contact_from": None,
}
"""What a plan's decision about somebody of the control group says."""


class Joined(NamedTuple):
    """Decisions with their outcomes.

    Attributes:
        table: a row a decision, in order of time: the decision log's columns and, of each kind of
            answer and of leaving, `<kind>_at` (NaT: it didn't happen); `accepted`, `refused`,
            `churned` (within the horizon), `given_percentage`, `contact_cost` (0 unless the contact
            was made), `spend` (that and the discount accepted), `known_at`, `known`,
            `answers_from` (when its contact was made or may be, else the decision),
            `answers_known`.
        left_out: reason -> number of events.
        leaving: up to when leaving has been reported.
    """

    table: pd.DataFrame
    left_out: dict[str, int]
    leaving: Reported


def join(
    decisions: pd.DataFrame,
    events: Iterable[Mapping[str, Any]],
    config: OutcomesConfig,
    now: datetime,
    offers: Mapping[str, Offers] | None = None,
) -> Joined:
    """The decisions with what happened after them.

    Args:
        decisions: columns of the decision log.
        events: in the form of `POST /feedback`, in any order.
        now: what tells whether a horizon is over.
        offers: release id -> its own offers; others made the built-in ones.
    """
    left_out: Counter[str] = Counter()
    decisions = decisions.sort_values(["time", "decision_id"], ignore_index=True)
    # A plan was approved with a later draw than it was made with; its lists left them out.
    redrawn = (decisions["source"] == "campaign") & (decisions["group"] == "control")
    decisions.loc[redrawn, list(LEFT_ALONE)] = list(LEFT_ALONE.values())
    for name in ("time", "contact_from"):
        decisions[name] = moments(decisions[name])
    told = _events(events, left_out)
    answers = told[told["kind"] != "churned"]
    matched = with_last_words(with_decisions(answers, decisions, config, left_out), left_out)
    table = _with_answers(decisions, matched, left_out, offers or {})
    churned = told[told["kind"] == "churned"]
    leaving = reported(churned["occurred_at"], config, now)
    table = _finished(_with_leaving(table, churned, left_out), config, now, leaving)
    return Joined(table, {k: n for k, n in left_out.items() if n}, leaving)


def without_ids(table: pd.DataFrame) -> pd.DataFrame:
    """`Joined.table` with numbers of its own (`customer`) in place of the ids of customers and
    decisions: what is published leads back to nobody, and needs no erasing."""
    numbers = pd.Series(pd.factorize(table["customer_id"])[0], table.index, "int64")
    return table.drop(columns=["customer_id", "decision_id"]).assign(customer=numbers)


def _events(events: Iterable[Mapping[str, Any]], left_out: Counter[str]) -> pd.DataFrame:
    told = pd.DataFrame(
        [{name: event.get(name) for name in EVENT_COLUMNS} for event in events],
        columns=list(EVENT_COLUMNS),
    )
    times = pd.to_datetime(told["occurred_at"], utc=True, format="ISO8601", errors="coerce")
    told["day_alone"] = told["occurred_at"].astype(str).str.contains(MIDNIGHT)
    told["occurred_at"] = times.astype("datetime64[us, UTC]")
    problems = {
        "at a time that can't be": times.isna(),
        "without id, customer or kind": told[["event_id", "customer_id", "kind"]]
        .isna()
        .any(axis=1),
    }
    told = without(told, problems, left_out)
    told["offer_percentage"] = told["offer_percentage"].astype("float64")
    again = told.duplicated("event_id")
    left_out["the same event id"] += int(again.sum())
    return told[~again].sort_values(["occurred_at", "event_id"], ignore_index=True)


def _with_answers(
    decisions: pd.DataFrame,
    matched: pd.DataFrame,
    left_out: Counter[str],
    offers: Mapping[str, Offers],
) -> pd.DataFrame:
    matched = matched.sort_values(["occurred_at", "event_id"])
    again = matched.duplicated(["decision_id", "kind"])
    left_out["said twice of one decision"] += int(again.sum())
    first = matched[~again]
    table = decisions.copy()
    for kind in ANSWERS:
        times = first[first["kind"] == kind].set_index("decision_id")["occurred_at"]
        table[f"{kind}_at"] = moments(table["decision_id"].map(times))
    given = first[first["kind"] == "accepted"].set_index("decision_id")["offer_percentage"]
    made = [offers.get(release, _BUILT_IN) for release in table["release_id"]]
    level = table["offer_level"].fillna(0).astype(int)
    decided = np.array([each.percent[k] for each, k in zip(made, level, strict=True)], np.int64)
    table["offer_years"] = np.array([each.months / MONTHS_OF_VALUE for each in made], np.float64)
    table["given_percentage"] = given.reindex(table["decision_id"]).to_numpy()
    table["given_percentage"] = table["given_percentage"].fillna(pd.Series(decided)).astype(float)
    table["accepted"] = table["accepted_at"].notna()
    table["refused"] = table["refused_at"].notna() & ~table["accepted"]
    left_out["refused, but accepted"] += int(
        (table["refused_at"].notna() & table["accepted"]).sum()
    )
    return table


def _with_leaving(
    table: pd.DataFrame, churned: pd.DataFrame, left_out: Counter[str]
) -> pd.DataFrame:
    """The customer's next `churned` event after each decision, or shortly before it: where days are
    reported, it has the midnight at which the day of the decision began."""
    decided = table.groupby("customer_id")["time"].min()
    first = churned["customer_id"].map(decided)
    problems = {
        "no decision about this customer": first.isna(),
        "before its decision": churned["occurred_at"] < first - CLOCKS_DIFFER,
    }
    events = without(churned, problems, left_out)
    latest = (events["occurred_at"] + CLOCKS_DIFFER).astype(table["time"].dtype)
    return pd.merge_asof(
        table,
        events[["customer_id"]].assign(churned_at=events["occurred_at"], time=latest),
        on="time",
        by="customer_id",
        direction="forward",
    )


def _finished(
    table: pd.DataFrame, config: OutcomesConfig, now: datetime, leaving: Reported
) -> pd.DataFrame:
    horizon = pd.Timedelta(days=config.horizon_days)
    table["known_at"] = table["time"] + horizon
    table["known"] = table["known_at"] <= leaving.until
    table["answers_from"] = answers_from(table, reached_at(table))
    table["answers_known"] = table["answers_from"] + horizon <= pd.Timestamp(now.astimezone(UTC))
    table["churned"] = (table["churned_at"] <= table["known_at"]).fillna(False).astype(bool)
    discount = table["given_percentage"] / 100 * table["customer_value"] * table["offer_years"]
    made = table["contact"] & made_at(table).notna()
    table["contact_cost"] = table["contact_cost"].astype("float64").fillna(0.0).where(made, 0.0)
    table["spend"] = discount.where(table["accepted"], 0.0) + table["contact_cost"]
    return table.drop(columns=["offer_years"])
