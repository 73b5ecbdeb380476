"""The pictures show the figures: what is drawn, read back from the axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.statistics import wilson_interval
from churn_assets.predictors.training import plots
from churn_assets.predictors.training.metrics import ece


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Name of the file -> the figure that was saved under it."""
    kept: dict[str, Figure] = {}
    save = plots._save

    def keep(figure: Figure, folder: Path, name: str) -> None:
        save(figure, folder, name)
        kept[name] = figure

    monkeypatch.setattr(plots, "_save", keep)
    return kept


def test_calibration_is_observed_against_predicted(
    drawn: dict[str, Figure], tmp_path: Path
) -> None:
    """With the interval that the rows leave, and how many rows there are below."""
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1.0])
    told = np.array([0.15, 0.15, 0.15, 0.15, 0.85, 0.85, 0.85, 0.85])
    plots.plot_calibration(tmp_path, "title", {"rows": (labels, told)})
    top, bottom = drawn["calibration"].axes
    [bars] = top.containers
    line, _, [reach] = bars.lines
    np.testing.assert_allclose(line.get_data(), [[0.15, 0.85], [0.25, 0.75]])
    low, high = wilson_interval(np.array([0.25, 0.75]), np.array([4.0, 4.0]))
    ends = np.array([segment[:, 1] for segment in reach.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([low, high]))
    assert top.get_legend().get_texts()[0].get_text() == f"rows (ECE {ece(labels, told):.3f})"
    counts = bottom.patches[0].get_xy()[:, 1]
    assert sorted(set(counts)) == [0, 4]
    np.testing.assert_array_equal(top.lines[0].get_data(), [[0, 1], [0, 1]])


def test_importance_is_the_mean_size_of_the_contributions(
    drawn: dict[str, Figure], tmp_path: Path
) -> None:
    """The largest on top, whatever its sign."""
    contributions = np.array([[0.1, -3.0, 1.0], [-0.3, -1.0, 0.0]])
    plots.plot_importance(tmp_path, ["a", "b", "c"], contributions)
    [axes] = drawn["importance"].axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "c", "b"]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [0.2, 0.5, 2.0])


def test_offer_curves_are_the_presets_side_by_side(
    drawn: dict[str, Figure], tmp_path: Path
) -> None:
    """Customers' spread in two bands, each preset's mean; on the right what contacts answered."""
    customers = np.random.default_rng(0).random((200, 4))
    observed = np.array([0.1, 0.2, 0.3, 0.4])
    bounds = np.column_stack([observed - 0.05, observed + 0.02])

    def shown(shift: float) -> dict[str, Any]:
        return {
            "customer_curve": list(observed + shift),
            "offer_curve": {
                "observed": list(observed),
                "observed_interval": bounds.tolist(),
                "predicted": list(observed + 2 * shift),
            },
        }

    plots.plot_offer_curves(tmp_path, customers, {"one": shown(0.01), "other": shown(0.03)})
    left, right = drawn["offer_curves"].axes
    for line, shift in zip(left.lines, (0.01, 0.03), strict=True):
        np.testing.assert_allclose(line.get_data(), [OFFER_PERCENTAGES, observed + shift])
    for band, quantiles in zip(left.collections, ([5, 95], [25, 75]), strict=True):
        edges = band.get_paths()[0].vertices[:, 1]
        low, high = np.percentile(customers, quantiles, axis=0)
        np.testing.assert_allclose((edges.min(), edges.max()), (low.min(), high.max()))
    curves = [line for line in right.lines if str(line.get_label()).startswith("predicted")]
    for bars, predicted, shift in zip(right.containers, curves, (0.01, 0.03), strict=True):
        np.testing.assert_allclose(predicted.get_ydata(), observed + 2 * shift)
        line, _, [reach] = bars.lines
        np.testing.assert_allclose(line.get_ydata(), observed)
        ends = np.array([segment[:, 1] for segment in reach.get_segments()])
        np.testing.assert_allclose(ends, bounds)
    for axes in (left, right):
        assert tuple(axes.get_xticks()) == OFFER_PERCENTAGES
