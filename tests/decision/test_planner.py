"""The exact planner as a policy: the optimum from wherever a customer stands."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from churn_assets.decision.config import PRESETS, EnvironmentParams
from churn_assets.decision.evaluation.selection import Candidate, choose_served
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    decide_on_grid,
    evaluate,
    evaluate_actions,
    policy_actions,
)
from churn_assets.decision.mdp.actions import Decisions
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import build_states
from churn_assets.decision.policy import load_policy, save_rule
from churn_assets.decision.rules.families import NeverContact
from churn_assets.decision.rules.lookahead import TwoContacts
from churn_assets.decision.rules.planner import Planner


def test_asked_state_by_state_it_is_the_optimum(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: what it plans for one customer from the nine numbers alone must be what the yardstick
    does with everything it knows, in every state that can come about."""
    planner = Planner(params=params, price=1.0)
    asked = evaluate_actions(lambda chain: decide_on_grid(planner, chain), customers, params)
    best = evaluate_actions(lambda chain: solve(chain, 1.0), customers, params)
    np.testing.assert_allclose(
        asked.uplift - asked.spend, best.uplift - best.spend, rtol=0, atol=1e-12
    )
    short = evaluate(planner, customers, params)
    np.testing.assert_array_equal(short.uplift, best.uplift)


def test_where_the_effect_works_for_some_it_is_asked(customers: Customers) -> None:
    """Why: the optimum knows who accepted before, the planner doesn't; it must not be credited
    with what it can't see."""
    params = EnvironmentParams(cooldown_days=3, contact_cap=2, effect_share=0.5)
    planner, chain = Planner(params=params, price=0.5), build_chain(customers, params)
    own, best = policy_actions(planner, chain), solve(chain, 0.5)
    rested = chain.levels[0].place[0, 0, 0, 0, params.cooldown_days]
    assert (own[0].contact[rested] == best[0].contact[rested]).all()
    found = evaluate(planner, customers, params)
    top = evaluate_actions(lambda chain: solve(chain, 0.5), customers, params)
    worth = [one.mean("uplift") - 0.5 * one.mean("spend") for one in (found, top)]
    assert 0.99 * worth[1] < worth[0] <= worth[1] + 1e-12


def test_it_is_asked_only_where_its_decisions_lead(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is a plan of its own: asked everywhere, evaluating it in a world whose effect
    works for some took seven times as long, for the same figures."""
    params = EnvironmentParams(cooldown_days=5, contact_cap=2, effect_share=0.5, history_share=0.0)
    planner, asked, decide = Planner(params=params, price=0.5), list[int](), Planner.decide

    def counted(self: Planner, states: NDArray[np.float64]) -> Decisions:
        asked.append(len(states))
        return decide(self, states)

    monkeypatch.setattr(Planner, "decide", counted)
    found = evaluate(planner, customers, params)
    where_it_leads = sum(asked)
    everywhere = evaluate_actions(lambda chain: decide_on_grid(planner, chain), customers, params)
    assert 5 * where_it_leads < sum(asked) - where_it_leads
    np.testing.assert_allclose(found.uplift, everywhere.uplift, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.spend, everywhere.spend, rtol=0, atol=1e-12)


def test_its_ranking_is_what_it_compares(customers: Customers) -> None:
    """Why: exploration takes the best of the other options; the first is what it decides."""
    planner = Planner(price=1.0)
    rng, count = np.random.default_rng(2), 60
    who = rng.integers(len(customers), size=count)
    states = build_states(
        customers.risk[who],
        customers.accept[who],
        rng.integers(0, 5, count) / 4,
        rng.integers(0, 9, count).astype(float),
        rng.integers(0, 6, count),
    )
    decided, ranking = planner.decide(states), planner.ranking(states)
    assert (ranking.preference.argmax(axis=1) == decided.option).all()
    taken = ranking.delay[np.arange(count), decided.option]
    assert (taken == decided.delay).all()
    assert 10 < decided.contact.sum() < count
    at_the_cap = states[:, 8] >= planner.params.contact_cap
    assert np.isneginf(ranking.preference[at_the_cap, 1:]).all()
    scores = planner.scores(states)
    assert ((scores.max(axis=1) > 0) == decided.contact).all()


def test_a_caller_may_send_any_state(customers: Customers) -> None:
    """Why: any share of the allowance, certain answers, more contacts than the cap: never an
    error, and never an offer that doesn't fit."""
    states = build_states(
        [0.0, 1.0, 0.6, 0.6, 0.6],
        [[0.0, 0.5, 1.0, 1.0]] * 5,
        [1.0, 1.0, 0.33, 0.0, 1.0],
        [np.nan, 2.5, 7, 7, 100],
        [0, 1, 0, 1, 40],
    )
    decided = Planner(price=0.2).decide(states)
    discounts = np.asarray(EnvironmentParams().discounts)[decided.offer]
    assert (discounts <= states[:, 5] * EnvironmentParams().budget_allowance + 1e-9).all()
    assert not decided.contact[4]


def test_it_is_saved_like_a_rule(tmp_path: Path) -> None:
    """Why: a release holds its policy as a file."""
    planner = Planner(params=PRESETS["weary"], price=2.25)
    save_rule(planner, tmp_path)
    assert load_policy(tmp_path) == planner


NOTHING = Evaluation(*(np.zeros(1) for _ in range(7)))


@pytest.mark.parametrize(
    ("captured", "failed", "wanted", "served"),
    [
        (0.996, [], "best", "ppo"),
        (0.994, [], "best", "planner"),  # within half a point of the rule, not of the planner
        (0.996, ["a gate"], "best", "planner"),
        (0.80, [], "ppo", "ppo"),
        (0.996, ["a gate"], "ppo", "planner"),
        (0.996, [], "planner", "planner"),
        (0.996, [], "look2", "look2"),
    ],
)
def test_what_is_served(captured: float, failed: list[str], wanted: str, served: str) -> None:
    """Why: PPO where it is within half a point of the best, else the best; or what is asked for."""
    ppo = Candidate(NeverContact.model_construct(kind="ppo"), NOTHING, captured)
    others = [Candidate(TwoContacts(), NOTHING, 0.992), Candidate(Planner(), NOTHING, 1.0)]
    assert choose_served(ppo, others, failed, wanted).policy.name == served


def test_a_policy_that_is_not_there_is_named() -> None:
    """Why: a mistyped name must not serve something else."""
    one = Candidate(TwoContacts(), NOTHING, 0.9)
    with pytest.raises(ValueError, match="serve: 'thompson' is none of"):
        choose_served(one, [one], [], "thompson")
