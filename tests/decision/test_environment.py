"""The environment is the specified model, Markov in the nine numbers; scalar equals vector."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import (
    check_action_space,
    check_env,
    check_observation_space,
    check_reset_options,
    check_reset_return_type,
    check_reset_seed_determinism,
)
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import daily_survival, reluctance, start_histories
from churn_assets.decision.mdp.environment import (
    ACTION_SIZES,
    Multipliers,
    VectorRetention,
    _mix,
    uniforms,
)
from churn_assets.decision.mdp.gym_env import RetentionEnv
from churn_assets.decision.mdp.transitions import State, branch, observe
from churn_assets.domain.statistics import logit, sigmoid

PARAMS = EnvironmentParams()


def state(risk: float, accept: list[float], contacts: int, spent: int, days: int) -> State:
    """One customer, from what a policy would see."""
    fall = reluctance(np.array(contacts), np.array(days), PARAMS)
    hidden = logit(np.array([accept])) + fall
    counts = (np.array([number]) for number in (contacts, spent, days))
    none = np.zeros(1, dtype=np.int64)
    return State(logit(np.array([risk])), hidden, *counts, none, none)


@given(st.floats(0.01, 0.95))
def test_hazard_reproduces_the_risk(risk: float) -> None:
    """Why: P(churn before the period ends) must be the risk model's number."""
    alive = daily_survival(np.array(risk), PARAMS)
    stay = alive / (1 - 1 / PARAMS.period_days)
    churns_on_a_day = 1 - stay
    assert churns_on_a_day / (1 - alive) == pytest.approx(risk)


@settings(max_examples=40)
@given(
    st.floats(0.05, 0.9),
    st.lists(st.floats(0.05, 0.9), min_size=4, max_size=4),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 7),
    st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 7)),
)
def test_what_follows_depends_on_the_observation_only(
    risk: float,
    accept: list[float],
    contacts: int,
    spent: int,
    days: int,
    action: tuple[int, int, int],
) -> None:
    """Why: Markov in the nine numbers. A state rebuilt from nothing but its observation, as if
    it had another history, has the same probabilities and the same next observations."""
    original = state(risk, accept, contacts, spent, days)
    seen = observe(original, PARAMS)[0]
    rebuilt = state(
        seen[0], seen[1:5].tolist(), int(seen[8]), round((1 - seen[5]) * 4), int(seen[6])
    )
    first, second = (branch(one, np.array([action]), PARAMS) for one in (original, rebuilt))
    for name in ("probability", "alive_accepted", "alive_refused", "discount", "fixed_cost"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=1e-9)
    for name in ("accepted", "refused"):
        np.testing.assert_allclose(
            observe(getattr(first, name), PARAMS),
            observe(getattr(second, name), PARAMS),
            atol=1e-9,
        )


def test_two_histories_with_one_observation_are_one_state() -> None:
    """Why: a customer of high risk who accepted, and one of lower risk who never had to, may look
    alike after equal contacts; then they must be alike."""
    shift = PARAMS.acceptance_effect
    lower = sigmoid(logit(np.array(0.6)) - shift)
    accepted = state(0.6, [0.1, 0.4, 0.6, 0.7], 0, 0, 7)
    after = branch(accepted, np.array([[1, 1, 7]]), PARAMS).accepted
    refused = state(
        float(sigmoid(logit(lower) - PARAMS.annoyance_effect)), [0.1, 0.4, 0.6, 0.7], 0, 1, 7
    )
    other = branch(refused, np.array([[1, 1, 7]]), PARAMS).refused
    np.testing.assert_allclose(observe(after, PARAMS), observe(other, PARAMS))
    action = np.array([[1, 2, 3]])
    np.testing.assert_allclose(
        branch(after, action, PARAMS).probability, branch(other, action, PARAMS).probability
    )


def test_acceptance_lowers_and_annoyance_raises_the_risk() -> None:
    """Why: contacts must be worth something, and restraint too."""
    before = state(0.4, [0.1, 0.4, 0.6, 0.7], 1, 0, 2)
    after = branch(before, np.array([[1, 2, 0]]), PARAMS)
    risks = [
        float(one.after_answers(PARAMS)[0][0]) for one in (after.accepted, before, after.refused)
    ]
    assert risks == sorted(set(risks))
    assert observe(after.refused, PARAMS)[0, 1] < observe(before, PARAMS)[0, 1]


def test_impossible_contacts_do_not_happen() -> None:
    """Why: a closed channel and an unaffordable offer are rules of the world, not penalties."""
    closed = state(0.4, [0.1, 0.4, 0.6, 0.7], PARAMS.contact_stop, 0, 7)
    broke = state(0.4, [0.1, 0.4, 0.6, 0.7], 1, 3, 7)
    for stuck, action in ((closed, [1, 0, 0]), (broke, [1, 3, 0])):
        after = branch(stuck, np.array([action]), PARAMS)
        assert after.probability == 0
        assert after.accepted.contacts == stuck.contacts


def test_vector_and_scalar_step_identically(customers: Customers) -> None:
    """Why: what is trained on and what gymnasium's users see must be one environment."""
    count, seed = 5, 11
    vector = VectorRetention(customers, PARAMS, count, seed)
    scalars = [RetentionEnv(customers, PARAMS) for _ in range(count)]
    for offset, scalar in enumerate(scalars):
        observation, _ = scalar.reset(seed=seed + offset)
        assert (observation == vector.observation[offset]).all()
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(0, ACTION_SIZES, size=(count, 3))
        step = vector.advance(actions)
        for index, scalar in enumerate(scalars):
            seen, reward, terminated, truncated, info = scalar.step(actions[index])
            assert (seen == step.final_observation[index]).all()
            assert reward == step.reward[index]
            assert terminated == step.terminated[index]
            assert not truncated
            assert info["retained"] == step.retained[index]
            if terminated:
                assert (scalar.reset()[0] == step.observation[index]).all()


def test_gymnasium_accepts_the_environment(customers: Customers) -> None:
    """Why: anybody's agent must be able to use it."""
    check_env(RetentionEnv(customers), skip_render_check=True)


def test_gymnasium_accepts_the_vector_environment(customers: Customers) -> None:
    """Why: gymnasium's checker knows single environments; what of it holds of several at once,
    here against its own `SyncVectorEnv` of the scalar one, episode after episode."""
    count = 6
    envs = VectorRetention(customers, PARAMS, count)
    assert isinstance(envs, gymnasium.vector.VectorEnv)
    check_action_space(envs.action_space)
    check_observation_space(envs.observation_space)
    check_reset_return_type(envs)
    check_reset_seed_determinism(envs)
    check_reset_options(envs)
    scalars = gymnasium.vector.SyncVectorEnv(
        [lambda: RetentionEnv(customers, PARAMS)] * count,
        autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP,
    )
    for name in ("num_envs", "single_observation_space", "single_action_space"):
        assert getattr(envs, name) == getattr(scalars, name)
    for name in ("observation_space", "action_space"):
        assert getattr(envs, name) == getattr(scalars, name)
    assert envs.metadata["autoreset_mode"] == scalars.metadata["autoreset_mode"]
    ours, theirs = envs.reset(seed=3), scalars.reset(seed=3)
    assert (ours[0] == theirs[0]).all()
    seen = [ours[0]]
    envs.action_space.seed(1)
    ended = 0
    for _ in range(60):
        actions = envs.action_space.sample()
        ours, theirs = envs.step(actions), scalars.step(actions)
        assert not any(np.shares_memory(ours[0], before) for before in seen)
        seen.append(ours[0])
        for mine, reference in zip(ours[:4], theirs[:4], strict=True):
            assert mine.dtype == reference.dtype
            assert (mine == reference).all()
        for row in np.flatnonzero(ours[2]):
            assert (ours[4]["final_obs"][row] == theirs[4]["final_obs"][row]).all()
            ended += 1
    assert ended > 20


def test_a_reset_without_a_seed_begins_other_episodes(customers: Customers) -> None:
    """Why: whoever resets after each experiment must not play the same luck again and again."""
    envs = VectorRetention(customers, PARAMS, 50, seed=1)
    first, begun = envs.observation, envs.customer.copy()
    again, infos = envs.reset()
    assert (envs.customer != begun).any()
    assert (infos["value"] == customers.value[envs.customer]).all()
    assert (envs.reset(seed=1)[0] == first).all()
    assert again.shape == (50, 9)


def test_gymnasiums_wrappers_take_the_vector_environment(customers: Customers) -> None:
    """Why: what a library's trainer puts around an environment must find what it looks for."""
    envs = RecordEpisodeStatistics(VectorRetention(customers, PARAMS, 8, seed=1))
    envs.reset(seed=2)
    returned = 0.0
    for _ in range(40):
        *_, infos = envs.step(np.zeros((8, 3), dtype=np.int64))
        returned += float(np.sum(infos.get("episode", {}).get("r", 0.0)))
    assert returned > 0


def test_luck_does_not_depend_on_the_neighbours(customers: Customers) -> None:
    """Why: common random numbers in comparisons; sharding without changing results."""
    few, many = (VectorRetention(customers, PARAMS, count, seed=3) for count in (4, 9))
    actions = np.tile([1, 2, 1], (9, 1))
    for _ in range(20):
        left, right = few.advance(actions[:4]), many.advance(actions)
        assert (left.observation == right.observation[:4]).all()


def test_playing_is_advancing_without_figures(customers: Customers) -> None:
    """Why: training plays the episodes that everybody else measures."""
    plain, figured = (VectorRetention(customers, PARAMS, 64, seed=5) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        actions = np.column_stack([rng.integers(0, size, 64) for size in (2, 4, 8)])
        ended, step = plain.play(actions), figured.advance(actions)
        assert (ended == step.terminated).all()
        assert (plain.observation == step.observation).all()
        assert (plain.value == figured.value).all()


def test_random_numbers_are_uniform() -> None:
    """Why: every probability of the simulation rests on the hash."""
    numbers = uniforms(np.arange(20_000, dtype=np.uint64), np.full(20_000, 3, np.uint64), 3)
    assert abs(numbers.mean(axis=0) - 0.5).max() < 4 / np.sqrt(12 * 20_000)
    correlation = np.corrcoef(numbers.T) - np.eye(3)
    assert abs(correlation).max() < 4 / np.sqrt(20_000)


def test_reward_is_the_specifications(customers: Customers) -> None:
    """Why: revenue - cost - multipliers x hinge violations, in currency, at every step."""
    weights = Multipliers(budget=0.7, fatigue=0.02)
    envs = VectorRetention(customers, PARAMS, 400, seed=2, multipliers=weights)
    excess = np.zeros(400)
    for _ in range(12):
        value, before = envs.value, envs.observation
        step = envs.advance(np.tile([1, 3, 0], (400, 1)))
        spent = PARAMS.budget_allowance * value * (1 - before[:, 5])
        limit = PARAMS.budget_limit * value
        grown = np.maximum(spent + step.spend - limit, 0) - np.maximum(spent - limit, 0)
        np.testing.assert_allclose(step.budget_violation, grown, atol=1e-9)
        over = step.contacted & (before[:, 8] >= PARAMS.contact_cap)
        assert (step.fatigue_violation == over).all()
        cost = value * (PARAMS.decision_cost + PARAMS.contact_cost * step.contacted)
        penalty = 0.7 * grown + 0.02 * value * over
        expected = value * step.retained - step.spend - cost - penalty
        np.testing.assert_allclose(step.reward, expected, atol=1e-9)
        excess += grown
    assert excess.max() > 0


@pytest.mark.parametrize(
    ("actions", "named"),
    [
        ([[2, 0, 0]], "contact"),
        ([[0, 4, 0]], "offer"),
        ([[0, 0, -1]], "delay"),
        ([[0, 0]], "actions"),
        ([[0.0, 0.0, 0.0]], "actions"),
    ],
)
def test_bad_actions_are_named(
    customers: Customers, actions: list[list[float]], named: str
) -> None:
    """Why: an index outside the action space must not wrap around."""
    with pytest.raises(ValueError, match=named):
        VectorRetention(customers, PARAMS, 1).advance(np.array(actions))


def test_the_scalar_environment_refuses_broken_actions(customers: Customers) -> None:
    """Why: 0.9 contacts must not silently become none."""
    env = RetentionEnv(customers, PARAMS)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions"):
        env.step(np.array([0.9, 1.0, 0.0]))


@pytest.mark.parametrize("name", ["budget", "fatigue"])
@pytest.mark.parametrize("weight", [np.nan, -0.1, np.inf])
def test_bad_multipliers_are_named(name: str, weight: float) -> None:
    """Why: a negative price would reward the violation."""
    with pytest.raises(ValueError, match=name):
        Multipliers(**{name: weight})


@pytest.mark.parametrize(
    ("count", "seed", "named"), [(0, 0, "count"), (2, -1, "seed"), (2, 2**64 - 2, "seed")]
)
def test_bad_sizes_and_seeds_are_named(
    customers: Customers, count: int, seed: int, named: str
) -> None:
    """Why: a negative seed would wrap around to another stream."""
    with pytest.raises(ValueError, match=named):
        VectorRetention(customers, PARAMS, count, seed)
    assert VectorRetention(customers, PARAMS, 1, seed=2**64 - 3).num_envs == 1


@pytest.mark.parametrize(("draw", "share"), [("value", 0.75), ("uniform", 0.5)])
def test_customers_are_drawn_by_value_or_alike(draw: str, share: float) -> None:
    """Why: rewards divided by value average to shares of all value only where whoever is worth
    more comes more often; and every history comes as often as the exact figures count it."""
    pair = Customers(np.array([0.2, 0.6]), np.full((2, 4), 0.5), np.array([300.0, 900.0]))
    count, short = 20_000, EnvironmentParams(cooldown_days=1, contact_cap=1)
    envs = VectorRetention(pair, short, count, seed=4, draw=draw)
    assert envs.customer.mean() == pytest.approx(share, abs=4 * np.sqrt(0.25 / count))
    np.testing.assert_allclose(envs.observation[:, 0], pair.risk[envs.customer])
    histories, weights = start_histories(short)
    here = envs.state
    for row in np.unique(histories, axis=0):
        expected = weights[(histories == row).all(axis=1)].sum()
        found = (here.contacts == row[0]) & (here.spent == row[1]) & (here.days == row[2])
        assert found.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / count))


def test_an_unknown_draw_is_named(customers: Customers) -> None:
    """Why: a mistyped one would train on other customers."""
    with pytest.raises(ValueError, match="draw: 'by value'"):
        VectorRetention(customers, PARAMS, 1, draw="by value")


def test_the_scalar_environment_says_what_it_shows(customers: Customers) -> None:
    """Why: whoever builds an agent reads the spaces; the extremes that occur are their bounds."""
    env = RetentionEnv(customers, PARAMS)
    highest = [1, 1, 1, 1, 1, 1, PARAMS.cooldown_days, 1, PARAMS.contact_stop]
    np.testing.assert_array_equal(env.observation_space.high, highest)
    np.testing.assert_array_equal(env.observation_space.low, np.zeros(9))
    _, info = env.reset(seed=5)
    assert info["value"] in customers.value
    assert (env.reset(seed=5)[0] == RetentionEnv(customers, PARAMS).reset(seed=5)[0]).all()


def test_the_random_numbers_are_splitmix64s() -> None:
    """Why: results are published by seed; another hash would be as good, and other figures. The
    first outputs of the reference implementation for seed 0 (Steele et al. 2014)."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    with np.errstate(over="ignore"):
        mixed = [int(_mix(np.array([golden * np.uint64(i)]))[0]) for i in (1, 2, 3)]
    assert mixed == expected
    drawn = uniforms(np.array([7], np.uint64), np.array([3], np.uint64), 2)
    np.testing.assert_array_equal(drawn, [[0.7998769191285842, 0.1765541593407597]])
