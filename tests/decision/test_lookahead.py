"""The rules that look ahead, against the exact optimum and against those that don't."""

import numpy as np
import pytest

from churn_assets.decision.config import PRESETS, EnvironmentParams
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.policy_value import evaluate, evaluate_actions, grid_states
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import spend_levels
from churn_assets.decision.mdp.observation import build_states
from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.decision.rules.lookahead import RetryGreedy, Standing, TwoContacts
from churn_assets.decision.rules.planner import Planner
from churn_assets.decision.rules.tuning import families
from churn_assets.domain.offers import Offers


@pytest.mark.parametrize("price", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("preset", PRESETS)
def test_two_contacts_ahead_is_the_optimum_where_two_are_allowed(
    customers: Customers, preset: str, price: float
) -> None:
    """Why: its closed form is that of the environment, or it would be a straw man. From a clean
    sheet with a cap of two it looks as far as there is anything to see."""
    short = {"cooldown_days": 3, "contact_cap": 2, "history_share": 0.0}
    params = EnvironmentParams.model_validate(PRESETS[preset].model_dump() | short)

    def worth(found: object) -> np.ndarray:
        return found.uplift - price * found.spend  # type: ignore[attr-defined]

    best = worth(evaluate_actions(lambda chain: solve(chain, price), customers, params))
    found = worth(evaluate(TwoContacts(params=params, price=price), customers, params))
    np.testing.assert_allclose(found, best, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "honest",
    [
        {"persistence": 6},
        {"effect_without_discount": 0.8},
        {"hard_cooldown_days": 2, "persistence": 3, "effect_without_discount": 2.0},
    ],
)
def test_two_contacts_ahead_is_the_optimum_in_honest_worlds(
    customers: Customers, honest: dict[str, float]
) -> None:
    """Why: the closed forms hold for whatever is assumed of the effect, as long as what is shown
    as churn risk is certain."""
    short = {"cooldown_days": 3, "contact_cap": 2, "history_share": 0.0}
    params = EnvironmentParams.model_validate(short | honest)
    best = evaluate_actions(lambda chain: solve(chain, 0.5), customers, params)
    found = evaluate(TwoContacts(params=params, price=0.5), customers, params)
    np.testing.assert_allclose(
        found.uplift - 0.5 * found.spend, best.uplift - 0.5 * best.spend, rtol=0, atol=1e-9
    )


def test_the_first_contact_is_the_optimums_where_the_effect_works_for_some(
    customers: Customers,
) -> None:
    """Why: until somebody has accepted, the risk shown is certain, and what follows is a mean over
    those for whom it works and those for whom it doesn't."""
    params = EnvironmentParams(
        cooldown_days=3, contact_cap=2, effect_share=0.5, persistence=6, history_share=0.0
    )
    chain = build_chain(customers, params)
    fresh = chain.levels[0].place[0, 0, 0, 0, params.cooldown_days]
    best = solve(chain, 0.5)[0]
    decided = TwoContacts(params=params, price=0.5).decide(grid_states(chain, 0))
    assert best.contact[fresh].any()
    assert (decided.contact == best.contact[fresh]).all()
    assert (decided.offer == best.offer[fresh]).all()
    assert (decided.delay == best.delay[fresh])[best.contact[fresh]].all()


def test_looking_further_ahead_is_worth_more(customers: Customers) -> None:
    """Why: each rule adds one thing to the one before: no waiting, credit for a later try, the
    whole second contact."""
    params, at_once = EnvironmentParams(), {"delay_after_contact": 0, "contact_in_cooldown": True}
    rules = [
        PricedGreedy(params=params, price=2.0),
        PricedGreedy(params=params, price=2.0, **at_once),
        RetryGreedy(params=params, price=2.0, **at_once),
        TwoContacts(params=params, price=2.0),
    ]
    found = [evaluate(rule, customers, params) for rule in rules]
    worth = [each.mean("uplift") - 2.0 * each.mean("spend") for each in found]
    assert worth == sorted(worth)
    best = evaluate_actions(lambda chain: solve(chain, 2.0), customers, params)
    assert worth[-1] > 0.98 * (best.mean("uplift") - 2.0 * best.mean("spend"))


def test_scores_and_decisions_are_the_same_choice(customers: Customers) -> None:
    """Why: a rule contacts with the best-scored offer where its score is above 0; this one decides
    in blocks."""
    rng = np.random.default_rng(1)
    states = build_states(
        customers.risk[rng.integers(24, size=5000)],
        customers.accept[rng.integers(24, size=5000)],
        rng.integers(0, 5, 5000) / 4,
        rng.integers(0, 9, 5000).astype(float),
        rng.integers(0, 5, 5000),
    )
    rule = TwoContacts(price=1.0)
    decided, scores = rule.decide(states), rule.scores(states)
    possible = states[:, 8] < rule.params.contact_cap
    assert (decided.contact == (possible & (scores.max(axis=1) > 0))).all()
    chosen = decided.contact
    assert 100 < chosen.sum() < 4900
    assert (decided.offer[chosen] == scores[chosen].argmax(axis=1)).all()


@pytest.mark.parametrize("rule", [TwoContacts(), RetryGreedy()], ids=lambda rule: rule.kind)
def test_no_offer_exceeds_what_is_left(rule: TwoContacts | RetryGreedy) -> None:
    """Why: callers send any share of the allowance, not only whole discounts."""
    left = np.linspace(0, 1, 201)
    states = build_states([0.6] * 201, [[0.1, 0.5, 0.8, 0.95]] * 201, left, [9.0] * 201, [0] * 201)
    decided = rule.decide(states)
    price = np.asarray(rule.params.discounts)[decided.offer]
    assert (price <= left * rule.params.budget_allowance + 1e-9).all()
    assert set(decided.offer) >= {0, 1, 2}


@pytest.mark.parametrize("kind", ["priced_greedy", "greedy_retry"])
def test_rules_may_ask_again_tomorrow(customers: Customers, kind: str) -> None:
    """Why: a greedy rule that had to wait two days was no fair opponent."""
    [family] = [f for f in families(customers, EnvironmentParams(), 1.0) if f.name == kind]
    variants = [build(1.0) for build in family.variants]
    assert any(rule.delay_after_contact == 0 and rule.contact_in_cooldown for rule in variants)


@pytest.mark.parametrize(
    ("percent", "months"),
    [((0, 5, 10, 15), 12), ((0, 5, 10, 15), 1), ((0, 7, 13, 29), 12), ((0, 1, 50, 100), 12)],
)
def test_no_unit_of_the_allowance_is_lost(percent: tuple[int, int, int, int], months: int) -> None:
    """Why: the ledger says in nine places what is left; a unit less, and an offer that fits isn't
    made. With 7, 13 and 29 % the allowance has 39 units."""
    params = EnvironmentParams().offering(Offers(percent=percent, months=months))
    count = spend_levels(params) - 1
    spent = np.arange(count + 1)
    given = np.round(1 - spent / count, 9)
    some = np.ones(len(spent))
    accept = np.tile([0.2, 0.4, 0.6, 0.8], (len(spent), 1))
    states = build_states(0.4 * some, accept, given, np.nan * some, 0 * some, params)
    np.testing.assert_array_equal(Standing.of(states, params).left, count - spent)
    few = states[:: max(1, count // 8)]
    starts = [start[1] for _, start, _ in Planner(params=params)._chains(few)]
    assert sorted(starts) == spent[:: max(1, count // 8)].tolist()
