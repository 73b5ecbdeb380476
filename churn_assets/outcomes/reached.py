"""Whether a contact was made: what was reported as sent, and what was reported as never made."""

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


def made_at(outcomes: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """When the contact of each decision was made, as far as anybody reported: it was sent, or
    answered; NaT where nobody did."""
    return outcomes[[f"{kind}_at" for kind in (*REACHED, *ANSWERED)]].min(axis="columns")


def was_not_sent(outcomes: pd.DataFrame) -> pd.Series[bool]:
    """Of which decisions of `campaign_outcomes` it was reported that their contact was never made.
    Tables of earlier versions don't have it."""
    if f"{NOT_SENT}_at" not in outcomes:
        return pd.Series(False, outcomes.index, dtype=bool)
    return outcomes[f"{NOT_SENT}_at"].notna()
