"""Whether a contact was made, and when: what was reported as sent, and as never made.

An answer of the API is a contact at its decision. A plan decides at its approval on contacts of
days to come: each has a time of its own, from which its days for an answer count.
"""

from __future__ import annotations

from collections import Counter

import pandas as pd

REACHED = ("sent", "delivered")
NOT_SENT = "not_sent"
ANSWERED = ("accepted", "refused")


def with_last_words(matched: pd.DataFrame, left_out: Counter[str]) -> pd.DataFrame:
    """Events with their decisions, of each decision either what says that its contact was made or
    what says that it never was. The last word holds, at the same instant that it wasn't; but who
    answered was contacted, and a report that names no decision says nothing against one as sent.

    Args:
        matched: `decision_id`, `kind`, `occurred_at`, and `named`: whether the event said its
            decision itself.
    """
    denied = matched["kind"] == NOT_SENT
    if not denied.any():
        return matched
    decision, at = matched["decision_id"], matched["occurred_at"]
    reached = matched["kind"].isin(REACHED)
    answered = decision.isin(decision[matched["kind"].isin(ANSWERED)])
    doubted = ~matched["named"].astype(bool) & decision.isin(decision[reached])
    last_sent = decision.map(at[reached].groupby(decision[reached]).max())
    over = denied & (answered | doubted | (at < last_sent).fillna(False))
    last_denied = decision.map(at[denied & ~answered & ~doubted].groupby(decision).max())
    taken_back = reached & (at <= last_denied).fillna(False)
    left_out["sent, but reported as not sent since"] += int(taken_back.sum())
    left_out["not sent, but sent later or answered"] += int(over.sum())
    return matched[~over & ~taken_back]


def may_be_made_from(decisions: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """From when the contact of each decision may be made: on the day that a plan has it for, else
    from the decision on. Plans that earlier versions logged say no day."""
    return decisions["contact_from"].fillna(decisions["time"])


def answers_from(
    decisions: pd.DataFrame, reported: pd.Series[pd.Timestamp]
) -> pd.Series[pd.Timestamp]:
    """From when the answers to each decision count: from its contact on, if a plan has it; this is
    when it was reported as made, else from when it may be. All others count from the decision.

    Args:
        reported: when the contact of each was, first; NaT: nobody did.
    """
    plans = (decisions["source"] == "campaign") & decisions["contact"].astype(bool)
    opens = may_be_made_from(decisions)
    return opens.where(reported.isna() | ~plans, reported)


def answers_known(outcomes: pd.DataFrame) -> pd.Series[bool]:
    """Of which decisions of `campaign_outcomes` no answer counts any more that comes now. Tables of
    earlier versions say it by their outcomes."""
    return outcomes["answers_known" if "answers_known" in outcomes else "known"]


def reached_at(outcomes: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """When somebody was written to after each decision, as senders reported: it was sent, or
    delivered; NaT where none did."""
    return outcomes[[f"{kind}_at" for kind in REACHED]].min(axis="columns")


def made_at(outcomes: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """When the contact of each decision was made, as far as anybody reported: it was sent, or
    answered; NaT where nobody did."""
    return outcomes[[f"{kind}_at" for kind in (*REACHED, *ANSWERED)]].min(axis="columns")


def spent(
    outcomes: pd.DataFrame, accepted: pd.Series[bool], made: pd.Series[bool]
) -> pd.Series[float]:
    """Currency that each decision cost: its discount where it counts as accepted, and its contact
    where that counts as made."""
    # Tables of earlier versions don't have what contacts cost.
    contacts = pd.Series(0.0, outcomes.index) + outcomes.get("contact_cost", 0.0)
    return (outcomes["spend"] - contacts).where(accepted, 0.0) + contacts.where(made, 0.0)


def was_not_sent(outcomes: pd.DataFrame) -> pd.Series[bool]:
    """Of which decisions of `campaign_outcomes` it was reported that their contact was never made.
    Tables of earlier versions don't have it."""
    if f"{NOT_SENT}_at" not in outcomes:
        return pd.Series(False, outcomes.index, dtype=bool)
    return outcomes[f"{NOT_SENT}_at"].notna()
