"""Whose outcomes of a draw are compared, from when on, and which decisions that takes.

| case | rule |
|---|---|
| a plan was approved in this draw | its decisions are acted upon: all count from the first one |
| decided before that, by `churn predict` or the API, and nobody contacted | a look: not counted |
| decided before that, and somebody contacted by then (sent, delivered or answered) | all count |
| no plan was approved in this draw | every decision of it counts |
| a customer's horizon | begins with the first decision of the draw that counts |
| what is spent and made within it | counts, whatever decided it: another draw, or none at all |
| decided on before with another share of the same draw | not compared (`_had_another_share`) |

Each goes by days and decisions that both groups have, never by what came of a customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from churn_assets.domain.experiment import Draw
from churn_assets.outcomes.foretold import foretold_of
from churn_assets.outcomes.reached import made_at, reached_at, spent


def of_the_draw(table: pd.DataFrame, in_force: Draw | None = None) -> pd.DataFrame:
    """The decisions of `joining.without_ids` that were made with the draw in force; with the latest
    one where none was, or `in_force` isn't told."""
    drawn = table[table["group"].notna()]
    if drawn.empty:
        return drawn
    if in_force is not None and (mine := _made_with(drawn, in_force)).any():
        return drawn[mine]
    latest = drawn.iloc[-1]
    return drawn[_made_with(drawn, Draw(latest["period"], latest["control_share"]))]


def measured(table: pd.DataFrame, in_force: Draw | None = None) -> pd.DataFrame:
    """`of_the_draw` without looks: who looked at what would be decided, and contacted nobody
    before the first plan was approved, had begun nothing."""
    return _without_looks(of_the_draw(table, in_force))


def acted_upon(table: pd.DataFrame) -> pd.DataFrame:
    """All decisions but looks, with whatever draw they were made, or none."""
    drawn = table[table["group"].notna()]
    draws = drawn.groupby(["period", "control_share"], sort=False, dropna=False)
    kept = [i for _, part in draws for i in _without_looks(part).index]
    return table[table["group"].isna() | table.index.isin(kept)]


def of_other_draws(table: pd.DataFrame, in_force: Draw) -> int:
    """How many decisions were made with another draw since the one in force began: by a program
    with other settings (`CHURN_EXPERIMENT__…`), whose control group is another one."""
    mine = measured(table, in_force)
    since = table["group"].notna() & (table["time"] >= mine["time"].min())
    return int((since & ~table.index.isin(mine.index)).sum())


def customers_of(table: pd.DataFrame, in_force: Draw | None = None) -> pd.DataFrame:
    """A row a customer of the draw (as `measured` has it) whose outcome is known, from
    `joining.without_ids`.

    The outcome is that of the horizon that began with the customer's first decision that counts.
    Discounts count that were accepted within it, and what contacts cost that were made within it,
    of whatever decision: a later one of the draw, one of another draw or one of none, while the
    experiment was off. So do those of earlier decisions: a contact that was promised before the
    draw may be made after it, and an answer names the decision that promised it. Both groups had
    contacts before the draw, so what was made of them and is answered late is in both alike. What
    happens after the horizon changes nothing: an outcome that is known stays as it is. Columns:
    those of the first decision, with `spend` summed up, `foretold`, what decisions said that the
    contacts sent within it are worth, and `contaminated`: someone of the control group was
    contacted.
    """
    drawn = measured(table, in_force)
    if drawn.empty:
        return drawn.assign(contaminated=pd.Series(dtype=bool))
    first = _compared(table, drawn)
    begins, ends = (table["customer"].map(first[name]) for name in ("time", "known_at"))
    earlier = table["time"] < begins
    # An earlier contact may be answered now: it was made now only if it is reported so.
    contact = reached_at(table).where(earlier, made_at(table))
    accepted, written, made = (
        (when <= ends) & (~earlier | (when >= begins))
        for when in (table["accepted_at"], contact, made_at(table))
    )
    spend = spent(table, accepted, made)
    sent = reached_at(table)
    told = foretold_of(table, (sent <= ends) & (~earlier | (sent >= begins)))
    within = table.assign(spend=spend, written=written, foretold=told).groupby(
        "customer", sort=False
    )
    first = first.assign(
        # By the index: where nobody is compared, `assign` would take the other customers' own.
        spend=within["spend"].sum().reindex(first.index),
        foretold=within["foretold"].sum().reindex(first.index),
        contaminated=(first["group"] == "control") & within["written"].any().reindex(first.index),
    )
    return first[first["known"]].reset_index()


def awaited(table: pd.DataFrame, in_force: Draw | None = None) -> pd.DataFrame:
    """The decision that counts first of each customer who is, or will be, compared: a row each,
    whether or not its outcome is known. Of nobody where all had another share before."""
    return _compared(table, measured(table, in_force))


def basis(table: pd.DataFrame, in_force: Draw) -> dict[str, Any]:
    """What the comparison rests on, as JSON.

    Returns:
        `from`, the day (UTC) of the first decision that counts, None before there is any;
        `sources`, where the decisions come from with which customers' horizons begin; `looks`,
        decisions before that day; `other_share`, customers who aren't compared since they were
        decided on with another share of the same draw; `without_draw`, decisions since that day
        while no experiment ran, and `control_decided`, of those the ones to contact somebody of the
        control group.
    """
    whole, drawn = of_the_draw(table, in_force), measured(table, in_force)
    first, compared = _first(drawn), _compared(table, drawn)
    alone = table["customer"].map(first["group"]) == "control"
    undrawn = table["group"].isna() & (table["time"] >= drawn["time"].min())
    return {
        "from": None if drawn.empty else f"{drawn['time'].min():%Y-%m-%d}",
        "sources": {str(k): int(n) for k, n in compared["source"].value_counts().items()},
        "looks": len(whole) - len(drawn),
        "other_share": len(first) - len(compared),
        "without_draw": int(undrawn.sum()),
        "control_decided": int((undrawn & alone & table["contact"].astype(bool)).sum()),
    }


def needed(table: pd.DataFrame, before: pd.Timestamp) -> pd.Series[bool]:
    """Which decisions of `joining.without_ids` are to be kept: those since `before` and, of every
    period of which any of them is, what the horizon of each customer rests on.

    Without them a customer's second decision would pass for the first one, but only of those who
    are still there: of the group of whom fewer left, more.
    """
    keep = table["time"] >= before
    for drawn in _periods_since(table, before):
        first = _first(_without_looks(drawn))
        begins, ends = (table["customer"].map(first[name]) for name in ("time", "known_at"))
        keep |= (table["time"] >= begins) & (table["time"] <= ends)
        for when in (table["accepted_at"], made_at(table)):
            keep |= (table["time"] < begins) & (when >= begins) & (when <= ends)
        keep[_evidence(drawn)] = True
    return keep


def _periods_since(table: pd.DataFrame, before: pd.Timestamp) -> Iterator[pd.DataFrame]:
    """The decisions of each draw whose period has any since `before`, whatever the share of it."""
    drawn = table[table["group"].notna()]
    for _, period in drawn.groupby("period", sort=False):
        if period["time"].max() >= before:
            yield from (part for _, part in period.groupby("control_share", sort=False))


def _made_with(drawn: pd.DataFrame, draw: Draw) -> pd.Series:
    return (drawn["period"] == draw.period) & (drawn["control_share"] == draw.control_share)


def _first(drawn: pd.DataFrame) -> pd.DataFrame:
    return drawn.drop_duplicates("customer").set_index("customer")


def _compared(table: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """`_first` of the customers who had no other share of the draw before."""
    first = _first(drawn)
    return first[~first.index.isin(_had_another_share(table, drawn))]


def _contacted(drawn: pd.DataFrame, before: pd.Timestamp) -> pd.Series[bool]:
    """Whether a decision's contact was made before a time, as far as anybody reported; at any time
    where it is NaT."""
    made = made_at(drawn)
    early = made.notna() if pd.isna(before) else made < before
    return drawn["contact"].astype(bool) & early


def _before_plans(drawn: pd.DataFrame) -> tuple[pd.Series[bool], pd.Timestamp]:
    """Which decisions of one draw came before its first plan, all where it has none (yet), and when
    that was approved; NaT where it wasn't."""
    approved = drawn.loc[drawn["source"] == "campaign", "time"].min()
    return ~(drawn["time"] >= approved), approved


def _without_looks(drawn: pd.DataFrame) -> pd.DataFrame:
    """Decisions of one draw from its first plan on, if nobody had been contacted by then: one
    moment for all customers, so it chooses none. Else all of them, as where there is no plan.

    A contact that was made later, or an answer that found a look then, changes nothing: it would
    move the horizons of all the others back, long after they began.
    """
    before, approved = _before_plans(drawn)
    if pd.isna(approved) or (before & _contacted(drawn, approved)).any():
        return drawn
    return drawn[~before]


def _evidence(drawn: pd.DataFrame) -> pd.Index:
    """The decisions that show whether those before the first plan of one draw were looks: one of
    that plan, and of those before it the one whose contact was made first, if any was by then."""
    before, approved = _before_plans(drawn)
    made = made_at(drawn)[before & _contacted(drawn, approved)]
    plan = drawn.index[(drawn["source"] == "campaign") & (drawn["time"] == approved)]
    return plan[:1].union(made.index[made == made.min()][:1])


def _had_another_share(table: pd.DataFrame, drawn: pd.DataFrame) -> pd.Index:
    """Customers who were decided on with another share of the same draw before, and acted upon.

    A smaller group is a part of a larger one: most of the control group stay in it, and those who
    join it or leave it were treated otherwise until then. What that did to them is in one group
    alone, so the change of a share is no new draw, and these customers can't be compared.
    """
    if drawn.empty:
        return pd.Index([])
    mine = drawn.iloc[0]
    others = table[table["group"].notna()]
    others = others[others["period"] == mine["period"]]
    others = others[others["control_share"] != mine["control_share"]]
    shares = (_without_looks(part) for _, part in others.groupby("control_share", sort=False))
    since = drawn["time"].min()
    acted = [s for s in shares if ((s["source"] == "campaign") | _contacted(s, since)).any()]
    before = pd.concat([others.head(0), *acted]).groupby("customer")["time"].min()
    begins = _first(drawn)["time"]
    return begins.index[before.reindex(begins.index) < begins]
