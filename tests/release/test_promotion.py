"""Champion and challenger: never promote a worse one, and never refuse for noise."""

from __future__ import annotations

from typing import Any

import pytest

from churn_assets.release.bundle import Manifest
from churn_assets.release.promotion import RULES, compare
from tests.release.small_release import DATA, build_release

REPORT: dict[str, Any] = {
    "risk": {"auc_oof": 0.85, "ece_oof": 0.013},
    "accept": {"auc": 0.75, "ece": 0.01},
    "policy": {"served_uplift": 0.96},
    "messages": {"served_pass_rate": 0.9, "rm_accuracy": 0.93},
}
SYNTHETIC = {"telco_customers": {**DATA["telco_customers"], "source": "synthetic"}}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    manifest = build_release(tmp_path_factory.mktemp("champion"))
    return manifest.model_copy(update={"report": REPORT})


def changed(path: str, value: float | None) -> dict[str, Any]:
    area, figure = path.split(".")
    report = {name: dict(figures) for name, figures in REPORT.items()}
    if value is None:
        del report[area][figure]
    else:
        report[area][figure] = value
    return report


def test_first_release_is_promoted() -> None:
    """Without a champion there is nothing to be worse than."""
    assert compare(None, REPORT, DATA).promoted


def test_equal_release_is_promoted(champion: Manifest) -> None:
    """A re-run on the same data must not be refused."""
    comparison = compare(champion, REPORT, DATA)
    assert comparison.promoted
    assert [row["figure"] for row in comparison.figures] == [rule.path for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_tolerance_is_the_line(champion: Manifest, rule: Any) -> None:
    """Just within the noise passes, just beyond it is refused and named: for every figure."""
    area, figure = rule.path.split(".")
    sign = -1 if rule.higher_is_better else 1
    old = REPORT[area][figure]
    within = compare(champion, changed(rule.path, old + sign * rule.tolerance * 0.99), DATA)
    worse = old + sign * (rule.tolerance * 1.01 + 1e-9)  # a tolerance of 0 has a line too
    beyond = compare(champion, changed(rule.path, worse), DATA)
    better = compare(champion, changed(rule.path, old - sign * 0.05), DATA)
    assert within.promoted
    assert better.promoted
    assert not beyond.promoted
    assert rule.path in beyond.reason


def test_lost_figure_refuses(champion: Manifest) -> None:
    """What is no longer measured can't be shown to be no worse."""
    assert not compare(champion, changed("policy.served_uplift", None), DATA).promoted


def test_real_data_beats_synthetic_and_never_the_other_way(champion: Manifest) -> None:
    """Figures on different populations can't be compared; reality wins."""
    assert not compare(champion, REPORT, SYNTHETIC).promoted
    on_synthetic = champion.model_copy(update={"data": SYNTHETIC})
    poor = changed("risk.auc_oof", 0.70)
    assert compare(on_synthetic, poor, DATA).promoted
