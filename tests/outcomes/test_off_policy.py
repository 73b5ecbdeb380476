"""Off-policy estimates against closed forms, and against the truth of a simulated world."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.outcomes import simulated_customers
from churn_assets.domain.statistics import Floats
from churn_assets.outcomes import off_policy, simulation
from churn_assets.outcomes.off_policy import (
    ESTIMATORS,
    Log,
    UnsupportedTargetError,
    evaluate,
    fitted_rewards,
)

LOG = Log(
    actions=np.array([0, 1, 1, 0] * 50),
    rewards=np.array([1.0, 0.0, 1.0, 2.0] * 50),
    propensities=np.array([[0.5, 0.5], [0.8, 0.2], [0.5, 0.5], [0.25, 0.75]] * 50),
)
TARGET = np.tile([0.4, 0.6], (200, 1))
MODEL = np.tile([1.0, 0.5], (200, 1))


def test_closed_forms() -> None:
    """By hand: w = 0.8, 3, 1.2, 1.6; Σ π q = 0.7; residuals 0, −0.5, 0.5, 1."""
    found = evaluate("by hand", LOG, TARGET, MODEL).estimates
    w, r = np.array([0.8, 3.0, 1.2, 1.6]), np.array([1.0, 0.0, 1.0, 2.0])
    assert found["dm"].value == pytest.approx(0.7)
    assert found["ips"].value == pytest.approx((w * r).mean())
    assert found["snips"].value == pytest.approx((w * r).sum() / w.sum())
    terms = 0.7 + w * np.array([0.0, -0.5, 0.5, 1.0])
    assert found["dr"].value == pytest.approx(terms.mean())
    error = np.sqrt(((terms - terms.mean()) ** 2).mean() / 199)
    assert found["dr"].error == pytest.approx(error)
    assert found["dr"].upper == pytest.approx(found["dr"].value + 1.96 * error)
    assert evaluate("by hand", LOG, TARGET, MODEL).effective == pytest.approx(
        50 * w.sum() ** 2 / (w**2).sum()
    )


def test_changed_weights() -> None:
    """Su et al. 2020, and the switch; at their ends both are DR or DM."""
    w = np.array([0.0, 0.5, 2.0, 10.0])
    assert off_policy.switched(w, 2.0) == pytest.approx([0.0, 0.5, 2.0, 0.0])
    assert off_policy.shrunk(w, 4.0) == pytest.approx([0.0, 2 / 4.25, 1.0, 40 / 104])
    assert (off_policy.shrunk(w, np.inf) == w).all()
    assert (off_policy.shrunk(w, 0.0)[1:] == 0).all()


def test_the_truth_is_that_of_the_customers_who_are_drawn() -> None:
    """Summed over every kind of customer, for each option and for a policy that chooses."""
    drawn = simulated_customers.draw_customers(np.random.default_rng(0), 60_000)
    kinds = simulated_customers.every_kind(300)
    worth, truth = simulation.expected_net(drawn), simulation.expected_net(kinds).mean(0)
    assert (abs(worth.mean(0) - truth) < 3 * worth.std(0) / np.sqrt(len(drawn))).all()
    chosen = simulated_customers.greedy(drawn), simulated_customers.greedy(kinds)
    found = worth[np.arange(len(drawn)), chosen[0]]
    true = simulation.expected_net(kinds)[np.arange(len(kinds)), chosen[1]].mean()
    assert abs(found.mean() - true) < 3 * found.std() / np.sqrt(len(drawn))


def test_a_perfect_model_leaves_no_residual() -> None:
    """Then every doubly robust estimate is the direct one, whatever the weights."""
    model = np.tile([0.0, 0.0], (200, 1))
    model[np.arange(200), LOG.actions] = LOG.rewards
    found = evaluate("perfect", LOG, TARGET, model).estimates
    for name in ("dr", "switch_dr", "dr_shrunk"):
        assert found[name].value == pytest.approx(found["dm"].value)


def test_the_logging_policy_itself_is_worth_its_mean() -> None:
    """Weights are 1."""
    found = evaluate("logging", LOG, LOG.propensities, MODEL)
    assert found.effective == pytest.approx(200)
    assert found.estimates["ips"].value == pytest.approx(1.0)
    assert found.estimates["snips"].value == pytest.approx(1.0)


def test_what_was_never_tried_is_refused_by_name() -> None:
    """A log without a control group says nothing about leaving everybody alone."""
    log = Log(np.ones(500, int), np.ones(500), np.tile([0.0, 1.0], (500, 1)))
    never = np.tile([1.0, 0.0], (500, 1))
    with pytest.raises(UnsupportedTargetError, match=r"^never: 100.0% .* control group"):
        evaluate("never", log, never, np.ones((500, 2)))


def test_too_small_an_effective_sample_is_refused() -> None:
    """One decision in 200 was like the target's."""
    actions = (np.arange(2_000) % 200 == 0).astype(int)
    log = Log(actions, np.ones(2_000), np.tile([0.995, 0.005], (2_000, 1)))
    with pytest.raises(UnsupportedTargetError, match=r"rare: .* worth 10 of its own"):
        evaluate("rare", log, np.tile([0.0, 1.0], (2_000, 1)), np.ones((2_000, 2)))


def test_an_impossible_log_is_refused() -> None:
    """What was done had a probability."""
    with pytest.raises(ValueError, match="1 logged decisions have propensity 0"):
        Log(np.array([0, 1]), np.ones(2), np.array([[1.0, 0.0], [1.0, 0.0]]))


def simulated(seed: int, count: int) -> tuple[simulation.Customers, Log]:
    """Decisions of a policy that leaves 10 % alone and explores with 20 %."""
    rng = np.random.default_rng(seed)
    customers = simulated_customers.draw_customers(rng, count)
    chosen = simulated_customers.one_hot(simulated_customers.greedy(customers))
    propensities = 0.9 * (0.8 * chosen + 0.2 / simulation.OPTIONS)
    propensities[:, 0] += 0.1
    cumulated = propensities.cumsum(1)
    options = (rng.random((count, 1)) * cumulated[:, -1:] > cumulated).sum(1)
    reactions = simulation.react(rng, customers, options)
    return customers, Log(
        options, simulated_customers.net_gain(customers, options, reactions), propensities
    )


def target(customers: simulation.Customers, name: str) -> Floats:
    options = {
        "never": np.zeros(len(customers), int),
        "thrifty": simulated_customers.greedy(customers, price=3.0),
    }
    return simulated_customers.one_hot(options[name])


@pytest.mark.parametrize("name", ["never", "thrifty"])
def test_the_truth_is_covered(name: str) -> None:
    """100 repetitions: 95 % within four binomial errors, and DR is narrower than IPS."""
    population = simulated_customers.draw_customers(np.random.default_rng(99), 400_000)
    truth = (target(population, name) * simulation.expected_net(population)).sum(1).mean()
    hits = dict.fromkeys(ESTIMATORS[1:], 0)
    errors = dict.fromkeys(ESTIMATORS[1:], 0.0)
    for seed in range(100):
        customers, log = simulated(seed, 4_000)
        expected = fitted_rewards(log, simulated_customers.features(customers))
        found = evaluate(name, log, target(customers, name), expected).estimates
        for estimator in hits:
            estimate = found[estimator]
            hits[estimator] += estimate.lower <= truth <= estimate.upper
            errors[estimator] += estimate.error
    assert min(hits.values()) >= 95 - 4 * 2.2
    assert errors["dr"] < errors["ips"]


def test_the_simulated_world_does_what_it_says() -> None:
    """Means of simulated gains are the expected ones, in every scenario; without effect all options
    are worth the same."""
    rng = np.random.default_rng(0)
    customers = simulated_customers.draw_customers(rng, 300_000)
    options = rng.integers(0, simulation.OPTIONS, len(customers))
    for scenario in simulation.WORLDS:
        expected = simulation.expected_net(customers, scenario)
        gains = simulated_customers.net_gain(
            customers, options, simulation.react(rng, customers, options, scenario)
        )
        off = gains - expected[np.arange(len(customers)), options]
        assert abs(off.mean()) < 4 * off.std() / np.sqrt(len(off))
        best = expected.mean(0) - expected[:, 0].mean()
        if scenario == "none":
            assert best == pytest.approx(np.zeros(5), abs=1e-9)
        else:
            assert (best[1:] > 0).all() if scenario == "assumed" else (best[1:] < 0).all()
