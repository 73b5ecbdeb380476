"""Thompson sampling against a scripted world: whom it may contact, what it learns, how it draws."""

from __future__ import annotations

from statistics import NormalDist
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import ACCEPT, COOLDOWN, FATIGUE, RISK
from churn_assets.decision.rules import bandit
from churn_assets.decision.rules.bandit import ACCEPT_EDGES, RISK_EDGES, learn_segments

ONE = Customers(np.array([0.5]), np.full((1, 4), 0.5), np.array([600.0]))
PARAMS = EnvironmentParams(cooldown_days=5, contact_cap=2, contact_cost=0.004)
SEGMENT = 5 * (len(ACCEPT_EDGES) + 1) + 2  # risk 0.45, acceptance 0.5 of the 10 % offer


class Script:
    """A world whose customers never change but by `gain`: what each offer takes off the risk. An
    offer is accepted by every customer with an even number."""

    made: ClassVar[list[Script]] = []
    gain = np.array([0.01, 0.02, 0.2, 0.04])

    def __init__(
        self, customers: Customers, params: EnvironmentParams, count: int, seed: int, draw: str
    ) -> None:
        self.count, self.draw, self.seed = count, draw, seed
        self.actions: list[np.ndarray] = []
        self.observation = np.zeros((count, 9))
        self.observation[:, RISK], self.observation[:, ACCEPT] = 0.45, 0.5
        self.observation[: count // 4, COOLDOWN] = 1
        self.observation[count // 4 : count // 2, FATIGUE] = params.contact_cap
        self.observation[count // 2 : 3 * count // 4, FATIGUE] = params.contact_cap - 1
        Script.made.append(self)

    def advance(self, actions: np.ndarray) -> Any:
        self.actions.append(actions)
        after = self.observation.copy()
        contacted = actions[:, 0].astype(bool)
        after[contacted, RISK] -= self.gain[actions[contacted, 1]]
        return SimpleNamespace(
            final_observation=after,
            contacted=contacted,
            accepted=contacted & (np.arange(self.count) % 2 == 0),
        )


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> type[Script]:
    monkeypatch.setattr(bandit, "VectorRetention", Script)
    monkeypatch.setattr(Script, "made", [])
    return Script


def test_it_contacts_only_whom_it_may(script: type[Script]) -> None:
    """Why: a table that was learnt in the cooldown or above the cap is of another campaign."""
    learn_segments(ONE, PARAMS, price=0.0, seed=3)
    [world] = script.made
    assert (world.count, world.draw, world.seed, len(world.actions)) == (2048, "value", 3, 60)
    taken = np.stack(world.actions)
    contact, offer, delay = taken[..., 0], taken[..., 1], taken[..., 2]
    assert not contact[:, : world.count // 2].any()
    assert (contact[:, world.count // 2 :].mean(axis=0) > 0.5).all()
    assert (delay == 4).all()  # when the cooldown is over
    assert set(np.unique(offer)) == {0, 1, 2, 3}
    for cooldown, waited in ((14, 7), (8, 7), (1, 0)):
        world = PARAMS.model_copy(update={"cooldown_days": cooldown})
        learn_segments(ONE, world, price=0.0, seed=3)
        assert (np.stack(script.made[-1].actions)[..., 2] == waited).all()


def test_it_learns_means_that_are_shrunk_to_nothing(script: type[Script]) -> None:
    """Why: gain per contact less attention, and discount per contact, over one trial more."""
    gain, cost = learn_segments(ONE, PARAMS, price=0.0, seed=3)
    taken = np.concatenate(script.made[0].actions)
    even = np.tile(np.arange(2048) % 2 == 0, 60)
    contacted = taken[:, 0] == 1
    for offer in range(4):
        rows = contacted & (taken[:, 1] == offer)
        tried = rows.sum()
        mean = (script.gain[offer] - PARAMS.contact_cost) * tried / (tried + 1)
        assert gain[SEGMENT, offer] == pytest.approx(mean)
        paid = (rows & even).sum() * PARAMS.discounts[offer] / (tried + 1)
        assert cost[SEGMENT, offer] == pytest.approx(paid)
    others = np.arange(len(gain)) != SEGMENT
    assert len(gain) == (len(RISK_EDGES) + 1) * (len(ACCEPT_EDGES) + 1)
    assert not gain[others].any()
    assert not cost[others].any()


def test_it_comes_to_prefer_what_brings_most_at_the_price(script: type[Script]) -> None:
    """Why: its draws are about gain less (1 + price) times the discount: 10 % of half the contacts
    for 0.2 of risk is best when money is cheap, and worth nothing when it is dear."""
    for price, best, worth in ((0.0, 2, True), (3.5, 0, False)):
        learn_segments(ONE, PARAMS, price, seed=3)
        taken = np.stack(script.made[-1].actions)[:, 3 * 512 :]
        early, late = (part[..., 1][part[..., 0] == 1] for part in (taken[:2], taken[-20:]))
        assert np.bincount(late, minlength=4).argmax() == best
        assert (late == best).mean() > 0.9
        assert (early == best).mean() < 0.9
        net = 0.2 - 0.004 - (1 + price) * 0.5 * 0.10
        assert (net > 0.006) is worth  # what the offer without a discount brings


def test_it_draws_less_widely_the_more_it_has_tried(
    script: type[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: contacts that bring nothing are made by chance: where the best of four draws, with a
    spread of 0.3 / sqrt(tried + 1) about what is known, is above 0. At first that is 15 of 16."""
    monkeypatch.setattr(script, "gain", np.full(4, -0.016))
    learn_segments(ONE, PARAMS, price=-1.0, seed=3)  # at this price discounts cost nothing
    taken = np.stack(script.made[0].actions)[:, 1024:]
    share = taken[..., 0].mean(axis=1)
    assert share[0] == pytest.approx(15 / 16, abs=0.03)
    for known in (1, 2, 5):
        contacts = taken[:known][taken[:known, :, 0] == 1]
        tried = np.bincount(contacts[:, 1], minlength=4)
        mean, spread = -0.02 * tried / (tried + 1), 0.3 / np.sqrt(tried + 1)
        none = np.prod([NormalDist(m, s).cdf(0) for m, s in zip(mean, spread, strict=True)])
        assert share[known] == pytest.approx(1 - none, abs=0.06)  # 4 standard errors
