"""Which decisions no contact of the period came before, and which contacts one answer is of.

A row of the API has the contacts that its caller, or the ledger, knew of. A plan's row has the five
predicted numbers alone, so there the log itself tells. Whoever asks the API again, because a page
was loaded twice or every night, and doesn't report what was sent, has made one contact and logged
several: an answer belongs to the last of them, and the others refused nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn_assets.decision.mdp.observation import COOLDOWN, FATIGUE
from churn_assets.outcomes.reached import ANSWERED, answers_known, reached_at, was_not_sent

HARDLY_ANSWERED = 0.1
"""Of the share of the customers whom plans contacted that answered; below it something is a look.
Shares of customers: who asks every day is answered once."""
OFTEN_REACHED = 0.5
"""Share of the customers of a kind whom senders reported as reached; from it on nothing of it is a
look, however few answered. Below it most were asked about alone."""
BY_CHANCE = 1e-3
"""So probable that nobody answers though all were contacted: a kind of few customers is no look."""


def first_of_a_period(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Of which decisions no contact of the period came before, nor one whose cooldown runs.

    Args:
        outcomes: `campaign_outcomes`, whole: of a plan's rows the others tell.
        period_days: of the decision environment.
    """
    first = [
        len(seen) <= FATIGUE or (seen[FATIGUE] == 0 and seen[COOLDOWN] == 0)
        for seen in outcomes["observation"]
    ]
    silent = np.array([len(seen) <= FATIGUE for seen in outcomes["observation"]], np.bool_)
    found = pd.Series(first, outcomes.index, dtype=bool)
    if silent.any():
        found &= ~silent | ~_contacted_before(outcomes, period_days)
    return found


def counts_as_made(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Which contacts count as made: where senders report, those that were sent or delivered; else
    all that may be.

    Args:
        period_days: as for `looks`.
    """
    decided = outcomes["contact"].astype(bool)
    sent = decided & ~was_not_sent(outcomes) & reached_at(outcomes).notna()
    return sent if sent.any() else may_be_made(outcomes, period_days)


def may_be_made(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Which decisions to contact may have been acted upon: all that were reported as sent or
    delivered, and the others but looks and those that were reported as never sent. Arguments as for
    `looks`."""
    decided = outcomes["contact"].astype(bool) & ~was_not_sent(outcomes)
    return decided & (reached_at(outcomes).notna() | ~looks(outcomes, period_days))


def looks(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Which contacts somebody only asked for, to see them: hardly anybody answered any of their
    kind, beside those whom plans contacted, and no good part was reported as sent or delivered.

    There are two kinds of each source: those that a plan's contact of the customer follows within
    the period, and the others. A kind is looks as a whole or not at all, so nothing is chosen by
    its own answer or report. Where nobody answered a plan it can't be told, and none is a look.

    Args:
        outcomes: `campaign_outcomes`, whole.
        period_days: in which a plan's contact takes the place of what was asked for.
    """
    contacts = outcomes[outcomes["contact"].astype(bool)]
    answered = contacts[[f"{kind}_at" for kind in ANSWERED]].notna().any(axis="columns")
    told = pd.DataFrame({"answered": answered, "reached": reached_at(contacts).notna()})
    told = told[answers_known(contacts)]
    planned = contacts["source"] == "campaign"
    of_plans = planned[told.index]
    by_plans = told.loc[of_plans, "answered"].groupby(contacts["customer"]).any().mean()
    found = pd.Series(data=False, index=outcomes.index)
    if planned.all() or not by_plans > 0:  # no number where there is no plan
        return found
    asked = pd.merge_asof(
        contacts.loc[~planned, ["customer", "time", "source"]]
        .reset_index(names="row")
        .sort_values("time", kind="stable"),
        contacts.loc[planned, ["customer", "time"]].assign(planned=True).sort_values("time"),
        on="time",
        by="customer",
        tolerance=pd.Timedelta(days=period_days),
        direction="forward",
    ).set_index("row")
    kind = asked["source"].where(asked["planned"].isna(), asked["source"] + ", then a plan")
    customers = told[~of_plans].groupby([kind, asked["customer"]]).any()
    of_kind = customers.groupby(level=0)
    share = of_kind.mean()
    hardly = share["answered"] < HARDLY_ANSWERED * by_plans
    hardly &= share["reached"] < OFTEN_REACHED
    hardly &= (1 - by_plans) ** of_kind.size() < BY_CHANCE
    found[asked.index] = kind.map(hardly).fillna(False).to_numpy(bool)
    return found


def only_looked(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Which decisions, to contact or not, are of a source most of whose contacts are looks: nobody
    acts upon what it says. Arguments as for `looks`."""
    looked = looks(outcomes, period_days)[outcomes["contact"].astype(bool)]
    share = looked.groupby(outcomes["source"]).mean()
    return outcomes["source"].isin(share.index[share > 0.5])


def once_asked(contacts: pd.DataFrame, told: pd.Series[bool], answer_days: float) -> pd.DataFrame:
    """Of contacts that nobody reported as sent one a customer and days for an answer, from the
    first on: the others were only asked for again. It is the one that was answered, else the last,
    whose an answer would have been.

    So whether there was an answer or not, what is kept is what had been decided last, and choosing
    by it favours no offer. A plan decides on each contact once, for a day of its own, so all of a
    plan's are kept.

    Args:
        contacts: rows of `campaign_outcomes` that count as made, in order of time.
        told: of each, whether no answer counts any more that comes now. What is only told of a part
            of those days is left out: an answer is never among the first that are over.
    """
    planned = contacts["source"] == "campaign"
    asked = contacts[~planned]
    window = _windows(asked["time"], asked["customer"], pd.Timedelta(days=answer_days))
    said = 2 * asked["accepted"] + asked["refused"]
    by_answer = asked.assign(window=window, said=said).sort_values("said", kind="stable")
    kept = by_answer.drop_duplicates(["customer", "window"], keep="last").index
    over = told[asked.index].groupby([asked["customer"], window]).transform("all")
    chosen = planned & told
    chosen[kept] = over[kept]
    return contacts[chosen]


def _windows(
    at: pd.Series[pd.Timestamp], customer: pd.Series[int], length: pd.Timedelta
) -> pd.Series[int]:
    """The number of the window that each row is in, of its customer: one begins at the first row
    that no earlier one holds."""
    window = pd.Series(0, at.index)
    rest, number = at, 0
    while len(rest):
        begins = rest.groupby(customer[rest.index]).transform("min")
        inside = rest < begins + length
        window[rest.index[inside]] = number
        rest, number = rest[~inside], number + 1
    return window


def _contacted_before(outcomes: pd.DataFrame, period_days: float) -> pd.Series[bool]:
    """Whether the log has a contact of the customer in the period before the contact of each
    decision, or before the decision if it is for none: from a plan's approval to its contacts days
    pass, so measured from there a contact a month would always be a second one."""
    # Tables of earlier versions don't have when the contact was made.
    own = outcomes.get("answers_from", outcomes["time"])
    at = own.where(outcomes["contact"].astype(bool), outcomes["time"])
    decided = pd.DataFrame({"customer": outcomes["customer"], "time": at})
    decided = decided.astype({"time": outcomes["time"].dtype}).sort_values("time", kind="stable")
    contacts = decided[counts_as_made(outcomes, period_days)[decided.index]].assign(before=True)
    found = pd.merge_asof(
        decided.reset_index(names="row"),
        contacts,
        on="time",
        by="customer",
        tolerance=pd.Timedelta(days=period_days),
        allow_exact_matches=False,
    )
    return found.set_index("row")["before"].notna().reindex(outcomes.index)
