"""Which decision each event is of: the one that it names, or else the one that it can be of.

By the rules at the top of `outcomes/joining.py`. What was left out is counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.reached import (
    NOT_SENT,
    REACHED,
    answers_from,
    may_be_made_from,
    with_last_words,
)

REPORTS = (*REACHED, NOT_SENT)
CLOCKS_DIFFER = pd.Timedelta(days=1)
UNANSWERING = "no contact that it answers"


def answering_from(days: Sequence[date], now: datetime, config: OutcomesConfig) -> datetime:
    """Since when events can be of a decision of these days (UTC), or of a day within `keep_days`:
    what happened before is of none, with two days for clocks that differ."""
    first = min([*days, now.date() - timedelta(days=config.keep_days)])
    return datetime.combine(first, time(), UTC) - 2 * CLOCKS_DIFFER


def with_decisions(
    answers: pd.DataFrame,
    decisions: pd.DataFrame,
    config: OutcomesConfig,
    left_out: Counter[str],
) -> pd.DataFrame:
    """Answers with the id of their decision, and whether they named it themselves (`named`). What
    was sent comes first: it tells when a contact was made, and so what may answer it; one that
    never was is answered by nobody who doesn't name it."""
    names, reports = answers["decision_id"].notna(), answers["kind"].isin(REPORTS)
    named = _by_decision(answers[names], decisions, left_out).assign(named=True)
    is_report = named["kind"].isin(REPORTS)
    others = _by_report(answers[~names & reports], decisions, config, left_out)
    told = pd.concat([named[is_report], others.assign(named=False)], ignore_index=True)
    told = _delivered_as_sent(told, decisions, config)
    told = _within(told, decisions, may_be_made_from(decisions), config, left_out)
    held = with_last_words(pd.concat([told, named[~is_report]], ignore_index=True), Counter())
    sent = held[held["kind"].isin(REACHED)].groupby("decision_id")["occurred_at"].min()
    begins = answers_from(decisions, moments(decisions["decision_id"].map(sent)))
    made = ~decisions["decision_id"].isin(held.loc[held["kind"] == NOT_SENT, "decision_id"])
    others = answers[~names & ~reports]
    others = _by_contact(others, decisions[made], begins[made], config, left_out)
    replies = pd.concat([named[~is_report], others.assign(named=False)], ignore_index=True)
    replies = _within(replies, decisions, begins, config, left_out)
    return pd.concat([told, replies], ignore_index=True)


def _by_decision(
    answers: pd.DataFrame, decisions: pd.DataFrame, left_out: Counter[str]
) -> pd.DataFrame:
    """Answers that name their decision, with its `time`."""
    known = decisions[["decision_id", "customer_id", "time"]]
    found = answers.merge(known, on="decision_id", how="left", suffixes=("", "_decided"))
    problems = {
        "no such decision": found["time"].isna(),
        "another customer's decision": found["customer_id"] != found["customer_id_decided"],
        "before its decision": found["occurred_at"] < found["time"] - CLOCKS_DIFFER,
    }
    return without(found, problems, left_out).drop(columns="customer_id_decided")


def _by_report(
    reports: pd.DataFrame,
    decisions: pd.DataFrame,
    config: OutcomesConfig,
    left_out: Counter[str],
) -> pd.DataFrame:
    """What was sent, or never was, and names no decision, with the id of the one that it is of.

    Who writes to the control group doesn't know of our decisions, so what was sent may be about one
    to leave a customer of it alone. Many systems report days: what has no hour but midnight may be
    of a contact that was made later on the day, and is of that one rather than of an earlier one.
    A plan's contact may be sent, or refused by the mail system, shortly before its hour.
    """
    contact, opens = decisions["contact"], may_be_made_from(decisions)
    contacts = _keyed(decisions[contact], opens)
    those_left_alone = _keyed(decisions[contact | (decisions["group"] == "control")], opens)
    days = reports["day_alone"]
    of_its_day, rest = _matched(reports[days], contacts, ahead=True)
    rest = pd.concat([rest, reports[~days]]).sort_values(["occurred_at", "event_id"])
    lately, rest = _matched(rest, those_left_alone)
    shortly, rest = _matched(rest, contacts, ahead=True)
    before, rest = _matched(rest, those_left_alone, pd.Timedelta(days=config.answer_days))
    left_out[UNANSWERING] += len(rest)
    return pd.concat([of_its_day, lately, shortly, before], ignore_index=True)


def _delivered_as_sent(
    told: pd.DataFrame, decisions: pd.DataFrame, config: OutcomesConfig
) -> pd.DataFrame:
    """Reports with their decisions: what was delivered to somebody left alone, and names no
    decision, is of what was sent to them last within `answer_days`, if anything was.

    A letter takes days to arrive: where the control group was drawn anew meanwhile, it would seem
    to have been written to. What was sent to it is told by its own report.
    """
    alone = decisions.loc[~decisions["contact"], "decision_id"]
    doubtful = (told["kind"] == "delivered") & ~told["named"].astype(bool)
    doubtful &= told["decision_id"].isin(alone)
    sent = told[told["kind"] == "sent"]
    if not doubtful.any() or sent.empty:
        return told
    sent = sent[["customer_id", "decision_id", "time", "occurred_at"]].sort_values("occurred_at")
    delivered = told[doubtful].sort_values("occurred_at")
    found, _ = _matched(delivered, sent, pd.Timedelta(days=config.answer_days))
    others = told[~told["event_id"].isin(found["event_id"])]
    return pd.concat([others, found], ignore_index=True)


def _by_contact(
    replies: pd.DataFrame,
    decisions: pd.DataFrame,
    begins: pd.Series[pd.Timestamp],
    config: OutcomesConfig,
    left_out: Counter[str],
) -> pd.DataFrame:
    """Answers that name no decision, with the id of the contact that they answer: the last one that
    was made by then. A day alone may be of one that was made later on the day, where there is no
    earlier one.

    Args:
        begins: when the contact of each decision was made, or may be.
    """
    contacts = _keyed(decisions[decisions["contact"]], begins)
    earlier, rest = _matched(replies, contacts, pd.Timedelta(days=config.answer_days))
    later, days = _matched(rest[rest["day_alone"]], contacts, ahead=True)
    left_out[UNANSWERING] += int((~rest["day_alone"]).sum()) + len(days)
    return pd.concat([earlier, later], ignore_index=True)


def _keyed(decisions: pd.DataFrame, at: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    """Customer, id and time of decisions, to be found by when their contact was made or may be."""
    found = decisions[["customer_id", "decision_id", "time"]]
    return found.assign(occurred_at=at).sort_values("occurred_at", kind="stable")


def _matched(
    answers: pd.DataFrame,
    contacts: pd.DataFrame,
    longest: pd.Timedelta = CLOCKS_DIFFER,
    *,
    ahead: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers with the id of their decision, and those that have none: of the last contact within
    `longest` before them, or of the first within it after them (`ahead`), if it was decided on by
    then or they are days alone."""
    found = pd.merge_asof(
        answers.drop(columns=["decision_id", "time"], errors="ignore"),
        contacts,
        on="occurred_at",
        by="customer_id",
        tolerance=longest,
        direction="forward" if ahead else "backward",
    )
    fits = found["time"].notna()
    if ahead:
        fits &= found["day_alone"].astype(bool) | (found["time"] <= found["occurred_at"])
    return found[fits], found[~fits].drop(columns=["decision_id", "time"])


def _within(
    matched: pd.DataFrame,
    decisions: pd.DataFrame,
    begins: pd.Series[pd.Timestamp],
    config: OutcomesConfig,
    left_out: Counter[str],
) -> pd.DataFrame:
    """Events with their decisions that came within the horizon of when each of these begins."""
    from_ = begins.set_axis(decisions["decision_id"])
    from_ = from_[~from_.index.duplicated()]
    of_each = moments(matched["decision_id"].map(from_))
    late = matched["occurred_at"] > of_each + pd.Timedelta(days=config.horizon_days)
    left_out["later than the horizon"] += int(late.sum())
    return matched[~late]


def moments(values: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    """Moments in UTC, NaT included, as the log and the events have them; also of no rows at all."""
    return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")


def without(
    found: pd.DataFrame, problems: Mapping[str, pd.Series], left_out: Counter[str]
) -> pd.DataFrame:
    """The rows without any problem; a row counts by the first that it has."""
    sound = pd.Series(True, index=found.index)
    for reason, wrong in problems.items():
        left_out[reason] += int((wrong & sound).sum())
        sound &= ~wrong
    return found[sound]
