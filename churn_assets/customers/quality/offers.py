"""A logged campaign's offers, and the shares in which its contract says that they were made."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from churn_assets.customers.contract.model import Campaign
from churn_assets.customers.quality.columns import text
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.domain.cells import as_word

CHANCE = 5e-5
"""P-value below which the model's gate `offers_were_made_as_the_contract_says` fails by the shares
alone: the smaller of two tests' counts twice, against 1e-4."""
_PARTS = 5  # of the contacts, by a feature that is a number
_FEWEST = 5  # contacts expected of each offer in a part: below it chi squared isn't Pearson's sum


def chances_of(campaign: Campaign) -> tuple[float, ...] | None:
    """The chance of each offer, 0 to 1, in the order of what they give; None where the contract
    has none, or a column of them."""
    if not isinstance(campaign.propensity, dict):
        return None
    sums = dict.fromkeys(campaign.offer.gives, 0.0)
    for cell, chance in campaign.propensity.items():
        sums[campaign.offer.levels[cell]] += chance
    return tuple(sums.values())


def level_of(campaign: Campaign, judged: Judged) -> str:
    """SQL of a contact's offer: its number in the order of what they give, from 0.

    Raises:
        KeyError: the column isn't there.
    """
    gives = campaign.offer.gives
    cells = " ".join(
        f"WHEN {text(as_word(cell))} THEN {gives.index(give)}"
        for cell, give in campaign.offer.levels.items()
    )
    return f"CAST(CASE {judged.value(campaign.offer.column, 'offer')} {cells} END AS BIGINT)"


def unlike_said(
    connection: duckdb.DuckDBPyConnection, judged: Judged, campaign: Campaign
) -> Iterator[str]:
    """The problem of offers that weren't made in the shares that the contract says, by more than
    chance (Pearson's chi squared). Of customers with several contacts the first one tells, as in
    the model's gate: a later one may be more of the same."""
    chances = chances_of(campaign)
    if chances is None:
        return
    try:
        level = level_of(campaign, judged)
        who = judged.value(campaign.customer, "id") if campaign.customer else "(file, row)"
    except KeyError:
        return  # said already
    query = f"""SELECT level, count(*) FROM
          (SELECT arg_min({level}, (file, row)) AS level FROM {judged.name}
           WHERE {USED} GROUP BY {who})
        GROUP BY level"""
    made = dict(connection.execute(query).fetchall())
    contacts = sum(made.values())
    if not contacts:
        return
    expected = [chance * contacts / sum(chances) for chance in chances]
    squares = ((made.get(k, 0) - mean) ** 2 / mean for k, mean in enumerate(expected))
    chance = float(chdtrc(len(chances) - 1, sum(squares)))
    if chance >= CHANCE:
        return
    cells = {give: cell for cell, give in reversed(campaign.offer.levels.items())}
    shares = "; ".join(
        f"{cells[give]}: {100 * made.get(k, 0) / contacts:.1f} % of contacts, the contract says "
        f"{100 * chances[k]:.4g} %"
        for k, give in enumerate(campaign.offer.gives)
    )
    yield (
        f"{judged.name}: the offers don't have the shares of campaign.propensity, and chance "
        f"doesn't do that ({shares}): are contacts lost, or offers left out (leave_out) or not "
        "made in some campaigns? If they were drawn by other shares, write those; if these "
        "differed between campaigns or customers, give each row's chance in a column "
        "(propensity: COLUMN)"
    )


def chosen_said(
    connection: duckdb.DuckDBPyConnection, judged: Judged, campaign: Campaign
) -> Iterator[str]:
    """The problem of offers that were chosen by looking at the customer, which is seen by one
    feature: who is in one part of it was offered something else than who is in another, by more
    than chance (Pearson's chi squared of the feature that tells most, times their number). Of
    several contacts the first one tells. The model's gate, after the training, looks at all
    features together; with each row's own chance (`propensity: COLUMN`) only it can tell.
    """
    if isinstance(campaign.propensity, str):
        return
    try:
        level = level_of(campaign, judged)
        who = judged.value(campaign.customer, "id") if campaign.customer else "(file, row)"
    except KeyError:
        return  # said already
    features = [
        (column, f"v{i}") for i, column in enumerate(judged.columns) if "feature" in column.uses
    ]
    found = []
    for column, cell in features:
        rank = f"(rank() OVER (ORDER BY {cell}) - 1) / count(*) OVER ()"
        part = f"floor({_PARTS} * {rank})" if column.reads == "number" else cell
        part = f"CASE WHEN {cell} IS NOT NULL THEN CAST({part} AS VARCHAR) END"
        rows = f"""SELECT {level} AS level, {cell} FROM {judged.name} WHERE {USED}
            QUALIFY row_number() OVER (PARTITION BY {who} ORDER BY file, row) = 1"""
        counts = connection.execute(
            f"SELECT part, level, count(*) FROM (SELECT level, {part} AS part FROM ({rows})) "
            "GROUP BY part, level"
        ).fetchall()
        found.append((by_chance(counts, len(campaign.offer.gives)), column.name))
    chance, name = min(found, default=(1.0, ""))
    if chance * len(found) >= CHANCE:
        return
    yield (
        f"{judged.name}: who got which offer depends on {name}, and chance doesn't do that: what "
        "an offer does can't be told from whom it was made to, and no release is made of it. Give "
        "the chance of each row's offer in a column (propensity: COLUMN); or leave campaign out: "
        "acceptance is then learnt from the public contacts"
    )


def by_chance(counts: list[tuple[str | None, int, int]], levels: int) -> float:
    """p-value of offers that don't depend on the part, by how often each was made in each
    (part, level, contacts); parts of few contacts count as one, and rare offers not at all."""
    made: dict[str | None, NDArray[np.float64]] = {}
    for part, level, contacts in counts:
        made.setdefault(part, np.zeros(levels))[level] += contacts
    table = np.array(list(made.values())).reshape(-1, levels)
    table = table[:, table.sum(axis=0) >= _PARTS * _FEWEST]
    if table.shape[1] < 2:
        return 1.0
    rarest = table.sum(axis=0).min() / table.sum()
    few = table.sum(axis=1) * rarest < _FEWEST
    table = np.vstack([table[~few], table[few].sum(axis=0)])
    table = table[table.sum(axis=1) * rarest >= _FEWEST]
    if len(table) < 2:
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    squares = ((table - expected) ** 2 / expected).sum()
    return float(chdtrc((table.shape[0] - 1) * (table.shape[1] - 1), squares))
