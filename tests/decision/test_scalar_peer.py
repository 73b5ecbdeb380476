"""The benchmark's scalar environment is the same world: a peer in another one says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from benchmarks.bench.scalar import ScalarRetention
from churn_assets.decision.config import PRESETS
from churn_assets.decision.mdp.environment import ACTION_SIZES, VectorRetention, uniforms
from tests.decision.conftest import synthetic_customers


def test_it_steps_as_the_vectorised_one() -> None:
    """Why: a flattering peer would be one that does less, or something else."""
    customers, params = synthetic_customers(50, seed=1), PRESETS["moderate"]

    def luck() -> Iterator[Sequence[float]]:
        counter = np.zeros(1, np.uint64)
        while True:
            yield uniforms(np.array([7], np.uint64), counter, 5)[0].tolist()
            counter += np.uint64(1)

    numbers = luck()
    ours = VectorRetention(customers, params, 1, seed=7)
    peer = ScalarRetention(customers, params, lambda: next(numbers))
    seen, _ = peer.reset()
    ended = 0
    for action in np.random.default_rng(0).integers(ACTION_SIZES, size=(2_000, 3)):
        np.testing.assert_allclose(seen, ours.observation[0], rtol=1e-9)
        step = ours.advance(action[None])
        seen, reward, terminated, _, _ = peer.step(action)
        np.testing.assert_allclose(seen, step.final_observation[0], rtol=1e-9)
        assert reward == pytest.approx(float(step.reward[0]), rel=1e-9, abs=1e-9)
        assert terminated == bool(step.terminated[0])
        if terminated:
            ended += 1
            seen, _ = peer.reset()
    assert ended > 100


def test_a_world_that_it_leaves_out_is_refused() -> None:
    """Why: it would step through another one without a word."""
    params = PRESETS["moderate"].model_copy(update={"effect_share": 0.5})
    with pytest.raises(ValueError, match="acceptances may fail"):
        ScalarRetention(synthetic_customers(5, seed=1), params)
