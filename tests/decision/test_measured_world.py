"""The world of the served policy: assumed, measured, and one that leaves little to gain."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from churn_assets.decision import world
from churn_assets.decision.config import PLAIN, PRESETS, DecisionConfig
from churn_assets.decision.exact.pareto import ParetoCurve
from churn_assets.decision.mdp.worlds import (
    as_measured,
    served_world,
    worlds_of,
)
from churn_assets.decision.policy import load_params
from churn_assets.domain.measured import Figure, Measured

CONFIG = DecisionConfig(
    also_report=("harsh",), tuning_customers=6, calibration_customers=6, assumed=PLAIN
)


def measured(effect: float, annoyance: float) -> Measured:
    def figure(assumed: float, used: float) -> Figure:
        return Figure(assumed=assumed, used=used, lower=used, upper=used + 0.1, share_measured=0.9)

    return Measured(
        outcomes=5_000,
        acceptance_effect=figure(2.5, effect),
        annoyance_effect=figure(0.05, annoyance),
    )


@pytest.fixture
def environment(environment_folder: Path, tmp_path: Path) -> Path:
    """The environment's folder, as of a company that has measured."""
    folder = tmp_path / "environment"
    shutil.copytree(environment_folder, folder)
    measured(1.2, 0.2).save(folder)
    return folder


def test_what_is_measured_takes_the_place_of_what_is_assumed(environment: Path) -> None:
    """In the served world; presets that are only reported stay as they are."""
    found = worlds_of(environment, CONFIG)
    assert (found["moderate"].acceptance_effect, found["moderate"].annoyance_effect) == (1.2, 0.2)
    assert found["moderate"].cooldown_days == PRESETS["moderate"].cooldown_days
    assert found["harsh"].acceptance_effect == PRESETS["harsh"].acceptance_effect
    (environment / "measured.json").unlink()
    assert worlds_of(environment, CONFIG)["moderate"] == served_world(
        environment, PRESETS["moderate"]
    )
    assert served_world(environment, PRESETS["moderate"]).acceptance_effect == 2.5


def test_rules_are_made_for_the_measured_world(environment: Path, tmp_path: Path) -> None:
    """What serves carries the constants: `expected_value` in an answer follows from them."""
    out = tmp_path / "rules"
    out.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        few = PRESETS["moderate"].model_copy(update={"cooldown_days": 2, "contact_cap": 1})
        patch.setitem(PRESETS, "moderate", few)
        patch.setitem(PRESETS, "harsh", few)
        world.run_baselines({"retention_environment": environment}, out, CONFIG)
    assert load_params(out / "moderate/priced_greedy").acceptance_effect == 1.2
    assert load_params(out / "harsh/priced_greedy").acceptance_effect == 2.5


def test_where_nothing_can_be_captured_who_loses_nothing_has_it_all() -> None:
    curve = ParetoCurve(
        prices=np.zeros(1),
        uplift=np.zeros((1, 1)),
        spend=np.zeros((1, 1)),
        never=np.zeros(1),
        weight=np.ones(1),
    )
    assert curve.captured(0.0, 0.0) == 1.0
    assert curve.captured(-0.1, 0.0) == 0.0


def test_a_contact_without_a_discount_keeps_its_share_of_the_effect() -> None:
    """Outcomes tell how much acceptances do, not how much less those without a discount do."""
    assumed = PRESETS["moderate"].model_copy(update={"effect_without_discount": 1.0})
    found = as_measured(assumed, measured(1.5, 0.1))
    assert found.bare_effect == pytest.approx(0.6)
    assert as_measured(PRESETS["moderate"], measured(1.5, 0.1)).bare_effect == 1.5
