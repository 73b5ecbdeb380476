"""Which states a customer's period can come to: the grid of oracle and exact evaluation.

A state is (contacts, acceptances, bare acceptances, annoyances, spend units, days since the last
contact); the acceptances of contacts without a discount are counted apart only where they have an
effect of their own. From a clean sheet a third of all combinations can come about, and only those
are looked at.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS
from churn_assets.decision.mdp.dynamics import offer_units, spend_levels, start_histories

Index = NDArray[np.int64]
Answered = tuple[Index, Index, Index]
"""Acceptances, those of them without a discount (where they are counted apart), annoyances."""
Start = tuple[int, int, int]
"""Contacts, spend units and days since the last contact."""


@dataclass(frozen=True)
class Level:
    """The K states with the same number of contacts, in order of their days.

    yes, bare, annoyed, spent, days: (K,) acceptances, those of them without a discount (where they
        are counted apart), annoyances, spend units, days since contact.
    place: (n + 1, n + 1 or 1, n + 1, S, D) index of each state among the K, -1 where it can't come
        about.
    """

    contacts: int
    yes: Index
    bare: Index
    annoyed: Index
    spent: Index
    days: Index
    place: Index

    @classmethod
    def of(cls, contacts: int, reached: NDArray[np.bool_]) -> "Level":
        """From (n + 1, n + 1 or 1, n + 1, S, D) whether each state can come about."""
        days, yes, bare, annoyed, spent = np.nonzero(np.moveaxis(reached, -1, 0))
        place = np.full(reached.shape, -1)
        place[yes, bare, annoyed, spent, days] = np.arange(len(days))
        return cls(contacts, yes, bare, annoyed, spent, days, place)

    def __len__(self) -> int:
        return len(self.days)

    @property
    def answers(self) -> Answered:
        """What has been answered in each state."""
        return self.yes, self.bare, self.annoyed

    def on(self, day: int) -> slice:
        """The states `day` days after the last contact."""
        first, last = np.searchsorted(self.days, [day, day + 1])
        return slice(int(first), int(last))


@lru_cache(maxsize=1024)
def levels(params: EnvironmentParams, start: Start | None = None) -> tuple[Level, ...]:
    """The states that episodes can come to, for n = 0 .. contact_stop contacts: any offer that
    fits, any delay and either answer, above the contact cap too.

    Args:
        start: where they begin; None: at any of their start histories.
    """
    cooldown, spends = params.cooldown_days, spend_levels(params)
    apart = params.counts_bare_apart
    reached = [
        np.zeros((n + 1, n * apart + 1, n + 1, spends, cooldown + 1), dtype=bool)
        for n in range(params.contact_stop + 1)
    ]
    for contacts, units, since in _starts(params) if start is None else [start]:
        reached[contacts][0, 0, 0, units, since] = True
    after = np.minimum(np.arange(DELAYS) + 1, cooldown)
    for n, here in enumerate(reached):
        for day in range(cooldown):
            later = np.minimum(day + after, cooldown)
            here[..., later] |= here[..., day, None]
        if n == params.contact_stop:
            break
        yes, bare, annoyed, spent, days = np.nonzero(here)
        inside, following = (days < cooldown).astype(np.int64), reached[n + 1]
        for offer, cost in enumerate(offer_units(params)):
            fits = (spent + cost < spends) & (days >= params.hard_cooldown_days)
            a, f, b, s, soon = (column[fits] for column in (yes, bare, annoyed, spent, inside))
            for day in after:
                following[a + 1, f + (apart and offer == 0), b + soon, s + cost, day] = True
                following[a, f, b + 1, s, day] = True
    return tuple(Level.of(n, states) for n, states in enumerate(reached))


def _starts(params: EnvironmentParams) -> list[Start]:
    """The start histories that can come about."""
    histories, weights = start_histories(params)
    return [(int(n), int(s), int(d)) for n, s, d in histories[weights > 0]]


def rows_of(answers: Answered, rows: Index) -> Answered:
    """What has been answered in some of the states."""
    yes, bare, annoyed = answers
    return yes[rows], bare[rows], annoyed[rows]


def accepted(
    answers: Answered, days: Index, offer: int | Index, params: EnvironmentParams
) -> Answered:
    """What has been answered after an accepted offer, so many days after the last contact."""
    yes, bare, annoyed = answers
    bare = bare + (params.counts_bare_apart & (np.asarray(offer) == 0))
    return yes + 1, bare, annoyed + (days < params.cooldown_days)


def refused(answers: Answered) -> Answered:
    """What has been answered after a refused contact."""
    yes, bare, annoyed = answers
    return yes, bare, annoyed + 1


@dataclass(frozen=True)
class Answer:
    """What an answer to a contact leads to, in R states where it can be given.

    rows: (R,) among the states. answers: after it. place: (R, 8) among the states with one contact
        more, after each delay.
    """

    rows: Index
    answers: Answered
    place: Index


@dataclass(frozen=True)
class Moves:
    """Where decisions lead to from the states with the same number of contacts.

    refused: from every state where a contact is possible. accepted: for each offer, from those of
        them where it fits, and which of `refused.rows` these are.
    cooling: states in the cooldown. waited: (W, 8) the states that they come to by waiting.
    """

    refused: Answer
    accepted: tuple[tuple[Answer, Index], ...]
    cooling: Index
    waited: Index


@lru_cache(maxsize=1024)
def moves(params: EnvironmentParams, start: Start | None = None) -> tuple[Moves, ...]:
    """The moves from the states of `levels` with n = 0 .. contact_cap contacts."""
    return tuple(_moves(params, *pair) for pair in pairwise(levels(params, start)))


def _moves(params: EnvironmentParams, level: Level, after: Level) -> Moves:
    days = np.minimum(np.arange(DELAYS) + 1, params.cooldown_days)
    rows = np.flatnonzero(level.days >= params.hard_cooldown_days)
    no = refused(rows_of(level.answers, rows))
    offers = []
    for offer, units in enumerate(offer_units(params)):
        fits = np.flatnonzero(level.spent[rows] + units < spend_levels(params))
        some = rows[fits]
        yes = accepted(rows_of(level.answers, some), level.days[some], offer, params)
        place = _places(after, yes, level.spent[some] + units, days[None])
        offers.append((Answer(some, yes, place), fits))
    cooling = np.flatnonzero(level.days < params.cooldown_days)
    then = np.minimum(level.days[cooling, None] + np.arange(DELAYS) + 1, params.cooldown_days)
    return Moves(
        Answer(rows, no, _places(after, no, level.spent[rows], days[None])),
        tuple(offers),
        cooling,
        _places(level, rows_of(level.answers, cooling), level.spent[cooling], then),
    )


def _places(level: Level, answers: Answered, spent: Index, days: Index) -> Index:
    """(R, D) the states with these answers and this spend (R,) on these days (R or 1, D)."""
    yes, bare, annoyed = (column[:, None] for column in answers)
    place: Index = level.place[yes, bare, annoyed, spent[:, None], days]
    return place
