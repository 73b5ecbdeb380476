"""Where decisions lead: a twentieth of the states that a customer could come to.

What a policy is worth from the start depends on no other state. So it is only asked in those, and
only in those are figures computed: first forward, from the start histories through every answer
that a customer may give, then backward (`policy_value.py`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.exact.oracle import Chain, GridActions
from churn_assets.decision.exact.states import Index, accepted, refused, rows_of
from churn_assets.decision.mdp.dynamics import offer_units, start_histories

Decided = tuple[NDArray[np.bool_], Index, Index]
"""(R,) each: contact, offer, delay."""
Ask = Callable[[int, Index, Index], Decided]
"""Decisions at R places (state, customer) among those with so many contacts."""


def follow(chain: Chain, ask: Ask) -> list[GridActions]:
    """What is decided in the states that the decisions lead to, for n = 0 .. contact_cap; in all
    others nothing is."""
    params, count = chain.params, len(chain.customers)
    reached = [np.zeros((len(level), count), dtype=bool) for level in chain.levels]
    histories, weights = start_histories(params)
    for contacts, spent, day in histories[weights > 0]:
        reached[contacts][chain.levels[contacts].place[0, 0, 0, spent, day]] = True
    grid = []
    for contacts in range(params.contact_cap + 1):
        here, level = reached[contacts], chain.levels[contacts]
        contact, offer, delay = (np.zeros(here.shape, kind) for kind in (bool, np.int64, np.int64))
        for day in range(params.cooldown_days + 1):  # waiting leads to later days
            some = level.on(day)
            k, c = np.nonzero(here[some])
            k += some.start
            if not len(k):
                continue
            contact[k, c], offer[k, c], delay[k, c] = ask(contacts, k, c)
            _mark_waits(chain, contacts, here, k, c, contact, delay)
            _mark_answers(chain, contacts, reached[contacts + 1], k, c, contact, offer, delay)
        grid.append(GridActions(contact, offer, delay, here))
    return grid


def follow_grid(chain: Chain, grid: list[GridActions]) -> list[GridActions]:
    """The same of decisions that are known for every state."""

    def ask(contacts: int, k: Index, c: Index) -> Decided:
        level = grid[contacts]
        return level.contact[k, c], level.offer[k, c], level.delay[k, c]

    return follow(chain, ask)


def _mark_waits(
    chain: Chain,
    contacts: int,
    here: NDArray[np.bool_],
    k: Index,
    c: Index,
    contact: NDArray[np.bool_],
    delay: Index,
) -> None:
    """Mark where those come who are not contacted; after the cooldown they stay where they are."""
    level, cooldown = chain.levels[contacts], chain.params.cooldown_days
    waits = ~contact[k, c] & (level.days[k] < cooldown)
    k, c = k[waits], c[waits]
    then = np.minimum(level.days[k] + 1 + delay[k, c], cooldown)
    here[level.place[(*rows_of(level.answers, k), level.spent[k], then)], c] = True


def _mark_answers(
    chain: Chain,
    contacts: int,
    following: NDArray[np.bool_],
    k: Index,
    c: Index,
    contact: NDArray[np.bool_],
    offer: Index,
    delay: Index,
) -> None:
    """Mark where either answer leads those who are contacted."""
    params, level, after = chain.params, chain.levels[contacts], chain.levels[contacts + 1]
    made = contact[k, c]
    k, c = k[made], c[made]
    taken, spent, answers = offer[k, c], level.spent[k], rows_of(level.answers, k)
    then = np.minimum(delay[k, c] + 1, params.cooldown_days)
    yes = accepted(answers, level.days[k], taken, params)
    following[after.place[(*yes, spent + offer_units(params)[taken], then)], c] = True
    following[after.place[(*refused(answers), spent, then)], c] = True
