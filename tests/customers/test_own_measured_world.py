"""A company whose outcomes say that contacting harms: what its environment is, and reports."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from churn_assets.decision.config import DecisionConfig, WorldSettings
from churn_assets.decision.mdp.worlds import served_world
from churn_assets.decision.world import run_environment
from churn_assets.domain.measured import Figure, Measured
from churn_assets.stages.registry import STAGES
from churn_assets.stages.spec import narrowed
from tests.customers.own_company import make_company

EFFECTS = {"acceptance_effect": (2.5, 0.0), "annoyance_effect": (0.05, 1.5)}
"""Assumed and measured."""


def test_the_environment_is_one_in_which_a_contact_pays(tmp_path: Path) -> None:
    """Whatever outcomes say; and what is reported is what is trained with."""
    company = make_company(tmp_path, rows=500)
    figures = {
        name: Figure(assumed=assumed, used=used, lower=used, upper=used + 1, share_measured=0.9)
        for name, (assumed, used) in EFFECTS.items()
    }
    inputs = {
        "active_customers": company.root / "active",
        "risk_model": company.root / "risk",
        "accept_model": company.root / "accept",
        "measured_world": tmp_path / "measured",
    }
    out = tmp_path / "environment"
    for folder in (inputs["measured_world"], out):
        folder.mkdir()
    Measured(outcomes=900).model_copy(update=figures).save(inputs["measured_world"])
    settings = cast(
        "WorldSettings",
        narrowed(STAGES["retention_environment"].settings_type(), DecisionConfig()),
    )
    report = run_environment(inputs, out, settings)
    world = served_world(out, settings.environment)
    assert report["paying"]["as_measured"] == 0
    assert report["paying"]["in_training"] >= 0.05
    assert report["params"] == world.model_dump()
    said = f"the policy is trained with {world.acceptance_effect:.2f}"
    assert any(sentence.endswith(said) for sentence in report["measured"])
