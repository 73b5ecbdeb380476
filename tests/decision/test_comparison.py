"""Intervals, prices and stress: what the report's figures rest on."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from churn_assets.decision.config import EnvironmentParams, PpoConfig
from churn_assets.decision.evaluation.diagnostics import (
    SEEN_SHIFTS,
    seen_shifts,
)
from churn_assets.decision.exact import policy_value
from churn_assets.decision.exact.calibration import CLOSE, within_limit
from churn_assets.decision.exact.comparison import (
    BLOCK_BYTES,
    Bootstrap,
    captured_uplift,
    systematic_mean,
)
from churn_assets.decision.exact.pareto import (
    ParetoCurve,
    curve_around,
    pareto_curve,
    solve_budget,
)
from churn_assets.decision.exact.policy_value import METRICS, Evaluation, evaluate, summarise
from churn_assets.decision.learning.calibration import calibrate_policy, told
from churn_assets.decision.learning.contexts import CONTEXT, feature_spec
from churn_assets.decision.learning.network import PolicyNetwork
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import COLUMNS
from churn_assets.decision.rules.families import PricedGreedy, SegmentTable
from churn_assets.decision.rules.tuning import retuned


@pytest.fixture(scope="module")
def curve(customers: Customers, params: EnvironmentParams) -> ParetoCurve:
    return pareto_curve(customers, params, curve_around(1.0))


@pytest.fixture(scope="module")
def generous(customers: Customers, params: EnvironmentParams) -> NetworkPolicy:
    """A network that would contact everybody and likes high offers best, less so the dearer money
    is."""
    torch.manual_seed(3)
    spec = feature_spec(customers, params, PpoConfig())
    network = PolicyNetwork(16, spec.inputs)
    with torch.no_grad():
        network.offer.weight.mul_(100)
        network.offer.bias.copy_(2.0 * torch.arange(4))
        network.contact.bias.copy_(torch.tensor([0.0, 5.0]))
        first, second = (network.get_submodule(f"trunk.{place}") for place in (0, 2))
        assert isinstance(first, torch.nn.Linear)
        assert isinstance(second, torch.nn.Linear)
        first.weight[0], second.weight[0] = 0.0, 0.0
        first.weight[0, len(COLUMNS) + CONTEXT.index("price")] = 1.0  # a unit passes the price on
        first.bias[0], second.weight[0, 0] = 2.0, 1.0
        network.offer.weight[:, 0] = -4.0 * torch.arange(4)
        network.offer.bias.add_(4.0 * torch.arange(4))
    return network.deployed(spec)


def test_a_resample_is_an_evaluation_of_the_resampled_customers(
    customers: Customers, params: EnvironmentParams, curve: ParetoCurve
) -> None:
    """Why: the interval is of the figure only if every resample is the same figure."""
    found = evaluate(PricedGreedy(params=params, price=1.0), customers, params)
    bootstrap = Bootstrap(curve, samples=200, seed=0)
    captured, spend = bootstrap.captured(found), bootstrap.spend(found)
    for index in (0, 99):
        weight = bootstrap.weights()[index]
        again = replace(curve, weight=weight)
        assert captured[index] == pytest.approx(
            captured_uplift(again, replace(found, weight=weight))
        )
        assert spend[index] == pytest.approx(float(found.spend @ weight))
    assert captured.min() < captured_uplift(curve, found) < captured.max()
    np.testing.assert_array_equal(captured, Bootstrap(curve, 200, seed=0).captured(found))


def test_resamples_draw_customers_alike_and_weigh_them_by_value() -> None:
    """Why: a customer of twice the value counts twice as much in a resample, and is drawn into it
    no more often."""
    weight, spend = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 0.1, 0.2, 0.3])
    flat = ParetoCurve(np.zeros(1), np.ones((1, 4)), np.zeros((1, 4)), np.zeros(4), weight)
    bootstrap = Bootstrap(flat, samples=4000, seed=1)
    np.testing.assert_allclose(bootstrap.weights().sum(axis=1), 1)
    times = bootstrap.weights() / weight
    times /= times.sum(axis=1, keepdims=True) / 4  # how often each customer was drawn: 4 in all
    np.testing.assert_allclose(times, np.round(times), atol=1e-9)
    np.testing.assert_allclose(times.mean(axis=0), 1, atol=4 * np.sqrt(0.75 / 4000))
    figures = np.zeros((4, len(METRICS)))
    figures[:, METRICS.index("spend")] = spend
    found = Evaluation.of(figures, weight)
    assert bootstrap.spend(found) == pytest.approx(bootstrap.weights() @ spend)


def test_resamples_take_a_byte_a_customer_and_are_those_of_one_draw() -> None:
    """Why: 1,000 resamples of 10,000 customers took 242 MB, and 100,000 customers 2.4 GB."""
    count, samples = 4_000, 500
    rng = np.random.default_rng(3)
    weight, worth = rng.dirichlet(np.ones(count)), rng.random((1, count))
    curve = ParetoCurve(np.zeros(1), worth, np.zeros((1, count)), np.zeros(count), weight)
    figures = np.zeros((count, len(METRICS)))
    figures[:, METRICS.index("spend")] = rng.random(count)
    found = Evaluation.of(figures, weight)
    tracemalloc.start()
    bootstrap = Bootstrap(curve, samples, seed=7)
    spend = bootstrap.spend(found)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < samples * count + 4 * BLOCK_BYTES
    assert samples * count * 8 > 1.5 * BLOCK_BYTES  # several blocks
    whole = np.random.default_rng(7)
    times = whole.multinomial(count, np.full(count, 1 / count), size=samples)
    weights = times * weight / (times * weight).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(bootstrap.weights(), weights)
    np.testing.assert_allclose(spend, weights @ found.spend, rtol=1e-13)
    assert bootstrap.rng.integers(10**9) == whole.integers(10**9)


def test_where_nothing_can_be_gained_whoever_loses_nothing_captures_all() -> None:
    """Why: of a company whose customers hardly leave, many a resample holds nobody who is worth a
    contact; 0 / 0 there was in no report, and no release came of it."""
    worth = np.array([0.0, 0.0, 0.0, 0.5])  # by the optimum, of four customers
    curve = ParetoCurve(np.zeros(1), worth[None], np.zeros((1, 4)), np.zeros(4), np.full(4, 0.25))
    bootstrap = Bootstrap(curve, samples=500, seed=0)
    nothing = bootstrap.weights()[:, 3] == 0
    assert 0 < nothing.sum() < 500
    for lost, there in ((0.0, 1.0), (0.1, 0.0)):
        figures = np.zeros((4, len(METRICS)))
        figures[:, METRICS.index("uplift")] = worth / 2 - lost * (worth == 0)
        found = Evaluation.of(figures, curve.weight)
        captured = bootstrap.captured(found)
        np.testing.assert_array_equal(captured[nothing], there)
        again = [
            captured_uplift(replace(curve, weight=w), replace(found, weight=w))
            for w in bootstrap.weights()
        ]
        np.testing.assert_allclose(captured, again)


def test_the_bound_is_the_least_of_the_prices_lines() -> None:
    """Why: weak duality by hand. At price 0 the optimum gains 0.30 and spends 0.10; at price 2 it
    gains 0.20 and spends 0.02. Lines: 0.30, and 0.20 - 0.04 + 2 x spend."""
    weight, ones = np.array([0.25, 0.75]), np.ones(2)
    uplift, spend = np.array([0.30, 0.20]), np.array([0.10, 0.02])
    two = ParetoCurve(
        np.array([0.0, 2.0]), uplift[:, None] * ones, spend[:, None] * ones, -0.04 * ones, weight
    )
    assert two.bound(0.02) == pytest.approx(0.20)
    assert two.bound(0.05) == pytest.approx(0.26)
    assert two.bound(0.10) == pytest.approx(0.30)
    assert two.captured(0.14, 0.02) == pytest.approx(0.75)  # (0.14 + 0.04) / (0.20 + 0.04)
    assert two.captured(-0.04, 0.0) == 0


def test_a_curve_is_dense_around_the_price() -> None:
    """Why: it is read at the policy's own spend; a price near 0 still needs a curve."""
    prices = curve_around(2.0)
    assert prices[0] == 0
    assert (np.diff(prices) > 0).all()
    assert 2.0 in prices
    assert ((prices > 1.6) & (prices < 2.4)).sum() >= 5
    np.testing.assert_allclose(curve_around(0.001), curve_around(0.1))


def test_a_budgets_price_is_where_spend_meets_the_limit(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a little cheaper and the optimum overspends; and what is reported is of that price."""
    solution = solve_budget(customers, params, tolerance=1e-3)
    one = pareto_curve(customers, params, np.array([solution.price, 0.998 * solution.price, 0.0]))
    uplift, spend = one.uplift @ one.weight, one.spend @ one.weight
    assert spend[0] <= params.budget_limit < spend[1]
    assert (solution.uplift, solution.spend) == pytest.approx((uplift[0], spend[0]))
    assert solution.bound >= solution.uplift
    assert solution.bound == pytest.approx(one.bound(params.budget_limit), rel=1e-3)
    never = float(one.never @ one.weight)
    gap = (solution.bound - solution.uplift) / (solution.bound - never)
    assert solution.gap == pytest.approx(gap)


def test_customers_are_evaluated_in_parts_and_in_order(
    customers: Customers, params: EnvironmentParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: memory is bounded by doing some at a time; nobody may be lost or moved."""
    rule = PricedGreedy(params=params, price=1.0)
    whole = evaluate(rule, customers, params)
    monkeypatch.setattr(policy_value, "CHUNK", 7)
    parts = evaluate(rule, customers, params)
    for metric in METRICS:
        np.testing.assert_allclose(getattr(parts, metric), getattr(whole, metric), atol=1e-15)
    money, counts = ("uplift", "spend", "retention"), ("contacts", "over_cap", "decisions")
    means = summarise(whole)
    assert means.keys() == set(money) | set(counts)
    for metric in money:
        assert means[metric] == pytest.approx(getattr(whole, metric) @ customers.weight)
    for metric in counts:
        assert means[metric] == pytest.approx(getattr(whole, metric).mean())


def test_a_systematic_mean_by_hand() -> None:
    """Why: the error is from the neighbours' differences alone: sqrt(sum of squares / 2)."""
    found = systematic_mean(np.array([1.0, 3.0, 2.0, 6.0]), np.full(4, 0.25))
    error = 0.25 * np.sqrt((2**2 + 1**2 + 4**2) / 2)
    assert found.value == pytest.approx(3.0)
    assert found.error == pytest.approx(error)
    assert (found.lower, found.upper) == pytest.approx((3 - 1.96 * error, 3 + 1.96 * error), 1e-4)


def test_seeds_widen_the_interval_and_equal_ones_do_not(
    customers: Customers, params: EnvironmentParams, curve: ParetoCurve
) -> None:
    """Why: three seeds are a sample too; one that is as good as another adds no doubt."""
    rules = (PricedGreedy(params=params, price=price) for price in (1.0, 9.0))
    good, poor = (evaluate(rule, customers, params) for rule in rules)
    alike = Bootstrap(curve, 400, seed=0)
    np.testing.assert_allclose(alike.over_seeds([good] * 3), alike.captured(good))
    mixed = Bootstrap(curve, 400, seed=0)
    means = mixed.over_seeds([good, poor])
    middle = (mixed.captured(good) + mixed.captured(poor)) / 2
    assert means.mean() == pytest.approx(middle.mean(), abs=0.03)
    assert means.std() > middle.std()


def test_a_systematic_samples_interval_covers() -> None:
    """Why: an interval must hold its promise, and a plain draw's would be too wide here."""
    rng = np.random.default_rng(0)
    population = np.sort(rng.gamma(2.0, size=4000)) + rng.normal(0, 0.2, 4000)
    hits, widths = 0, []
    for start in range(20):
        sample = population[start::20]
        found = systematic_mean(sample, np.full(len(sample), 1 / len(sample)))
        hits += found.lower <= population.mean() <= found.upper
        widths.append(found.upper - found.lower)
    assert hits >= 17
    assert np.mean(widths) < 2 * 1.96 * population.std() / np.sqrt(200) / 2


def test_a_network_is_priced_to_the_limit(
    customers: Customers, params: EnvironmentParams, generous: NetworkPolicy
) -> None:
    """Why: the price that it is told is all that makes the deployed policy meet a budget, whichever
    it is, over a period that begins with clean sheets."""
    for share in (1.0, 0.5):
        world = params.model_copy(update={"budget_limit": share * params.budget_limit})
        before = evaluate(told(generous, 0.0, world), customers, world.clean).mean("spend")
        priced = calibrate_policy(generous, customers, world)
        after = evaluate(priced, customers, world.clean).mean("spend")
        assert before > world.budget_limit
        assert priced.spec.price > 0
        assert priced.spec.params == world
        assert 0.7 * world.budget_limit < after <= world.budget_limit
    spends = [
        evaluate(told(generous, price, params), customers, params.clean).mean("spend")
        for price in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert spends == sorted(spends, reverse=True)


@pytest.mark.parametrize("limit", [0.9, 0.4, 0.03, 1e-4])
def test_the_search_for_a_price_ends_within_the_limit(limit: float) -> None:
    """Why: it must keep the limit, use it up, and ask for few evaluations: each is seconds."""
    asked: list[float] = []

    def ratio(price: float) -> float:
        asked.append(price)
        return float(np.exp(-(price**0.7))) / limit

    found = ratio(within_limit(ratio, 64.0))
    assert 1 - CLOSE <= found <= 1
    assert len(asked) <= 12
    assert within_limit(lambda price: 0.5, 64.0) == 0
    assert within_limit(lambda price: 2.0, 64.0) == 64
    jump = within_limit(lambda price: 2.0 if price < 3 else 0.5, 64.0)
    assert 3 <= jump < 3.1


def test_stress_sets_the_price_anew_for_either(
    customers: Customers, params: EnvironmentParams, generous: NetworkPolicy
) -> None:
    """Why: a fixed policy overspends half a budget; re-tuned on the stressed customers, neither
    does, and comparing only PPO re-tuned would be unfair to the rule."""
    rule = PricedGreedy(params=params, price=0.1)
    table = seen_shifts(calibrate_policy(generous, customers, params), rule, customers, customers)
    assert table.keys() == SEEN_SHIFTS.keys()
    halved = table["budget -50 %"]
    assert halved["best rule, fixed"]["spend_ratio"] > 1
    assert halved["best rule, price re-tuned"]["spend_ratio"] <= 1
    assert halved["PPO, price re-tuned"]["spend_ratio"] <= 1
    assert halved["PPO, fixed"]["spend_ratio"] > halved["PPO, price re-tuned"]["spend_ratio"]


def test_a_learnt_table_has_no_price_to_set_anew(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: its price is worked in; pretending to re-tune it would show the same figures twice."""
    table = SegmentTable(params=params, risk_edges=(), accept_edges=(), table=((0, 1, 0, 0),))
    assert retuned(table, customers, params) is None
    rule = PricedGreedy(params=params, price=50.0, delay_after_contact=1)
    anew = retuned(rule, customers, params)
    assert isinstance(anew, PricedGreedy)
    assert anew.price < 50
    assert anew.delay_after_contact == 1
