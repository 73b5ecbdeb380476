"""States refuse what can't be: a bad number must not become a decision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.decision.config import PRESETS, EnvironmentParams
from churn_assets.decision.evaluation.closed_loop import Book
from churn_assets.decision.evaluation.diagnostics import stressed_params
from churn_assets.decision.mdp.customers import (
    Customers,
    by_risk_and_acceptance,
    systematic_sample,
)
from churn_assets.decision.mdp.dynamics import start_histories
from churn_assets.decision.mdp.environment import ACTION_SIZES, VectorRetention
from churn_assets.decision.mdp.observation import (
    ACCEPT,
    BUDGET,
    COLUMNS,
    RISK,
    Answers,
    build_states,
    validate_states,
)
from churn_assets.decision.mdp.transitions import State, fresh_start, observe

GOOD = np.array([0.3, 0.1, 0.4, 0.6, 0.8, 1.0, 7.0, 0.0, 0.0])


def test_columns_are_in_the_specified_order() -> None:
    """Why: the network's inputs are positional."""
    calm = EnvironmentParams(cooldown_reluctance=0, fatigue_reluctance=0)
    states = build_states([0.2], [[0.1, 0.2, 0.3, 0.4]], [0.5], [2.0], [1], calm)
    np.testing.assert_allclose(states, [[0.2, 0.1, 0.2, 0.3, 0.4, 0.5, 2.0, 1.0, 1.0]])


@pytest.mark.parametrize("params", PRESETS.values(), ids=PRESETS)
def test_serving_shows_the_policy_what_the_environment_showed_it(
    params: EnvironmentParams, customers: Customers
) -> None:
    """Why: a policy is only as good as it was measured to be where the numbers mean the same; the
    same customers with any history they can have must be the same states."""
    fresh = fresh_start(customers, params)
    histories, _ = start_histories(params)
    for contacts, spent, days in histories[:: len(histories) // 40]:
        counts = (np.full(len(customers), count) for count in (contacts, spent, days))
        begun = State(fresh.score, fresh.accept, *counts, fresh.yes, fresh.bare)
        observed = observe(begun, params)
        built = build_states(
            customers.risk,
            customers.accept,
            observed[:, BUDGET],
            np.full(len(customers), float(days)),
            np.full(len(customers), contacts),
            params,
        )
        np.testing.assert_allclose(built, observed, rtol=1e-12)


HONEST = EnvironmentParams(
    effect_share=0.5, effect_without_discount=1.0, persistence=6, hard_cooldown_days=2
)


@pytest.mark.parametrize("params", [*PRESETS.values(), HONEST], ids=[*PRESETS, "honest"])
def test_a_caller_who_counts_answers_sees_what_the_environment_shows(
    params: EnvironmentParams, customers: Customers
) -> None:
    """Why: a policy that is served with the risk of before the answers isn't the one that was
    measured. Random decisions, whole episodes: the state from what a caller knows is the same."""
    envs = VectorRetention(customers, params, 400, seed=11)
    book = Book.of(envs.customer, envs.observation, params)
    rng, live = np.random.default_rng(5), np.ones(400, dtype=bool)
    risk, accept = customers.risk[envs.customer], customers.accept[envs.customer]
    accepted_soon = 0
    while live.any():
        built = build_states(risk, accept, *book.history, params, book.answers)
        np.testing.assert_allclose(built[live], envs.observation[live], rtol=0, atol=1e-9)
        actions = rng.integers(0, ACTION_SIZES, size=(400, 3))
        step = envs.advance(actions)
        book = book.after(actions, step.contacted, step.accepted)
        live &= ~step.terminated
        accepted_soon += int((book.answers.acceptances_in_cooldown * live).sum())
    assert accepted_soon > 20  # the rarest mechanism was at work too


def test_answers_shift_nothing_where_there_are_none() -> None:
    """Why: an answer without the new fields must stay what it was, to the last bit."""
    rng = np.random.default_rng(0)
    risk, none = rng.uniform(0, 1, 500), np.zeros(500)
    given = ([[0.1, 0.2, 0.3, 0.4]] * 500, none + 1, none + 3, none + 2)
    without = build_states(risk, *given)
    assert (build_states(risk, *given, None, Answers(none, none, none)) == without).all()
    mixed = build_states(risk, *given, None, Answers(none, np.arange(500) % 2, none))
    assert (mixed[::2] == without[::2]).all()
    assert (mixed[1::2, RISK] > without[1::2, RISK]).all()


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ((3, 0, 0), "acceptances_this_period"),
        ((1, 2, 0), "refusals_this_period"),
        ((1, 0, 2), "acceptances_in_cooldown"),
        ((0.5, 0, 0), "acceptances_this_period"),
        ((0, -1, 0), "refusals_this_period"),
        ((0, np.nan, 0), "refusals_this_period"),
    ],
)
def test_answers_that_contradict_the_contacts_are_named(
    answers: tuple[float, float, float], field: str
) -> None:
    """Why: a ledger that counts more answers than contacts would move the risk by nothing real."""
    counts = [np.array([0.0, count]) for count in answers]
    with pytest.raises(ValueError, match=f"{field}.*row 1"):
        build_states([0.2] * 2, [[0.1] * 4] * 2, [1] * 2, [1] * 2, [2] * 2, None, Answers(*counts))


@given(
    st.lists(st.floats(0.01, 0.99), min_size=4, max_size=4).map(sorted),
    st.integers(0, 20),
    st.integers(0, 6),
    st.sampled_from(list(PRESETS.values())),
)
def test_contacts_and_a_running_cooldown_lower_acceptance(
    accept: list[float], contacts: int, days: int, params: EnvironmentParams
) -> None:
    """Why: pestering must never look attractive, and a better offer never less welcome."""
    once_more = build_states(
        [0.3] * 3,
        [accept] * 3,
        [1.0] * 3,
        [float(days), float(days), days + 1.0],
        [contacts, contacts + 1, contacts],
        params,
    )[:, ACCEPT]
    here, after_a_contact, a_day_later = once_more
    assert (after_a_contact < here).all()
    later_is_better = days < params.cooldown_days
    assert (a_day_later > here).all() if later_is_better else (a_day_later == here).all()
    assert (np.diff(once_more, axis=1) >= 0).all()


def test_never_contacted_is_like_a_contact_before_the_cooldown() -> None:
    """Why: NaN means never, and nothing depends on the time beyond the cooldown."""
    states = build_states([0.2] * 2, [[0.1] * 4] * 2, [1, 1], [np.nan, 400.0], [0, 0])
    assert (states[0] == states[1]).all()
    assert states[0, 7] == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, np.nan),
        (0, 1.2),
        (2, -0.1),
        (4, np.inf),
        (5, 1.01),
        (5, -0.01),
        (6, -1.0),
        (7, 0.5),
        (8, 1.5),
    ],
)
def test_a_bad_number_is_named(column: int, value: float) -> None:
    """Why: the message must say which of the nine numbers is wrong."""
    states = np.tile(GOOD, (3, 1))
    states[1, column] = value
    with pytest.raises(ValueError, match=f"{COLUMNS[column]}.*row 1"):
        validate_states(states)


@pytest.mark.parametrize("shape", [(9,), (2, 8), (1, 2, 9)])
def test_a_wrong_shape_is_named(shape: tuple[int, ...]) -> None:
    """Why: a transposed matrix must not be broadcast."""
    with pytest.raises(ValueError, match="shape"):
        validate_states(np.zeros(shape))


def test_inputs_of_different_lengths_are_named() -> None:
    """Why: columns that don't belong together must not be joined."""
    with pytest.raises(ValueError, match="budget_remaining"):
        build_states([0.2, 0.3], [[0.1] * 4] * 2, [1.0], [1.0, 1.0], [0, 0])


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e6), st.integers(0, 50))
def test_every_possible_customer_has_a_state(
    risk: float, accept: float, budget: float, days: float, contacts: int
) -> None:
    """Why: validation must refuse nothing that can happen."""
    states = build_states([risk], [[accept] * 4], [budget], [days], [contacts])
    assert states.shape == (1, 9)


@pytest.mark.parametrize("field", ["budget_limit", "budget_allowance"])
def test_a_budget_must_be_positive(field: str) -> None:
    """Why: with no budget, spend over limit is undefined."""
    with pytest.raises(ValueError, match=field):
        EnvironmentParams(**{field: 0.0})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["budget_limit", "period_days", "annoyance_effect"])
def test_an_assumption_must_be_finite(field: str, wrong: float) -> None:
    """Why: an infinite limit or effect makes every figure NaN, far from its cause."""
    with pytest.raises(ValueError, match=field):
        EnvironmentParams(**{field: wrong})


@pytest.mark.parametrize("dearest", [1.05, np.inf])
def test_a_discount_is_at_most_the_price(dearest: float) -> None:
    """Why: a company doesn't pay its customers to stay."""
    with pytest.raises(ValueError, match="discounts"):
        EnvironmentParams(discounts=(0, 0.05, 0.10, dearest))


def test_a_stressed_budget_is_checked_like_any_other() -> None:
    """Why: a stress of nothing left has no spend over limit."""
    assert stressed_params(EnvironmentParams(), {"budget": 0.5}).budget_limit == 0.01
    with pytest.raises(ValueError, match="budget_limit"):
        stressed_params(EnvironmentParams(), {"budget": 0.0})


def test_there_must_be_customers() -> None:
    """Why: nothing can be drawn from nobody."""
    with pytest.raises(ValueError, match="no customers"):
        Customers(np.empty(0), np.empty((0, 4)), np.empty(0))


def test_discounts_must_be_countable() -> None:
    """Why: the oracle is exact only where spend has finitely many levels."""
    with pytest.raises(ValueError, match="multiples"):
        EnvironmentParams(discounts=(0, 0.05, 0.1234567, 0.15))


def test_there_are_at_least_five_presets() -> None:
    """Why: results are reported over mild to harsh worlds, not over one."""
    assert len(PRESETS) >= 5
    assert len({str(params) for params in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [(name, bad) for name in ("risk", "accept") for bad in (0.0, 1.0, 1.2, np.nan)]
    + [("value", bad) for bad in (0.0, np.inf)],
)
def test_customers_refuse_numbers_outside_their_range(column: str, wrong: float) -> None:
    """Why: a probability of 0 or 1 has no logit, and money counts in shares of value. One bad
    number among good ones is enough."""
    good = {"risk": np.full(2, 0.5), "accept": np.full((2, 4), 0.5), "value": np.full(2, 900.0)}
    assert len(Customers(**good)) == 2
    good[column][1] = wrong
    with pytest.raises(ValueError, match=f"^{column}: every number"):
        Customers(**good)
    with pytest.raises(ValueError, match=f"^{column}: shape"):
        Customers(**{**good, column: good[column][:, None]})


def test_a_customers_weight_is_the_share_of_all_value() -> None:
    """Why: money is counted in shares of value everywhere."""
    both = Customers(np.full(2, 0.5), np.full((2, 4), 0.5), np.array([300.0, 900.0]))
    np.testing.assert_allclose(both.weight, [0.25, 0.75])
    worse = both.stressed(risk_factor=1.5, accept_factor=3.0)
    np.testing.assert_allclose(worse.risk, 0.75)
    np.testing.assert_allclose(worse.accept, 0.999)
    np.testing.assert_array_equal(worse.value, both.value)


def test_those_who_stand_for_many_are_picked_by_value() -> None:
    """Why: systematic sampling by size: laid out by risk, then acceptance, each as long as their
    value; marks at even distances; all get the mean value."""
    risk = np.array([0.31, 0.1, 0.304, 0.2])
    accept = np.tile(np.array([[0.3], [0.3], [0.4], [0.3]]), 4)
    four = Customers(risk, accept, np.array([200.0, 100.0, 600.0, 100.0]))
    # Laid out: 0.1 (100), 0.2 (100), 0.304 (600), 0.31 (200). Marks of two: 250 and 750.
    np.testing.assert_array_equal(by_risk_and_acceptance(four), [1, 3, 2, 0])
    np.testing.assert_array_equal(systematic_sample(four, 2).risk, [0.304, 0.304])
    np.testing.assert_array_equal(systematic_sample(four, 2).value, [250.0, 250.0])
    # Of three: 167, 500 and 833.
    np.testing.assert_array_equal(systematic_sample(four, 3).risk, [0.2, 0.304, 0.31])
    close = Customers(risk, np.array(accept)[[2, 1, 0, 3]], four.value)  # 0.304 and 0.31: one step
    np.testing.assert_array_equal(by_risk_and_acceptance(close), [1, 3, 2, 0])


def test_episodes_begin_with_every_history_that_there_can_be() -> None:
    """Why: the exact figures and the simulation are means over these. A clean sheet, or (a share of
    0.3) each number of contacts up to the cap, each use of the allowance and each day alike; also
    an allowance that is used without a contact, since a caller may say so, and a policy that never
    met it would guess."""
    params = EnvironmentParams(cooldown_days=2, contact_cap=2, history_share=0.3)
    rows, weights = start_histories(params)
    assert weights.sum() == pytest.approx(1)
    assert rows[0].tolist() == [0, 0, 2]
    assert weights[0] == pytest.approx(0.7)
    units = 5  # 0 to 4 of 5 %, of an allowance of 20 %
    every = {(n, s, d) for n in range(3) for s in range(units) for d in range(3)}
    assert len(rows) == 1 + len(every)
    assert set(map(tuple, rows[1:].tolist())) == every
    np.testing.assert_allclose(weights[1:], 0.3 / len(every))


def test_a_fresh_start_is_a_clean_sheet(customers: Customers) -> None:
    """Why: a period of all customers is counted from there."""
    params = EnvironmentParams()
    seen = observe(fresh_start(customers, params), params)
    np.testing.assert_allclose(seen[:, RISK], customers.risk)
    np.testing.assert_allclose(seen[:, ACCEPT], customers.accept)
    np.testing.assert_array_equal(seen[:, BUDGET:], [[1, params.cooldown_days, 0, 0]] * 24)
