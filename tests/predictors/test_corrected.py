"""Measured offsets on top of an accept model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.domain.measured import SLOPES, Figure, Measured, Slope, Steps
from churn_assets.domain.statistics import logit
from churn_assets.predictors.scoring.corrected import (
    Correction,
    about,
    as_json,
    corrected,
    raised,
    take_over,
)
from churn_assets.predictors.scoring.scorers import AcceptScorer
from tests.predictors.conftest import Trained

ROWS: list[dict[str, Any]] = [
    {"partner": True, "monthly_charges": 20.0 + 9 * i, "contacts_this_period": 0} for i in range(12)
]
OFFSETS = (-0.5, -0.4, -0.3, -0.2)


def figure(used: float) -> Figure:
    return Figure(assumed=0.0, used=used, lower=used - 0.1, upper=used + 0.1, share_measured=0.9)


def found(
    offsets: tuple[float, ...], slopes: tuple[float, ...] = (), responses: str = ""
) -> Measured:
    """Slopes of the model, of a risk around 0.5 and of a bill around 60."""
    centres, scales = (-1.0, 0.0, float(np.log(60))), (1.0, 1.0, 0.5)
    return Measured(
        outcomes=900,
        responses=responses,
        offsets=tuple(figure(one) for one in offsets),
        slopes=tuple(
            Slope(slope=figure(one), centre=centre, scale=scale)
            for one, centre, scale in zip(slopes, centres, scales, strict=False)
        ),
    )


def correction(offsets: tuple[float, ...], slopes: tuple[float, ...] = ()) -> Correction:
    made = Correction.measured(found(offsets, slopes))
    assert made is not None
    return made


def measured(folder: Path, offsets: tuple[float, ...], responses: str) -> Path:
    found(offsets, responses=responses).save(folder)
    return folder


def test_offsets_move_the_log_odds_and_a_larger_offer_is_never_accepted_less() -> None:
    accept = np.array([[0.1, 0.3, 0.5, 0.6], [0.2, 0.2001, 0.2002, 0.9]])
    moved = corrected(accept, correction(OFFSETS))
    np.testing.assert_allclose(logit(moved) - logit(accept), np.tile(OFFSETS, (2, 1)), atol=1e-12)
    fallen = corrected(accept, correction((0.0, -3.0, -3.0, -3.0)))
    assert (np.diff(fallen, axis=1) > 0).all()
    np.testing.assert_allclose(fallen[:, 0], accept[:, 0])


def test_slopes_move_customers_apart_and_can_be_taken_out_again() -> None:
    """By hand, and back: the risky one accepts more, who pays more less; half of the model's own
    ranking is left."""
    accept = np.array([[0.1, 0.3, 0.5, 0.6], [0.1, 0.3, 0.5, 0.6], [0.2, 0.4, 0.6, 0.9]])
    known = about(np.array([0.5, 0.9, 0.5]), np.array([60.0, 60.0, 600.0]))
    made = correction(OFFSETS, (-0.5, 0.6, -0.4))
    moved = corrected(accept, made, known)
    own = logit(accept)
    expected = own + np.array(OFFSETS) - 0.5 * (own + 1.0)
    expected[1] += 0.6 * np.log(9)  # the risk's log-odds
    expected[2] += -0.4 * 3.0  # 2.3 / 0.5 scales above the centre, of which 3 count
    np.testing.assert_allclose(logit(moved), expected, atol=1e-12)
    for level in range(4):
        levels = np.full(len(accept), level)
        back = made.taken_out(logit(moved)[:, level], levels, known)
        np.testing.assert_allclose(back, own[:, level], atol=1e-9)
    at_centre = corrected(accept[:1], made)  # of whom neither is known
    np.testing.assert_array_equal(at_centre, moved[:1])
    without_bill = corrected(accept[:1], made, np.array([[0.0, np.nan]]))
    np.testing.assert_array_equal(without_bill, moved[:1])


STEPS = Steps(
    risks=(-1.0, 1.5),
    bills=(4.25,),
    added=tuple(((0.0, 0.1 * k), (0.2, 0.3), (-0.4, 0.5 + 0.1 * k)) for k in range(4)),
    answers=5_000,
    gain=0.01,
    error=0.002,
)


def test_steps_are_added_where_a_customer_stands_and_can_be_taken_out_again() -> None:
    """At a threshold one stands above it; who tells neither stands at the centre."""
    accept = np.tile([0.1, 0.3, 0.5, 0.6], (4, 1))
    plain = found(OFFSETS, (-0.5, 0.6, -0.4))
    stepped = plain.model_copy(update={"steps": STEPS})
    made = Correction.measured(stepped)
    straight = Correction.measured(plain)
    assert made is not None
    assert straight is not None
    known = np.array([[-3.0, 4.0], [-1.0, 4.25], [2.0, 6.0], [np.nan, np.nan]])
    added = logit(corrected(accept, made, known)) - logit(corrected(accept, straight, known))
    by_hand = [[0.0] * 4, [0.3] * 4, [0.5, 0.6, 0.7, 0.8], [0.2] * 4]
    np.testing.assert_allclose(added, by_hand, atol=1e-12)
    np.testing.assert_array_equal(
        corrected(accept[:1], made), corrected(accept[:1], made, known[3:])
    )
    for level in range(4):
        levels = np.full(len(accept), level)
        own = logit(accept)[:, level]
        moved = made.moved_at(levels, own, known)
        np.testing.assert_allclose(made.taken_out(moved, levels, known), own, atol=1e-9)
    again = Correction.of(as_json(stepped))
    assert again is not None
    np.testing.assert_array_equal(again.added, made.added)
    assert STEPS.sentence in stepped.sentences


def test_where_a_larger_offer_was_held_up_the_model_cant_be_told() -> None:
    accept = np.array([[0.1, 0.3, 0.5, 0.6], [0.1, 0.3, 0.31, 0.6]])
    seen = corrected(accept, correction((0.0, 0.0, -0.5, 0.0)))
    told = [raised(seen, np.full(2, level)).tolist() for level in range(4)]
    assert told == [[False, False], [False, False], [False, True], [False, False]]


def test_what_is_measured_survives_the_files() -> None:
    """Through the report's JSON, and from a release of before there were slopes."""
    both = found(OFFSETS, (-0.5, 0.6, -0.4))
    assert [row["of"] for row in as_json(both)["slopes"]] == list(SLOPES)
    made = correction(OFFSETS, (-0.5, 0.6, -0.4))
    assert made.slopes.tolist() == [-0.5, 0.6, -0.4]
    old = Correction.of({"offsets": list(OFFSETS)})
    assert old is not None
    assert (old.slopes == 0).all()
    assert Correction.of({"offsets": [], "slopes": []}) is None
    assert Correction.of({}) is None


def test_a_model_takes_over_what_was_measured_against_such_a_model(
    trained_accept: Trained, tmp_path: Path
) -> None:
    """And nothing that was measured against another assumption."""
    responses = trained_accept.report["responses"]
    assert trained_accept.report["offsets"] == []
    plain = AcceptScorer.load(trained_accept.folder).predict(ROWS)
    model = tmp_path / "model"
    shutil.copytree(trained_accept.folder, model)
    nothing = {"offsets": [], "slopes": [], "steps": None}
    assert take_over(model, None, responses) == nothing
    assert take_over(model, tmp_path, responses) == nothing  # nothing was measured
    assert take_over(model, measured(tmp_path, OFFSETS, "another"), responses) == nothing
    np.testing.assert_array_equal(AcceptScorer.load(model).predict(ROWS), plain)
    taken = take_over(model, measured(tmp_path, OFFSETS, responses), responses)
    assert taken == {"offsets": list(OFFSETS), "slopes": [], "steps": None}
    moved = AcceptScorer.load(model).predict(ROWS)
    assert logit(moved[:, 0]) == pytest.approx(logit(plain[:, 0]) - 0.5)
    assert (np.diff(moved, axis=1) > 0).all()


def test_a_served_customer_is_corrected_by_risk_and_bill(
    trained_accept: Trained, tmp_path: Path
) -> None:
    responses = trained_accept.report["responses"]
    model = tmp_path / "model"
    shutil.copytree(trained_accept.folder, model)
    stepped = found(OFFSETS, (0.0, 0.6, -0.4), responses).model_copy(update={"steps": STEPS})
    stepped.save(tmp_path)
    taken = take_over(model, tmp_path, responses)
    assert len(taken["slopes"]) == 3
    assert taken["steps"]["risks"] == list(STEPS.risks)
    scorer = AcceptScorer.load(model)
    contacts = scorer.contact_matrix(ROWS)
    risk, bills = np.full(len(ROWS), 0.9), np.full(len(ROWS), 60.0)
    plain = scorer.acceptances(contacts, np.full(len(ROWS), 0.5), bills)
    moved = scorer.acceptances(contacts, risk, bills)
    np.testing.assert_allclose(plain, scorer.predict(ROWS))
    # Log-odds 0 stand on the middle step, log 9 on the last; a bill of 60 below its threshold.
    by_risk = 0.6 * np.log(9) + (-0.4 - 0.2)
    np.testing.assert_allclose(logit(moved[:, 0]), logit(plain[:, 0]) + by_risk)
    many = np.tile(np.arange(len(ROWS)), 9)  # scored by kinds
    np.testing.assert_array_equal(
        scorer.acceptances(contacts[many], risk[many], bills[many]), moved[many]
    )
