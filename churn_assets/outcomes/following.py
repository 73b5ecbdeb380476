"""Whether a policy would have gone on as the log did, to the end of the first decision's horizon.

An outcome is that of all that was decided within its horizon. Whoever was left alone by a draw is
asked about again the next day, and contacted: that tells nothing of a policy that contacts nobody.
So a customer tells of a policy only if it would have decided each time as was decided, and is
weighted by the probability of the whole course (Precup, Sutton, Singh 2000):

    w = 1{π agrees with every decision} / b(course)
    b(course) = c 1{nobody contacted them} + (1 - c) Π b(decision | treated)

c is the share of the control group, to which somebody belongs for the whole course. The days are
drawn apart (`mdp.exploration`), so that the treated's probabilities multiply; the same decision on
the same day is one draw. What others decide meanwhile (a plan, the kill switch's rules, another
release) is no policy's of this log: their contacts of more than a tenth refuse the estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.domain.statistics import Floats
from churn_assets.outcomes.off_policy import UNSUPPORTED, UnsupportedTargetError
from churn_assets.outcomes.reached import made_at, spent, was_not_sent

MOST_BY_OTHERS = 0.1
"""Share of those who tell of a policy whom others may have contacted meanwhile."""


class Courses(NamedTuple):
    """What was decided about N customers within the horizon of the first decision about each.

    Attributes:
        customer: (M,) 0..N-1, of each of the policy's decisions, a customer's in order of time.
        done: (M,) the option taken: 0 no contact, 1.. the offers.
        treated: (M, A) probability of each option for those who aren't in the control group.
        share: (N,) of the control group; 0 where there is none.
        by_others: (N,) whether somebody else contacted them meanwhile.
    """

    customer: NDArray[np.int64]
    done: NDArray[np.int64]
    treated: Floats
    share: Floats
    by_others: NDArray[np.bool_]

    @property
    def chances(self) -> Floats:
        """(N,) the probability of each whole course."""
        chance = self._to_each_decision()["chance"]
        return np.asarray(chance.groupby(self.customer).last().to_numpy())

    def of(self, kept: NDArray[np.bool_]) -> Courses:
        """Those of the customers (N,) that are kept."""
        rows = kept[self.customer]
        place = np.cumsum(kept) - 1
        return Courses(
            place[self.customer[rows]],
            self.done[rows],
            self.treated[rows],
            self.share[kept],
            self.by_others[kept],
        )

    def weights(self, name: str, choices: NDArray[np.int64]) -> Floats:
        """(N,) by which each customer tells of a policy; on average 1.

        Args:
            name: of the policy, for the refusal.
            choices: (M,) the options that it would have taken.

        Raises:
            UnsupportedTargetError: it goes on as nobody was, or others decided too much meanwhile.
        """
        way = self._to_each_decision()
        agrees = pd.Series((self.done == choices).astype(np.float64))
        way["agrees"] = agrees.groupby(self.customer).cummin()
        before = way.groupby(self.customer).shift(fill_value=1.0)
        share = self.share[self.customer]
        possible = share * before["alone"] * (choices == 0)
        possible += (1 - share) * before["product"] * self._of(choices)
        so_far = before["agrees"] / before["chance"]
        lost = float(so_far[possible == 0].sum()) / len(self.share)
        if lost > UNSUPPORTED:
            raise UnsupportedTargetError(
                f"{name}: {lost:.1%} of its decisions were never tried in the log, so nobody knows "
                "what they bring; log with a control group and some exploration"
            )
        ends = way.groupby(self.customer).last()
        weights = np.asarray((ends["agrees"] / ends["chance"]).to_numpy(), np.float64)
        others = float(weights[self.by_others].sum()) / max(float(weights.sum()), 1e-12)
        if others > MOST_BY_OTHERS:
            raise UnsupportedTargetError(
                f"{name}: not known, {others:.0%} of the customers who tell of it were contacted "
                "meanwhile by a plan, by rules or by another release"
            )
        return weights

    def _to_each_decision(self) -> pd.DataFrame:
        """(M rows) up to each decision: whether nobody contacted them (`alone`), the probability
        for the treated (`product`), and for all (`chance`)."""
        none = pd.Series((self.done == 0).astype(np.float64))
        alone = none.groupby(self.customer).cummin()
        product = pd.Series(self._of(self.done)).groupby(self.customer).cumprod()
        share = self.share[self.customer]
        chance = share * alone + (1 - share) * product
        return pd.DataFrame({"alone": alone, "product": product, "chance": chance})

    def _of(self, options: NDArray[np.int64]) -> Floats:
        return np.asarray(self.treated[np.arange(len(options)), options])


def followed(
    table: pd.DataFrame, first: pd.DataFrame, own: pd.Series[bool]
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The policy's decisions about N customers within the horizon of the first about each, and
    whom others contacted in it.

    Args:
        first: N rows of `table`, the policy's first decision about each customer.
        own: of each row of `table`, whether the policy made it.

    Returns:
        Rows of `table` with `place`, the customer's row in `first`: by it and by time, the same
        decision on the same day once. And (N,) bools.
    """
    begins = _of_the_first(table, first)
    drawn = ["period", "control_share"]
    mine = own & (table[drawn].astype(str) == begins[drawn].astype(str)).all(axis=1)
    later = (table["time"] > begins["time"]) & (table["time"] <= begins["known_at"])
    place = pd.Series(np.arange(len(first)), first["customer"])
    rows = pd.concat([first, table[mine & later]])
    rows = rows.assign(place=place.reindex(rows["customer"]).to_numpy())
    rows = rows.assign(day=rows["time"].dt.floor("D")).sort_values(["place", "time"], kind="stable")
    # Tables of earlier versions don't have when the contact was made.
    at = table.get("answers_from", table["time"])
    others = ~mine & table["contact"] & ~was_not_sent(table)
    others &= (at > begins["time"]) & (at <= begins["known_at"])
    by_others = first["customer"].isin(table.loc[others, "customer"]).to_numpy()
    return rows.drop_duplicates(["place", "day", "contact", "offer_level"]), by_others


def spent_within(table: pd.DataFrame, first: pd.DataFrame) -> Floats:
    """(N,) currency: what the decisions about each customer cost from the first on, as far as it
    was accepted, and its contacts were made, within its horizon; `drawn.customers_of` also counts
    what was promised earlier."""
    begins = _of_the_first(table, first)
    counted = (table["time"] > begins["time"]) | table.index.isin(first.index)
    ends = begins["known_at"]
    cost = spent(table, table["accepted_at"] <= ends, made_at(table) <= ends)
    whole = cost[counted].groupby(table["customer"]).sum()
    return np.asarray(whole.reindex(first["customer"]).to_numpy(), np.float64)


def _of_the_first(table: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """Of each row of the table what the first decision about its customer has."""
    named = first.set_index("customer")[["time", "known_at", "period", "control_share"]]
    return named.reindex(table["customer"]).set_axis(table.index)
