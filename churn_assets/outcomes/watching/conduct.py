"""Whether the service keeps to what it promised: contacts, money, messages, and the probabilities
that it logs."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.spend_control import still_to_come
from churn_assets.domain.statistics import share
from churn_assets.domain.value import amount
from churn_assets.outcomes.first_contacts import may_be_made
from churn_assets.outcomes.reached import answers_known, made_at, reached_at, was_not_sent
from churn_assets.outcomes.watching.finding import WORSE, Finding, State, beyond
from churn_assets.release.switches.budget_price import BudgetPrice

FEWEST = 200
"""Decisions below which nothing is said."""
FEWEST_DAYS = 7.0
PACE_WARN, PACE_ERROR = 1.1, 1.5
SHIELD_ERROR = 0.01
Z_WARN, Z_ERROR = 3.29, 5.0
"""By chance beyond them: once in 1,000 reports, and in 1.7 million."""


def recent(outcomes: pd.DataFrame, days: float, now: datetime) -> pd.DataFrame:
    """The decisions of the last `days`."""
    return outcomes[outcomes["time"] > pd.Timestamp(now - timedelta(days=days))]


def contacts_kept(outcomes: pd.DataFrame, params: EnvironmentParams, now: datetime) -> Finding:
    """Nobody of the control group is written to, and nobody more often than the cap.

    What counts is what was sent or delivered, where senders report it, and for the cap what was
    answered, as not all of them may; else what was decided and may have been acted upon. Once a
    day.
    """
    name = "contacts_keep_to_control_group_and_cap"
    lately = recent(outcomes, params.period_days, now)
    if lately.empty:
        return Finding(name, "unknown", "No decisions in the last weeks, so no contacts to count.")
    sent = reached_at(lately)
    to_control = sent.notna() & (lately["group"] == "control")
    written = int(lately.loc[to_control, "customer"].nunique())
    reported = sent.notna().any()
    made = may_be_made(outcomes, params.period_days)[lately.index]
    looked = 0 if reported else int((lately["contact"] & ~was_not_sent(lately) & ~made).sum())
    at = sent.fillna(made_at(lately).where(made)) if reported else lately["time"].where(made)
    contacts = lately[at.notna()]
    days = at[contacts.index].dt.floor("D")
    per_customer = contacts.assign(day=days).drop_duplicates(["customer", "day"])
    above = int((per_customer.groupby("customer").size() > params.contact_cap).sum())
    daily = per_customer.groupby("day").size()
    figures = {
        "control_written_to": written,
        "control": int(lately.loc[lately["group"] == "control", "customer"].nunique()),
        "above_cap": above,
        "contacts": len(per_customer),
        "contacts_a_day": {str(day)[:10]: int(n) for day, n in daily.items()},
        "counted": "sent" if reported else "decided",
        "looks": looked,
    }
    problems = []
    if written:
        problems.append(f"{written:,} customers of the control group were written to")
    if above:
        problems.append(f"{above:,} customers were contacted more than {params.contact_cap} times")
    state: State = "error" if written else "warn" if above else "ok"
    fine = f"{len(per_customer):,} contacts in {params.period_days:.0f} days, all as allowed"
    sentence = f"{'; '.join(problems) or fine}."
    if looked:
        sentence += f" Not counted: {looked:,} that were asked for, and hardly any was answered."
    return Finding(name, state, sentence, figures)


def spend_paced(
    outcomes: pd.DataFrame,
    params: EnvironmentParams,
    budget: float | None,
    now: datetime,
    month: BudgetPrice | None = None,
    currency: str = "",
) -> Finding:
    """What the running period has cost against the part of its budget that is due by now.

    Counted are discounts that were accepted, what the contacts themselves cost that were made, and,
    of each customer whose answer is still open, what the last contact is expected to cost besides
    that may have been made: with what others of a day accepted, no more than was expected of all of
    them. Where a month's budget is followed, a period has its share of that; and
    what the ledger had of the running month when it was planned last is held against the whole
    month's, fees included.

    Args:
        budget: of a period for all customers, from the latest predictions; None: the policy's share
            of the value of those who were decided on.
        month: the month's budget, where one is followed; goes before `budget`.
        currency: what amounts in the sentence begin with.
    """
    name = "spend_keeps_pace_with_the_budget"
    lately = recent(outcomes, params.period_days, now)
    customers = lately.drop_duplicates("customer")
    days = 0.0
    if len(lately):
        days = (pd.Timestamp(now) - lately["time"].min()) / pd.Timedelta(days=1)
    if len(customers) < FEWEST or days < FEWEST_DAYS:
        return Finding(
            name,
            "unknown",
            f"Too early to judge the spend: {len(customers):,} customers decided on in the last "
            f"{days:.0f} days; {FEWEST} and {FEWEST_DAYS:.0f} days are needed.",
        )
    whole = budget or params.budget_limit * float(customers["customer_value"].sum())
    if month is not None:
        whole = month.budget * params.period_days / _days_in(month.month)
    due = whole * min(1.0, days / params.period_days)
    if due <= 0:
        return Finding(name, "unknown", "There is no budget to hold the spend against.")
    contacts = lately[may_be_made(outcomes, params.period_days)[lately.index]]
    taken, expected = float(lately["spend"].sum()), _still_to_come(contacts)
    pace = (taken + expected) / due
    figures = {
        "spent": taken,
        "expected": expected,
        "budget": whole,
        "due": due,
        "pace": pace,
        "days": days,
    }
    made, open_, planned, budgeted = (amount(n, currency, 0) for n in (taken, expected, due, whole))
    sentence = (
        f"Spend is at {pace:.0%} of what was planned by day {min(days, params.period_days):.0f}: "
        f"{made} of discounts accepted and contacts made and {open_} expected, of {planned} "
        f"(budget of the period: {budgeted})."
    )
    found = Finding(name, beyond(pace, PACE_WARN, PACE_ERROR), sentence, figures)
    if month is None or month.month != f"{now:%Y-%m}" or month.budget <= 0:
        return found
    return _with_the_month(found, month, currency)


def _still_to_come(contacts: pd.DataFrame) -> float:
    """What those whose answer is open are expected to take, in currency; without the fee of the
    contact itself, which is spent. As a month's budget has it (`still_to_come`): those who don't
    accept mostly never answer, and what others accepted was expected of all of them together."""
    asked = contacts[~answers_known(contacts)]
    # Tables of earlier versions don't have what contacts cost.
    asked = asked.assign(
        day=asked["time"].dt.floor("D"),
        expected=asked["expected_cost"].fillna(0.0),
        fee=asked.get("contact_cost", 0.0),
    )
    waiting = asked[~(asked["accepted"] | asked["refused"])].drop_duplicates(
        "customer", keep="last"
    )
    once = asked.drop_duplicates(["customer", "day"], keep="last")  # asked again the same day
    expected, spent = once.groupby("day")["expected"].sum(), asked.groupby("day")["spend"].sum()
    return float(
        sum(
            still_to_come(expected[day], spent[day], of_day["expected"].sum(), of_day["fee"].sum())
            for day, of_day in waiting.groupby("day")
        )
    )


def _with_the_month(found: Finding, month: BudgetPrice, currency: str) -> Finding:
    """The finding with what the ledger had of the running month's budget; the worse state of the
    two."""
    of_the_month = month.spent / month.budget
    sentence = (
        f"{found.sentence} By the ledger {amount(month.spent, currency, 0)} of the "
        f"{amount(month.budget, currency, 0)} for {month.month} are spent, "
        f"{of_the_month:.0%}, as of {month.at:%Y-%m-%d}."
    )
    figures = {**found.figures, "month_budget": month.budget, "month_spent": month.spent}
    state = max(found.state, beyond(of_the_month, PACE_WARN, PACE_ERROR), key=WORSE.__getitem__)
    return Finding(found.name, state, sentence, figures)


def _days_in(month: str) -> int:
    """Of a month as 2026-11."""
    return calendar.monthrange(int(month[:4]), int(month[5:]))[1]


def fall_backs(
    outcomes: pd.DataFrame, stand_ins: Sequence[str], params: EnvironmentParams, now: datetime
) -> Finding:
    """Rules in place of the policy, messages that the shield refused, and stand-ins in a release.

    Args:
        stand_ins: what stands in for a component of the serving release, as sentences.
    """
    name = "fall_backs_are_rare"
    lately = recent(outcomes, params.period_days, now)
    if lately.empty and not stand_ins:
        return Finding(name, "unknown", "No decisions in the last weeks.")
    ruled = int(lately["baseline"].astype(bool).sum())
    written = lately[lately["shield_passed"].notna()]
    refused = int((~written["shield_passed"].astype(bool)).sum())
    templates = int((written["message_source"] == "template").sum())
    problems = [f"in place of a component: {sentence}" for sentence in stand_ins]
    state: State = "warn" if problems else "ok"
    if ruled:
        problems.append(f"{ruled:,} of {len(lately):,} decisions were made by the rule alone")
        state = "warn"
    if refused:
        problems.append(f"the shield refused {refused:,} of {len(written):,} messages")
        bad = share(refused, len(written)).lower > SHIELD_ERROR
        state = "error" if bad else "warn"
    figures = {
        "decisions": len(lately),
        "by_rule": ruled,
        "messages": len(written),
        "shield_refused": refused,
        "templates": templates,
        "stand_ins": list(stand_ins),
    }
    fine = f"the policy made all {len(lately):,} decisions, and the shield passed every message"
    sentence = "; ".join(problems) or fine
    return Finding(name, state, f"{sentence[0].upper()}{sentence[1:]}.", figures)


def propensities_hold(outcomes: pd.DataFrame) -> Finding:
    """The probabilities in the log against how often things happened.

    Of each draw of the experiment, the share of control customers against the share drawn; of
    decisions that explore, how often the likelier option was taken. A log that fails here proves
    nothing.
    """
    name = "logged_propensities_are_frequencies"
    if len(outcomes) < FEWEST:
        return Finding(
            name,
            "unknown",
            f"{len(outcomes):,} decisions are too few to hold probabilities against frequencies; "
            f"{FEWEST} are needed.",
        )
    draws = {}
    for (period, _), part in _drawn(outcomes).groupby(["period", "control_share"]):
        rate = float(part["control_share"].iloc[0])
        if len(part) * rate >= 5:  # below, a normal approximation says nothing
            count = float((part["group"] == "control").sum())
            # The share is part of the name: another draw of the same period is another test.
            named = f"control group of {100 * rate:.12g} % from {period}"
            draws[named] = _z(count, len(part) * rate, rate)
    explored = _explored(outcomes)
    tests = draws | ({"exploration": explored} if explored is not None else {})
    impossible = int(
        (outcomes.loc[outcomes["group"] == "control", "propensity"] != 1).sum()
        + (~outcomes["propensity"].between(0, 1, inclusive="right")).sum()
    )
    worst = max(tests.items(), key=lambda item: abs(item[1]), default=("nothing drawn", 0.0))
    state = "error" if impossible else beyond(abs(worst[1]), Z_WARN, Z_ERROR)
    figures = {"z": tests, "impossible": impossible, "decisions": len(outcomes)}
    if state == "ok":
        sentence = f"Logged probabilities fit the frequencies of {len(outcomes):,} decisions."
    elif impossible:
        sentence = f"{impossible:,} decisions have a probability that can't be theirs."
    else:
        sentence = (
            f"Logged probabilities don't fit: {worst[0]} is {worst[1]:+.1f} standard errors off."
        )
    return Finding(name, state, sentence, figures)


def _drawn(outcomes: pd.DataFrame) -> pd.DataFrame:
    """A row a customer and draw: of the share that they were decided on with first. Of those whose
    share was changed later the control group's are fewer if contacting has kept others."""
    drawn = outcomes[outcomes["group"].notna()]
    return drawn.drop_duplicates(["customer", "period"])


def _z(count: float, expected: float, rate: float) -> float:
    """Standard errors by which a count of independent draws misses its expectation."""
    spread = np.sqrt(expected * (1 - rate))
    return float((count - expected) / spread) if spread else 0.0


def _explored(outcomes: pd.DataFrame) -> float | None:
    """Standard errors by which the count of the likelier option misses the sum of its
    probabilities; None where too few customers were drawn for.

    A decision that explores lies between two options, of probabilities p and 1 - p. A customer's
    draws go together, so only the first counts.
    """
    treated = outcomes[outcomes["group"] != "control"]
    p = treated.loc[treated["propensity"] < 1].drop_duplicates("customer")["propensity"].to_numpy()
    if len(p) < FEWEST:
        return None
    likelier = np.maximum(p, 1 - p)
    spread = float(np.sqrt((likelier * (1 - likelier)).sum()))
    return float(((p > 0.5).sum() - likelier.sum()) / spread)
