"""A plan that also tries something else, within the limits and with probabilities that are known.

A part of the money and of every slot's places is set aside before the rest is allocated, so that
what is planned doesn't depend on what is drawn:

- who is contacted gets, with probability `share`, the runner-up instead: another offer in the same
  slot that costs no more, or no contact;
- of the n customers who aren't contacted but could be in a slot, the m with the lowest draws are,
  each with probability m / n <= `share`: as many as fit into what was set aside if they were the
  dearest.

Both probabilities are exact given the customers, and no limit can be passed.

Where the release finds nobody worth contacting, nothing is planned, and each customer who may be
contacted could be on one of the days in turn (`options.in_turn`), by the contact that costs least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn_assets.campaign.planning.allocation import (
    NONE,
    Allocation,
    Floats,
    Ints,
    Prices,
    Problem,
    dual_bound,
    gains_at,
)
from churn_assets.domain.offers import OFFER_LEVELS

DRAWS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("preferred", pa.int8()),
        ("runner_up", pa.int8()),
        ("chance", pa.float64()),
        ("propensity", pa.float64()),
    ]
)
"""Of whom something else might have been planned: both options (0: no contact, 1..4: the offers),
P(runner-up), P(what was planned)."""
HALVINGS = 20  # of the search for how many the money is enough for


@dataclass(frozen=True)
class Drawn:
    """Between what N customers' contacts were drawn.

    Attributes:
        preferred, runner_up: (N,) options, or `NONE`.
        chance: (N,) P(runner-up); 0 where nothing else is tried.
        taken: (N,) whether it was.
    """

    preferred: Ints
    runner_up: Ints
    chance: Floats
    taken: NDArray[np.bool_]

    @property
    def propensity(self) -> Floats:
        """(N,) P(what was planned)."""
        return np.where(self.taken, self.chance, 1 - self.chance)


def counts_of(drawn: Drawn | None, share: float) -> dict[str, Any]:
    """How many contacts are tried that wouldn't be made, are made otherwise, or left out."""
    if drawn is None:
        return {"share": 0.0, "tried": 0, "otherwise": 0, "left_out": 0}
    before, after = drawn.preferred[drawn.taken] != NONE, drawn.runner_up[drawn.taken] != NONE
    return {
        "share": share,
        "tried": int((~before & after).sum()),
        "otherwise": int((before & after).sum()),
        "left_out": int((before & ~after).sum()),
    }


def draws_of(drawn: Drawn | None, ids: Sequence[str]) -> pa.Table:
    """The customers for whom something else might have been planned, columns as `DRAWS`."""
    if drawn is None:
        return DRAWS.empty_table()
    rows = np.flatnonzero(drawn.chance > 0)
    both = [
        np.where(option == NONE, 0, option % OFFER_LEVELS + 1)[rows]
        for option in (drawn.preferred, drawn.runner_up)
    ]
    columns = [[ids[row] for row in rows.tolist()], *both, drawn.chance[rows]]
    columns.append(drawn.propensity[rows])
    arrays = [pa.array(c, f.type) for c, f in zip(columns, DRAWS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=DRAWS)


@dataclass(frozen=True)
class Runners:
    """The best other option of N customers (`NONE`: no contact), what it costs, and whether it
    exists."""

    option: Ints
    money: Floats
    exists: NDArray[np.bool_]


def set_aside(problem: Problem, share: float) -> tuple[Problem, Problem]:
    """The problem under the limits that are left for planning, and under those set aside."""
    places, budget = np.floor(share * problem.places), share * problem.budget
    rest = replace(problem, places=problem.places - places, budget=problem.budget - budget)
    return rest, replace(problem, places=places, budget=budget)


def explored(
    problem: Problem, aside: Problem, planned: Allocation, share: float, uniform: Floats
) -> tuple[Allocation, Drawn]:
    """The allocation after the draw.

    Args:
        problem: under all limits; the bound is theirs.
        aside: what was set aside (`set_aside`).
        planned: an allocation of the rest.
        uniform: (N,) of each customer from [0, 1).
    """
    contacted = planned.choice != NONE
    instead = _instead(problem, planned)
    joining = _joining(aside, np.flatnonzero(~contacted), planned.prices)
    chance = np.where(contacted & instead.exists, share, 0.0)
    taken = contacted & instead.exists & (uniform < share)
    for rows, count in _samples(aside, joining, share):
        chance[rows] = count / len(rows)
        taken[rows[np.argsort(uniform[rows], kind="stable")[:count]]] = True
    other = np.where(contacted, instead.option, joining.option)
    choice = np.where(taken, other, planned.choice)
    value, money = _sums(problem, choice)
    done = Allocation(
        choice,
        value,
        money,
        np.bincount(problem.slots[choice[choice != NONE]], minlength=len(problem.places)),
        dual_bound(problem, planned.prices),
        planned.prices,
    )
    return done, Drawn(planned.choice, np.where(chance > 0, other, NONE), chance, taken)


def _instead(problem: Problem, planned: Allocation) -> Runners:
    """Of those contacted: another offer in the same slot that costs no more, or no contact."""
    found = _nobody(problem.count)
    rows = np.flatnonzero(planned.choice != NONE)
    for place, values, money in problem.parts(rows):
        at = rows[place]
        inside, own = np.arange(len(at)), planned.choice[at]
        same = problem.slots == problem.slots[own][:, None]
        same &= money <= money[inside, own][:, None]
        same[inside, own] = False
        gains = np.where(same, gains_at(problem, planned.prices, values, money), -np.inf)
        best = gains.argmax(axis=1)
        better = gains[inside, best] > 0
        found.option[at] = np.where(better, best, NONE)
        found.exists[at] = True
    return found


def _joining(aside: Problem, rows: Ints, prices: Prices) -> Runners:
    """Of those not contacted (`rows`): the contact that would bring most for what it uses."""
    found = _nobody(aside.count)
    for place, values, money in aside.parts(rows):
        at = rows[place]
        gains = gains_at(aside, prices, values, money)
        inside, best = np.arange(len(at)), gains.argmax(axis=1)
        exists = np.isfinite(gains[inside, best])
        found.option[at] = np.where(exists, best, NONE)
        found.money[at] = np.where(exists, money[inside, best], 0.0)
        found.exists[at] = exists
    return found


def _nobody(count: int) -> Runners:
    return Runners(np.full(count, NONE), np.zeros(count), np.zeros(count, dtype=bool))


def _samples(aside: Problem, joining: Runners, share: float) -> list[tuple[Ints, int]]:
    """For each slot who could join it, and how many are to."""
    rows = np.flatnonzero(joining.exists)
    slots = aside.slots[joining.option[rows]]
    groups = [rows[slots == slot] for slot in range(len(aside.places))]
    most = np.array(
        [
            min(int(share * len(group)), int(places))
            for group, places in zip(groups, aside.places, strict=True)
        ]
    )
    dearest = [
        np.concatenate([[0.0], np.sort(joining.money[group])[::-1].cumsum()]) for group in groups
    ]

    def fits(part: float) -> bool:
        counts = (part * most).astype(np.int64)
        spent = sum(float(sums[n]) for sums, n in zip(dearest, counts, strict=True))
        return spent <= aside.budget

    part, step = (1.0, 0.0) if fits(1.0) else (0.0, 0.5)
    for _ in range(HALVINGS):
        part, step = part + step * fits(part + step), step / 2
    counts = (part * most).astype(np.int64).tolist()
    return [(group, n) for group, n in zip(groups, counts, strict=True) if n]


def _sums(problem: Problem, choice: Ints) -> tuple[float, float]:
    """Value and money of the chosen options."""
    rows = np.flatnonzero(choice != NONE)
    value = money = 0.0
    for place, values, costs in problem.parts(rows):
        inside, own = np.arange(len(values)), choice[rows[place]]
        value += float(values[inside, own].sum())
        money += float(costs[inside, own].sum())
    return value, money
