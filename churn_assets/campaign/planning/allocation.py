"""The most valuable plan under shared limits: `solve(problem) -> Allocation`.

Each customer gets one option or none. Every option costs money and takes one place of its slot (a
channel on a day); money and places are limited. That is a multiple-choice knapsack: at a price for
money and one for each slot's places every customer chooses alone (Everett 1963), and the sum of
what they then gain, plus what all limits cost at those prices, bounds every possible plan (the
Lagrangian dual, equal to the linear program's value at the best prices).

The prices minimise that bound, smoothed (log-sum-exp at falling temperatures, Nesterov 2005), by
Newton's method: there are few prices, however many customers. First on samples, then on all. They
have to be exact: a customer's days are worth nearly the same, so a small error sends everybody to
one day. The choices at these prices are cut back to the limits and what is left is given to whom it
brings most. Memory holds one chunk of customers times options, however many customers there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.campaign.planning.newton import Point, minimized

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Chunk = Callable[[Ints], tuple[Floats, Floats]]
"""Row numbers (n,) -> their options' value (n, M; -inf: not allowed) and money (n, M; >= 0)."""

NONE = -1
"""The choice of who isn't contacted."""

CELLS = 1 << 17  # customers x options at a time: a few arrays of a megabyte
HELD = 1 << 20  # so many are kept while prices are searched for, instead of made at each step
SAMPLES = (6_000, 60_000)  # customers on whom the prices are found first
TEMPERATURES = (0.1, 0.02, 0.004, 0.001)  # of the smoothing, shares of a typical customer's gain
LAST = 0.0002  # the temperature on the larger sample and on all customers
STEPS, LAST_STEPS = 30, 12  # of Newton's method at most, on the first sample and beyond
TOLERANCE, ROUGHLY = 1e-3, 1e-2
"""Shares of a limit that may be used less or more than it at the prices: the last ones, others."""
ROUNDS = 40  # of giving away what is left
STALLED = 0.02  # of what may be lacking: a round that gains less ends its stage
LOSSES = (0.001, 0.01, 0.1, np.inf)  # shares of a typical contact's value, see `solve`
STAGES = ((False, 0.0), *((True, loss) for loss in LOSSES), *((False, loss) for loss in LOSSES))
NEAR = 1e-4  # a share of the bound that no more is sought for
ROUNDING = 1e-12  # of a value, relative: less is no gain


@dataclass(frozen=True)
class Problem:
    """Customers, their options, and the limits.

    Attributes:
        count: customers.
        slots: (M,) slot of each option, 0..S-1.
        places: (S,) contacts that each slot has room for, >= 0.
        budget: money for all of them, >= 0.
        chunk: what the options of some customers bring and cost.
    """

    count: int
    slots: Ints
    places: Floats
    budget: float
    chunk: Chunk

    @classmethod
    def of(
        cls, value: Floats, money: Floats, slots: Ints, places: Floats, budget: float
    ) -> Problem:
        """The problem whose options are in memory: `value` and `money` (N, M).

        Raises:
            ValueError: a negative cost or limit, NaN, or shapes that don't fit.
        """
        if value.shape != money.shape or value.shape[1:] != slots.shape:
            raise ValueError(f"value {value.shape}, money {money.shape}, slots {slots.shape}")
        if np.isnan(value).any() or not (np.isfinite(money) & (money >= 0)).all():
            raise ValueError("values must be numbers (or -inf), money finite and >= 0")
        return cls(len(value), slots, places, budget, lambda rows: (value[rows], money[rows]))

    def __post_init__(self) -> None:
        if not self.budget >= 0 or not (self.places >= 0).all():
            raise ValueError("limits must be >= 0")

    def parts(self, rows: Ints) -> Iterator[tuple[slice, Floats, Floats]]:
        """The options of `rows`, a chunk at a time, without those that can't be had at all."""
        closed = self.places[self.slots] < 1
        step = max(1, CELLS // max(1, len(self.slots)))
        for start in range(0, max(1, len(rows)), step):  # at least one part, perhaps an empty one
            place = slice(start, min(start + step, len(rows)))
            value, money = self.chunk(rows[place])
            yield place, np.where(closed | (money > self.budget), -np.inf, value), money


@dataclass(frozen=True)
class Prices:
    """What one more unit would bring at most: of money, and (S,) of each slot's places."""

    money: float
    places: Floats


@dataclass(frozen=True)
class Allocation:
    """A plan within all limits.

    Attributes:
        choice: (N,) option, or `NONE`.
        value, money: sums over the chosen options.
        used: (S,) places taken.
        bound: no plan brings more.
        prices: at which it was found.
    """

    choice: Ints
    value: float
    money: float
    used: Ints
    bound: float
    prices: Prices

    @property
    def gap(self) -> float:
        """The share of the bound that this plan may be short of the best one."""
        return 0.0 if self.bound <= 0 else max(0.0, 1 - self.value / self.bound)


def solve(problem: Problem) -> Allocation:
    """The plan, and a bound on every plan."""
    every = np.arange(problem.count)
    prices, bound = best_prices(problem)
    choice = np.full(problem.count, NONE)
    value, money = np.zeros(problem.count), np.zeros(problem.count)
    for place, values, costs in problem.parts(every):
        gains = gains_at(problem, prices, values, costs)
        best = gains.argmax(axis=1)
        inside = np.arange(len(best))
        chosen = gains[inside, best] > 0
        choice[place] = np.where(chosen, best, NONE)
        value[place] = np.where(chosen, values[inside, best], 0.0)
        money[place] = np.where(chosen, costs[inside, best], 0.0)
    plan = _Plan(problem, choice, value, money)
    plan.cut(prices)
    # What is worth its price goes first. Then empty places are filled, at first where that loses
    # little at the prices (a mail becomes a call, and its place another's); then money is spent.
    typical, rounds = bound / max(1, int(plan.used().sum())), 0
    lacking = bound - math.fsum(plan.value)
    for into_places, share in STAGES:
        while lacking > NEAR * bound and rounds < ROUNDS:
            rounds += 1
            before = lacking
            plan.improve(prices, -share * typical, into_places=into_places)
            lacking = bound - math.fsum(plan.value)
            if before - lacking < STALLED * before:
                break
    plan.cut(prices)  # amounts that were added one by one may pass the budget by a rounding
    return Allocation(
        plan.choice, math.fsum(plan.value), math.fsum(plan.money), plan.used(), bound, prices
    )


def best_prices(problem: Problem) -> tuple[Prices, float]:
    """The prices with the lowest bound that was found, and that bound."""
    rng = np.random.default_rng(0)

    def some(count: int) -> Ints:
        if 2 * count > problem.count:
            return np.arange(problem.count)
        return np.sort(rng.choice(problem.count, count, replace=False))

    first, *larger = SAMPLES
    sample = some(first)
    units = _units(problem, sample)
    if units is None:
        return Prices(0.0, np.zeros(len(problem.places))), 0.0
    x = np.full(1 + len(problem.places), 0.1)
    for temperature in TEMPERATURES:
        x = _better(problem, sample, units, x, temperature, STEPS)
    for count in [n for n in larger if 2 * n <= problem.count] + [problem.count]:
        x = _better(problem, some(count), units, x, LAST, LAST_STEPS)
    prices = Prices(float(x[0] * units[0]), x[1:] * units[1:])
    return prices, dual_bound(problem, prices)


def _units(problem: Problem, rows: Ints) -> Floats | None:
    """(1 + S,) prices of a usual size, so that the search need not know the currency; None where
    nobody has anything to gain."""
    tops, costs = [], []
    for _, values, money in problem.parts(rows):
        best = values.argmax(axis=1)
        inside = np.arange(len(best))
        good = values[inside, best] > 0
        tops.append(values[inside, best][good])
        costs.append(money[inside, best][good])
    top, cost = np.concatenate(tops), np.concatenate(costs)
    if not len(top):
        return None
    scale = float(top.mean())
    spent = float(cost.mean())
    return np.array([scale / spent if spent > 0 else 1.0, *[scale] * len(problem.places)])


def _better(
    problem: Problem, rows: Ints, units: Floats, x: Floats, temperature: float, steps: int
) -> Floats:
    """Better prices (in `units`), by the smoothed bound of `rows` for their share of the limits.

    At the best ones the customers, each shared among near-best options, use just the limits.
    """
    share = len(rows) / problem.count
    limits = share * np.concatenate([[problem.budget], problem.places])
    scale, slots = float(units[-1]), len(problem.places)
    heat, size = temperature * scale, scale * len(rows)
    of_slot = (problem.slots[:, None] == np.arange(slots)).astype(float)
    held = list(problem.parts(rows)) if len(rows) * len(problem.slots) <= HELD else None

    def smoothed(x: Floats) -> Point:
        prices = Prices(float(x[0] * units[0]), x[1:] * units[1:])
        total, used = float(limits @ (x * units)), np.zeros(1 + slots)
        spread = np.zeros((1 + slots, 1 + slots))  # of what each customer uses
        for _, values, money in held or problem.parts(rows):
            gains = gains_at(problem, prices, values, money)
            top = np.maximum(gains.max(axis=1, initial=0.0), 0.0)
            gains -= top[:, None]
            gains /= heat
            weights = np.exp(gains, out=gains)
            sums = weights.sum(axis=1) + np.exp(-top / heat)
            total += float((top + heat * np.log(sums)).sum())
            weights /= sums[:, None]
            places, paid = weights @ of_slot, weights * money
            each = np.column_stack([paid.sum(axis=1), places])
            used += each.sum(axis=0)
            both = paid.sum(axis=0) @ of_slot
            spread[0, 0] += float(np.einsum("ij,ij->", paid, money))
            spread[0, 1:] += both
            spread[1:, 0] += both
            spread[1:, 1:] += np.diag(places.sum(axis=0))
            spread -= each.T @ each
        missed = np.divide(used - limits, limits, out=np.zeros_like(used), where=limits > 0)
        gradient = (limits - used) * units / size
        return Point(
            total / size, gradient, spread * np.outer(units, units) / (heat * size), missed
        )

    enough = TOLERANCE if temperature == LAST else ROUGHLY
    return minimized(smoothed, x, steps=steps, tolerance=enough)


def gains_at(problem: Problem, prices: Prices, values: Floats, money: Floats) -> Floats:
    """(n, M) what each option brings beyond what it uses, at these prices."""
    gains = money * -prices.money
    gains += values
    gains -= prices.places[problem.slots]
    return gains


def dual_bound(problem: Problem, prices: Prices) -> float:
    """What no plan exceeds, whatever the prices."""
    total = prices.money * problem.budget + float(prices.places @ problem.places)
    for _, values, money in problem.parts(np.arange(problem.count)):
        gains = gains_at(problem, prices, values, money)
        total += float(gains.max(axis=1, initial=0.0).clip(0.0).sum())
    return total


class _Plan:
    """Choices on their way to a plan within the limits."""

    def __init__(self, problem: Problem, choice: Ints, value: Floats, money: Floats) -> None:
        self.problem = problem
        self.choice = choice
        self.value = value
        self.money = money

    def used(self) -> Ints:
        """(S,) places taken."""
        taken = self.problem.slots[self.choice[self.choice != NONE]]
        return np.bincount(taken, minlength=len(self.problem.places))

    def left(self) -> float:
        """Money left; below 0 if the limit is passed by whatever little."""
        return self.problem.budget - math.fsum(self.money)

    def cut(self, prices: Prices) -> None:
        """Back to the limits: out of a slot that is too full go those who lose least by going where
        there is room; then offers become cheaper, or contacts are left out, where that loses least
        for the money."""
        self._drop(self._too_many(prices))
        while (left := self.left()) < 0:
            self._save(-left)

    def _too_many(self, prices: Prices) -> Ints:
        """Whom their slots have no place for."""
        problem, used = self.problem, self.used()
        over, room = used > problem.places, (used < problem.places)[problem.slots]
        chosen = np.flatnonzero(self.choice != NONE)
        rows = chosen[over[problem.slots[self.choice[chosen]]]]
        regret = np.empty(len(rows))
        for place, values, costs in problem.parts(rows):
            gains = gains_at(problem, prices, values, costs)
            own = gains[np.arange(len(gains)), self.choice[rows[place]]]
            elsewhere = np.where(room, gains, -np.inf).max(axis=1, initial=0.0)
            regret[place] = own - np.maximum(elsewhere, 0.0)
        order = rows[np.argsort(-regret, kind="stable")]
        slots = problem.slots[self.choice[order]]
        return order[_rank(slots) >= problem.places[slots]]

    def _save(self, excess: float) -> None:
        """Make those changes within a slot, one a customer, that save the `excess` at the least
        loss, or all of them where it is more than they save."""
        rows = np.flatnonzero((self.choice != NONE) & (self.money > 0))
        ratio, saved = np.empty(len(rows)), np.empty(len(rows))
        option, value = np.empty(len(rows), np.int64), np.empty(len(rows))
        money = np.empty(len(rows))
        for place, values, costs in self.problem.parts(rows):
            now, inside = self.choice[rows[place]], np.arange(len(values))
            own_value, own_money = values[inside, now], costs[inside, now]
            # Not contacting is the last option: it is always cheaper.
            values = np.column_stack([values, np.zeros(len(values))])
            costs = np.column_stack([costs, np.zeros(len(costs))])
            same = np.append(self.problem.slots, NONE) == self.problem.slots[now][:, None]
            same[:, -1] = True
            less = own_money[:, None] - costs
            able = same & (less > 0) & np.isfinite(values)
            loss = np.where(able, own_value[:, None] - values, np.inf)
            ratios = np.divide(loss, less, out=np.full(loss.shape, np.inf), where=able)
            best = ratios.argmin(axis=1)
            ratio[place], saved[place] = ratios[inside, best], less[inside, best]
            option[place] = np.where(best == len(self.problem.slots), NONE, best)
            value[place], money[place] = values[inside, best], costs[inside, best]
        order = np.argsort(ratio, kind="stable")
        needed = int(np.searchsorted(np.cumsum(saved[order]), excess)) + 1
        first = order[:needed]
        change = rows[first]
        self.choice[change], self.value[change] = option[first], value[first]
        self.money[change] = money[first]

    def _drop(self, rows: Ints) -> None:
        self.choice[rows], self.value[rows], self.money[rows] = NONE, 0.0, 0.0

    def improve(self, prices: Prices, least: float, *, into_places: bool) -> None:
        """Give what is left to whom it brings most.

        Places and money that a change sets free are given away in the next round.

        Args:
            least: what a change has to bring beyond what it uses, at the prices.
            into_places: only changes that fill an empty place.
        """
        problem, left = self.problem, self.left()
        room = problem.places - self.used()
        every = np.arange(problem.count)
        option, score = np.full(problem.count, NONE), np.full(problem.count, -np.inf)
        value, money = np.zeros(problem.count), np.zeros(problem.count)
        for place, values, costs in problem.parts(every):
            now = self.choice[place]
            own = np.where(now == NONE, NONE, problem.slots[now])
            stays = own[:, None] == problem.slots
            free = (room >= 1)[problem.slots] & ~stays
            if not into_places:
                free |= stays
            extra = costs - self.money[place][:, None]
            gain = values - self.value[place][:, None]
            able = free & (gain > ROUNDING * np.abs(values).clip(1e-9)) & (extra <= left)
            fee = prices.places[problem.slots] - np.where(own < 0, 0.0, prices.places[own])[:, None]
            ranked = np.where(able, gain - prices.money * extra - fee, -np.inf)
            best = ranked.argmax(axis=1)
            inside = np.arange(len(best))
            score[place], option[place] = ranked[inside, best], best
            value[place], money[place] = values[inside, best], costs[inside, best]
        able_rows = np.flatnonzero(np.isfinite(score) & (score > least))
        order = able_rows[np.argsort(-score[able_rows], kind="stable")]
        new, now = problem.slots[option[order]], self.choice[order]
        moves = (now == NONE) | (problem.slots[now] != new)
        fits = ~moves
        fits[moves] = _rank(new[moves]) < room[new[moves]]
        order = order[fits]
        extra = np.maximum(money[order] - self.money[order], 0.0)
        order = order[(np.cumsum(extra) <= max(left, 0.0)) | (extra == 0)]
        self.choice[order], self.value[order] = option[order], value[order]
        self.money[order] = money[order]


def _rank(groups: Ints) -> Ints:
    """(n,) how many before each element are of its group."""
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    starts = np.searchsorted(sorted_groups, sorted_groups, side="left")
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - starts
    return ranks
