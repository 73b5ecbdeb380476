"""Which of two templates is better: as answers decide it, and where chance would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from churn_assets.messages.writing.bandit import Audience, Outcome, TemplateBandit
from churn_assets.messages.writing.bank import all_cells
from churn_assets.outcomes.learning.pairs import decided

FIRST, *OTHERS = (Audience(*cell, (), (), "en") for cell in all_cells())
STREAMERS = FIRST._replace(services=("streaming",))
Answers = dict[str, tuple[int, int]]
"""Template -> successes, failures."""


def told(answers: dict[Audience, Answers]) -> TemplateBandit:
    """What a bandit that forgets hardly any of them knows; the failures last."""
    bandit = TemplateBandit()
    for audience, templates in answers.items():
        for success in (True, False):
            for template, counts in templates.items():
                bandit.learn([Outcome(audience, template, success)] * counts[0 if success else 1])
    return bandit


def sent(appeal: dict[str, float], audiences: dict[Audience, float], seed: int) -> TemplateBandit:
    """30 days of 100 messages to each audience, drawn by the bandit, where an audience accepts as
    often as the template's appeal times its own factor."""
    rng, bandit, templates = np.random.default_rng(seed), TemplateBandit(), list(appeal)
    for _ in range(30):
        came = []
        for audience, factor in audiences.items():
            shares = bandit.probabilities(audience, templates)
            for template in map(str, rng.choice(templates, 100, p=shares)):
                success = bool(rng.random() < factor * appeal[template])
                came.append(Outcome(audience, template, success))
        bandit.learn(came)
    return bandit


def found(bandit: TemplateBandit) -> set[tuple[str, str]]:
    known = {template for arms in bandit.counts.values() for template in arms}
    return {(pair.chosen, pair.rejected) for pair in decided(bandit, known)}


def test_winners_and_losers_become_pairs() -> None:
    """Why: the next reward model learns from customers, and only from what is beyond doubt."""
    assert decided(TemplateBandit(), {"good"}) == []
    bandit = told({FIRST: {"good": (100, 200), "bad": (15, 285), "as bad": (16, 284)}})
    assert found(bandit) == {("good", "as bad"), ("good", "bad")}
    [pair] = decided(bandit, {"good", "bad"})
    assert pair.audience == FIRST
    assert pair.p_value < 1e-12
    assert decided(bandit, {"bad", "as bad"}) == []


@pytest.mark.parametrize("seed", range(4))
def test_chance_makes_no_pairs_of_templates_that_are_equally_good(seed: int) -> None:
    """Why: of 528 pairs as many as 78 were "decided", and a reward model learnt them."""
    audiences = dict.fromkeys(OTHERS[:8], 1.0)
    assert found(sent({f"t{i}": 0.1 for i in range(12)}, audiences, seed)) == set()


@pytest.mark.parametrize("seed", range(4))
def test_a_better_template_is_found_in_what_several_audiences_say(seed: int) -> None:
    """Why: care must not make everything chance; and one audience has few answers to the worse."""
    appeal = {"good": 0.2, "bad": 0.1, "as bad": 0.1, "no better": 0.1}
    pairs = found(sent(appeal, {FIRST: 1.0, STREAMERS: 1.5}, seed))
    assert len(pairs) >= 2
    assert {better for better, _ in pairs} == {"good"}


def test_templates_are_compared_over_the_same_customers() -> None:
    """Why: who streams accepts more, whatever they read, and only they read of streaming. Taken
    together, "streaming" would have 60 of 300 and "all" 40 of 500."""
    streamers: Answers = {"streaming": (60, 240), "all": (20, 80)}
    assert found(told({STREAMERS: streamers, FIRST: {"all": (20, 380)}})) == set()
    assert found(told({FIRST: {"streaming": (60, 240), "all": (40, 460)}})) != set()
    assert found(told({FIRST: {"one": (60, 240)}, STREAMERS: {"two": (5, 295)}})) == set()


def test_one_audience_is_judged_as_a_table_of_four_and_two_add_up() -> None:
    table = [[40, 260], [22, 278]]
    answers: Answers = {"good": (40, 260), "bad": (22, 278)}
    among = answers.keys()
    [once] = decided(told({FIRST: answers}), among)
    expected = stats.chi2_contingency(table, correction=False)
    assert once.p_value == pytest.approx(expected.pvalue, rel=0.3)  # it has forgotten a little
    [twice] = decided(told({FIRST: answers, STREAMERS: answers}), among)
    assert stats.chi2.isf(twice.p_value, 1) == pytest.approx(2 * stats.chi2.isf(once.p_value, 1))
    elsewhere = next(cell for cell in OTHERS if cell.offer != FIRST.offer)
    apart = decided(told({FIRST: answers, elsewhere: answers}), among)
    assert {pair.audience for pair in apart} == {FIRST, elsewhere}


def test_few_answers_decide_nothing() -> None:
    """Why: three of three is luck, and the test's approximation takes it for certain."""
    assert found(told({FIRST: {"lucky": (3, 0), "other": (200, 1_800)}})) == set()
    assert found(told({FIRST: {"sent": (30, 270)}})) == set()
