"""What is learnt from outcomes, in worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.domain.measured import Figure
from churn_assets.domain.statistics import logit, sigmoid
from churn_assets.outcomes.learning.effects import Churn, fitted_effects
from churn_assets.outcomes.learning.response import (
    LEAST_SLOPE,
    PRIOR,
    Responses,
    fitted_response,
)

ASSUMED = EnvironmentParams()
RISES = np.array([0.0, 0.5, 0.9, 1.2])
MEAN = -1 + RISES.mean()


def responses(
    seed: int,
    counts: tuple[int, ...],
    off: tuple[float, ...],
    slopes: tuple[float, ...] = (0.0,) * 3,
) -> Responses:
    """Contacts at each offer whose acceptance is `off` from what the model says, and by `slopes`
    for whom it says more, who are riskier, who pay more (standardised in truth)."""
    rng = np.random.default_rng(seed)
    level = np.repeat(np.arange(4), counts)
    score = rng.normal(-1, 0.8, len(level)) + RISES[level]
    known = rng.normal([-1.2, 4.1], [1.1, 0.4], (len(level), 2))
    terms = np.column_stack([score - MEAN, (known - [-1.2, 4.1]) / [1.1, 0.4]])
    true = score + np.array(off)[level] + terms @ np.array(slopes)
    return Responses(level, score, known, rng.random(len(level)) < sigmoid(true))


def fitted_offsets(told: Responses) -> tuple[Figure, ...]:
    return fitted_response(told).offsets


def test_many_outcomes_say_what_is_true() -> None:
    off = (-0.4, -1.0, -1.5, -1.6)
    found = fitted_offsets(responses(0, (20_000,) * 4, off))
    for figure, truth in zip(found, off, strict=True):
        assert figure.used == pytest.approx(truth, abs=0.06)
        assert figure.lower < truth < figure.upper
        assert figure.share_measured > 0.99


def test_no_outcome_says_nothing_and_few_say_little() -> None:
    """The mode is the prior's without data, and moves with the data's information, by no switch."""
    nothing = fitted_offsets(responses(0, (0,) * 4, (0.0,) * 4))
    assert [figure.used for figure in nothing] == [0.0] * 4
    assert [figure.share_measured for figure in nothing] == pytest.approx([0.0] * 4, abs=1e-9)
    shares = []
    for count in (5, 50, 500):
        found = fitted_offsets(responses(1, (count,) * 4, (-1.0,) * 4))
        shares.append(found[0].share_measured)
    assert shares == sorted(shares)
    assert shares[0] < 0.85 < 0.97 < shares[2]


def test_an_offer_that_was_not_tried_takes_what_the_others_share() -> None:
    found = fitted_offsets(responses(2, (5_000, 5_000, 5_000, 0), (-1.0, -1.0, -1.0, 0.0)))
    assert found[3].used == pytest.approx(-0.95, abs=0.1)
    assert found[3].upper - found[3].lower > 1.5
    assert found[3].share_measured < 0.9


def test_intervals_hold_truths_of_the_prior() -> None:
    """300 worlds drawn from the prior: 95 % intervals hold about 95 % of offsets and slopes."""
    rng, held = np.random.default_rng(3), np.zeros(7)
    for seed in range(300):
        truth = rng.multivariate_normal(np.zeros(7), PRIOR)
        truth[4] = max(truth[4], LEAST_SLOPE)
        told = responses(seed, (60,) * 4, tuple(truth[:4]), tuple(truth[4:]))
        offsets, slopes = fitted_response(told)
        found = [*offsets, *(one.slope for one in slopes)]
        held += [one.lower < true < one.upper for one, true in zip(found, truth, strict=True)]
    assert 0.93 < held[:4].sum() / 1_200 < 0.97
    assert 0.93 < held[4:].sum() / 900 < 0.97


def test_who_accepts_is_learnt_within_an_offer() -> None:
    """The model's ranking is worth half of what it says, and risk and bill rank, too: the offsets
    of each offer alone can't say it."""
    off, slopes = (-0.4, -1.0, -1.5, -1.6), (-0.5, 0.6, -0.4)
    found = fitted_response(responses(5, (20_000,) * 4, off, slopes))
    for one, truth in zip(found.slopes, slopes, strict=True):
        assert one.slope.used == pytest.approx(truth, abs=0.05)
        assert one.slope.lower < truth < one.slope.upper
    for figure, truth in zip(found.offsets, off, strict=True):
        assert figure.used == pytest.approx(truth, abs=0.08)


def test_slopes_weigh_model_and_outcomes_by_information() -> None:
    """A handful of answers leaves the model's ranking as it is; each more tells more."""
    shares = []
    for count in (0, 5, 50, 500):
        found = fitted_response(responses(6, (count,) * 4, (0.0,) * 4, (-0.5, 0.6, -0.4)))
        shares.append([one.slope.share_measured for one in found.slopes])
    assert shares[0] == pytest.approx([0.0] * 3, abs=1e-9)
    assert (np.diff(shares, axis=0) > 0).all()
    assert max(shares[1]) < 0.7 < 0.98 < min(shares[3])


def test_a_ranking_that_is_the_wrong_way_round_is_all_but_forgotten() -> None:
    """Something of the model's own log-odds is left in what is logged, so that the next outcomes
    can still be held against it."""
    found = fitted_response(responses(7, (5_000,) * 4, (0.0,) * 4, (-1.6, 0.0, 0.0)))
    assert found.slopes[0].slope.used == LEAST_SLOPE


def test_nobody_accepting_is_no_infinite_offset() -> None:
    found = fitted_offsets(responses(4, (300,) * 4, (-30.0,) * 4))
    assert all(-10 < figure.used < -3 for figure in found)


def churn(
    seed: int,
    contacts: int,
    effect: float,
    annoyance: float,
    *,
    alike: bool = True,
    bare_share: float = 1.0,
    periods: float = 1.0,
) -> Churn:
    """As many in the control group as were contacted; without `alike` those who accept would have
    stayed anyway: their risk is lower by 1.5 logits, and the others' higher by as much. Every
    third contact offers nothing, and has `bare_share` of the effect. Who leaves within `periods` is
    told."""
    rng = np.random.default_rng(seed)
    count = 2 * contacts
    contacted = np.arange(count) < contacts
    score = logit(rng.beta(2, 3, count))
    accept = sigmoid(rng.normal(-0.3, 1.2, count))
    accepts = rng.random(count) < accept
    own = score if alike else score + np.where(accepts, -1.5, 1.5)
    strength = np.where(np.arange(count) % 3, 1.0, bare_share)
    moved = np.where(accepts, -strength * effect, annoyance) * contacted
    true = sigmoid(own + moved)
    if not alike:  # the model knows the mean over both kinds
        score = logit(accept * sigmoid(score - 1.5) + (1 - accept) * sigmoid(score + 1.5))
    churned = rng.random(count) < 1 - (1 - true) ** periods
    return Churn(contacted, score, accept, strength, churned, periods)


@pytest.mark.parametrize(
    ("effect", "annoyance"), [(2.5, 0.05), (1.0, 0.05), (0.0, 0.0), (0.0, 1.5)]
)
def test_effect_and_annoyance_are_found(effect: float, annoyance: float) -> None:
    """As assumed, weaker, none at all, and harm."""
    found = fitted_effects(churn(5, 20_000, effect, annoyance), ASSUMED)
    assert found[0].used == pytest.approx(effect, abs=0.35)
    assert found[1].used == pytest.approx(annoyance, abs=0.15)
    assert found[0].assumed == ASSUMED.acceptance_effect
    assert found[0].share_measured > 0.9


@pytest.mark.parametrize("periods", [0.5, 3.0])
def test_effect_and_annoyance_are_found_whatever_days_outcomes_take(periods: float) -> None:
    """Outcomes of 15 or 90 days say of a period's risk what those of 30 do; taken for a period's
    own, they find another effect."""
    world = churn(5, 20_000, 2.5, 0.3, periods=periods)
    effect, annoyance = fitted_effects(world, ASSUMED)
    assert effect.used == pytest.approx(2.5, abs=0.2)
    assert annoyance.used == pytest.approx(0.3, abs=0.1)
    wrong, _ = fitted_effects(world._replace(periods=1.0), ASSUMED)
    assert abs(wrong.used - 2.5) > abs(effect.used - 2.5)


@pytest.mark.parametrize("effect", [2.5, 1.0])
def test_a_contact_without_a_discount_that_does_half_is_taken_into_account(effect: float) -> None:
    """Counted as a whole acceptance, it would pull the effect of all others down with it."""
    world = churn(5, 20_000, effect, 0.05, bare_share=0.5)
    found, _ = fitted_effects(world, ASSUMED)
    assert found.used == pytest.approx(effect, abs=0.35)  # as where all do the same
    as_one, _ = fitted_effects(world._replace(strength=np.ones(40_000)), ASSUMED)
    assert as_one.used < found.used - 0.1


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_whom_a_plan_contacts_is_held_against_customers_like_them(effect: float) -> None:
    """It contacts the fifth that risk times value is highest of, and of a control group it doesn't
    say whom it would have. Dear customers stay more than the risk says, which was taken for an
    effect: of 0.34 where there is none."""
    rng, count = np.random.default_rng(3), 60_000
    score, value = logit(np.clip(rng.beta(1.5, 10, count), 0.005, 0.9)), rng.normal(0, 0.5, count)
    accept = np.clip(rng.beta(4, 6, count), 0.05, 0.95)
    control, dear = rng.random(count) < 0.1, sigmoid(score) * np.exp(value)
    contacted = ~control & (dear > np.quantile(dear, 0.8))
    moved = np.where(rng.random(count) < accept, -effect, 0.05) * contacted
    churned = rng.random(count) < sigmoid(score - 0.5 * value + moved)
    rows = control | contacted
    about = np.column_stack([value, logit(accept)])[rows]
    standard = (about - about.mean(axis=0)) / about.std(axis=0)
    alone = Churn(contacted[rows], score[rows], accept[rows], np.ones(rows.sum()), churned[rows])
    found, _ = fitted_effects(alone._replace(about=standard), ASSUMED)
    assert found.used == pytest.approx(effect, abs=0.25)
    assert found.lower <= effect <= found.upper
    by_risk_alone, _ = fitted_effects(alone, ASSUMED)
    assert by_risk_alone.used > effect + 0.2


def test_few_customers_leave_the_assumption_in_place() -> None:
    """Twenty contacts where nothing works don't refute it; their interval says how little is known;
    more of them do."""
    used, widths = [], []
    for contacts in (20, 500, 20_000):
        found = [fitted_effects(churn(seed, contacts, 0.0, 0.0), ASSUMED)[0] for seed in range(9)]
        used.append(np.mean([figure.used for figure in found]))
        widths.append(np.mean([figure.upper - figure.lower for figure in found]))
    assert used[0] > 0.9 > 0.4 > used[1] > 0.1 > used[2]
    assert widths == sorted(widths, reverse=True)


def test_who_accepts_would_have_stayed_anyway() -> None:
    """Comparing those who accepted with those who refused would find an effect of 3 where there is
    none; the draw doesn't."""
    world = churn(7, 30_000, 0.0, 0.0, alike=False)
    effect, _ = fitted_effects(world, ASSUMED)
    assert effect.used < 0.35


def test_intervals_hold_the_truth() -> None:
    """60 companies of 3,000 contacts whose truth is drawn from the prior, cut at 0."""
    rng, held = np.random.default_rng(8), 0
    for seed in range(60):
        effect = max(0.0, rng.normal(2.5, 1.25))
        annoyance = max(0.0, rng.normal(0.05, 0.25))
        found = fitted_effects(churn(100 + seed, 3_000, effect, annoyance), ASSUMED)
        for figure, truth in zip(found, (effect, annoyance), strict=True):
            held += figure.lower <= truth <= figure.upper
    assert held >= 108  # of 120; fewer by chance once in 400
