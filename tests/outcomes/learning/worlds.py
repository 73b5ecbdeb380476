"""Simulated companies as `campaign_outcomes` would have them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.outcomes import simulated_customers
from churn_assets.decision.mdp.observation import ACCEPT, RISK
from churn_assets.domain.statistics import logit, sigmoid
from churn_assets.outcomes import simulation
from churn_assets.outcomes.simulation import Customers, Scenario
from churn_assets.predictors.scoring.corrected import Correction, about, corrected

BASE = "SEMI-SYNTHETIC: preset 'illustrative'"


def outcomes(
    seed: int,
    count: int,
    scenario: Scenario = "assumed",
    *,
    control: float = 0.3,
    offsets: tuple[float, ...] = (0.0,) * 4,
    slopes: tuple[float, ...] = (0.0,) * 3,
    bend: float = 0.0,
    seen_by: Correction | None = None,
    release: str = "r1",
) -> pd.DataFrame:
    """Decisions of a greedy policy about customers who react as a scenario says; their acceptance
    is off by `offsets` and `slopes` (log-odds) from what the accept model says, and by `bend` for
    risky customers with large bills; the policy saw that as corrected by `seen_by`."""
    rng = np.random.default_rng(seed)
    seen = simulated_customers.draw_customers(rng, count)
    truth, known = off_by(offsets, slopes), about(seen.states[:, RISK], seen.values / 12)
    true = seen.states.copy()
    true[:, ACCEPT] = corrected(seen.states[:, ACCEPT], truth, known)
    bent = (seen.states[:, RISK] > 0.4) & (seen.values > 12 * 70)
    true[:, ACCEPT] = sigmoid(logit(true[:, ACCEPT]) + bend * bent[:, None])
    if seen_by is not None:
        seen.states[:, ACCEPT] = corrected(seen.states[:, ACCEPT], seen_by, known)
    group = np.where(rng.random(count) < control, "control", "treated")
    wanted = simulated_customers.greedy(seen)
    tried = rng.random(count) < 0.5  # exploration, so that every offer has its contacts
    wanted = np.where(tried & (wanted > 0), rng.integers(1, 5, count), wanted)
    options = np.where(group == "control", 0, wanted)
    reactions = simulation.react(rng, Customers(true, seen.values), options, scenario)
    began = pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(np.arange(count), unit="s")
    spend = np.array([0.0, *simulation.PARAMS.discounts])[options] * reactions.accepted
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "time": began,
            "known_at": began + pd.Timedelta(days=30),
            "known": True,
            "source": "api",
            "release_id": release,
            "baseline": False,
            "group": group,
            "period": "start",
            "control_share": control,
            "propensity": 1.0,
            "preferred": wanted.astype(float),
            "contact": options > 0,
            "offer_level": np.maximum(options - 1, 0).astype("int8"),
            "observation": list(seen.states),
            "churn_risk": seen.states[:, RISK],
            "customer_value": seen.values,
            "sent_at": pd.Series(pd.NaT, range(count), dtype="datetime64[us, UTC]"),
            "delivered_at": pd.Series(pd.NaT, range(count), dtype="datetime64[us, UTC]"),
            "accepted": reactions.accepted,
            "accepted_at": pd.Series(began).where(reactions.accepted),
            "refused": False,
            "refused_at": pd.Series(pd.NaT, range(count), dtype="datetime64[us, UTC]"),
            "churned": reactions.churned,
            "spend": spend * seen.values,
        }
    )


def off_by(offsets: tuple[float, ...], slopes: tuple[float, ...]) -> Correction:
    """Slopes of one log-odds, of the risk's around -1 and of a bill around 65."""
    centres, scales = np.array([-0.4, -1.0, np.log(65)]), np.array([1.0, 1.2, 0.4])
    return Correction(np.array(offsets), np.array(slopes), centres, scales)


def models(
    *offsets: list[float], base: str = BASE, **slopes: list[dict[str, object]]
) -> dict[str, dict[str, object]]:
    """What each release's accept model was: r1, r2, ..."""
    return {
        f"r{i}": {"responses": base, "offsets": list(each), "slopes": slopes.get(f"r{i}", [])}
        for i, each in enumerate(offsets, 1)
    }
