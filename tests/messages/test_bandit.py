"""The template bandit: what it sends, what it logs, and what it loses where appeal is known."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import betainc, betaln, expit, log_expit

from benchmarks.messages.bandit import (
    METHODS,
    SENDS,
    SETTINGS,
    TEMPLATES,
    World,
    curve,
    regret,
)
from churn_assets.messages.corpus.prompts import SERVICE_SETS
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bandit import (
    Audience,
    BanditSettings,
    Outcome,
    TemplateBandit,
    TemplateChooser,
    _probability_of_being_best,
    audience_of,
)
from churn_assets.messages.writing.bank import all_cells

CELL, OTHER = (Audience(*cell) for cell in all_cells()[:2])
TEXTS = ["one", "two", "three", "four"]


def test_all_templates_start_equal() -> None:
    """Why: a reward model's score once decided, and buried the reviewed texts."""
    np.testing.assert_allclose(TemplateBandit().probabilities(CELL, TEXTS), 0.25)


def test_the_logged_probability_is_the_one_that_was_drawn_with() -> None:
    """Why: every later evaluation divides by it."""
    bandit = TemplateBandit()
    bandit.learn(Outcome(CELL, "two", i % 3 == 0) for i in range(60))
    bandit.learn(Outcome(CELL, "one", False) for _ in range(60))
    shares = bandit.probabilities(CELL, TEXTS)
    draws = [(i + 0.5) / 2_000 for i in range(2_000)]
    chosen = [bandit.choose(CELL, TEXTS, draw=draw) for draw in draws]
    sent = Counter(choice.template for choice in chosen)
    for text, share in zip(TEXTS, shares, strict=True):
        assert sent[text] / len(draws) == pytest.approx(share, abs=1e-3)
        assert all(c.probability == share for c in chosen if c.template == text)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.argmax() == 1
    assert shares.min() >= bandit.settings.floor / len(TEXTS)
    assert chosen == [bandit.choose(CELL, TEXTS, draw=draw) for draw in draws]


def test_the_probability_of_being_best_is_a_simulations() -> None:
    """Why: it is computed on a grid; an independent count must agree."""
    a, b = np.array([3.0, 12.0, 40.0]), np.array([20.0, 90.0, 400.0])
    drawn = np.random.default_rng(0).beta(a, b, (200_000, 3)).argmax(1)
    expected = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(_probability_of_being_best(a, b), expected, atol=0.003)
    certain = _probability_of_being_best(np.array([900.0, 1.0]), np.array([100.0, 9_000.0]))
    np.testing.assert_allclose(certain, [1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        ((3, 3_000), (0.4, 3_000), 1e-6),
        ((0.01, 3_000), (0.4, 3_000), 1e-3),
        ((8, 8_000), (12, 8_000), 1e-4),
        ((1, 9), (0.5, 9.5), 1e-6),
        ((12, 90), (40, 400), 1e-5),
        ((800, 7_200), (760, 7_240), 2e-3),
        ((4_000, 4_000), (3_950, 4_050), 2e-3),
        ((999.6, 0.4), (990, 10), 1e-6),
    ],
)
def test_the_probability_of_being_best_is_an_integrals(
    one: tuple[float, float], other: tuple[float, float], within: float
) -> None:
    """Why: rates of 0.1 % fell between two points of the grid, and 0.96 was taken for 0.66. The
    integral is over the log-odds, where no density has a pole."""
    a, b = np.array([one, other], np.float64).T
    log_odds = np.linspace(-1_000, 100, 400_001)
    log_density = a[0] * log_expit(log_odds) + b[0] * log_expit(-log_odds) - betaln(a[0], b[0])
    better = np.exp(log_density) * betainc(a[1], b[1], expit(log_odds))
    expected = np.trapezoid(better, log_odds)
    found = _probability_of_being_best(a, b)
    np.testing.assert_allclose(found, [expected, 1 - expected], atol=within)


BRIEF = MessageBrief(
    name="Ana",
    tenure=30,
    offer_percentage=10,
    monthly_charges=74.2,
    contract="One year",
    local_time=datetime(2026, 1, 15, 12, tzinfo=UTC),
    services=("internet",),
)


@pytest.mark.parametrize(
    "change",
    [
        {"services": ("internet", "streaming")},
        {"subject": "fiber connection"},
        {"name": None},
        {"tenure": 0, "bounds": (0, 0)},
        {"language": "es"},
        {"contract": None},
        {"tone": "plain"},
    ],
    ids=str,
)
def test_who_may_be_sent_other_templates_is_another_audience(change: dict[str, Any]) -> None:
    """Why: whoever compares templates over different customers compares the customers."""
    same = replace(BRIEF, name="Zoë", monthly_charges=20.0, tenure=48)
    assert audience_of(same) == audience_of(BRIEF) != audience_of(replace(BRIEF, **change))


def share_of_streaming(seed: int, days: int = 20) -> float:
    """Which streamers are sent of the two templates of six that speak of streaming, where they
    accept four times as much as others, whatever they read, and there are few of each kind."""
    rng, bandit, shares = np.random.default_rng(seed), TemplateBandit(), list[float]()
    everybody, of_streaming = [f"all {i}" for i in range(4)], ["streaming 0", "streaming 1"]
    for _ in range(days):
        came = list[Outcome]()
        for services in SERVICE_SETS:
            streams = "streaming" in services
            texts = everybody + of_streaming * streams
            audience = audience_of(replace(BRIEF, services=services))
            probabilities = bandit.probabilities(audience, texts)
            shares += [float(probabilities[4:].sum())] * streams
            for text in rng.choice(texts, 5, p=probabilities):
                success = rng.random() < (0.2 if streams else 0.05)
                came.append(Outcome(audience, str(text), bool(success)))
        bandit.learn(came)
    return float(np.mean(shares))


def test_a_template_does_not_win_by_whom_it_reaches() -> None:
    """Why: what streamers accept anyway speaks for no template, here or as another's prior."""
    found = [share_of_streaming(seed) for seed in range(12)]
    assert np.mean(found) == pytest.approx(2 / 6, abs=0.07)


def test_a_cell_without_answers_borrows_from_the_others() -> None:
    """Why: most of 144 cells see few answers; a text that works elsewhere is no stranger."""
    bandit = TemplateBandit()
    bandit.learn(Outcome(OTHER, "two", i % 2 == 0) for i in range(100))
    bandit.learn(Outcome(OTHER, "one", i % 20 == 0) for i in range(100))
    shares = bandit.probabilities(CELL, TEXTS)
    assert shares[1] > max(shares[2], shares[3]) > shares[0]
    own = TemplateBandit()
    own.learn(Outcome(CELL, "one", True) for _ in range(50))
    own.learn(Outcome(OTHER, "one", False) for _ in range(200))
    assert own.probabilities(CELL, TEXTS).argmax() == 0  # its own answers outweigh the others'


def test_old_answers_fade() -> None:
    """Why: what pleased last winter may bore now."""
    bandit = TemplateBandit(BanditSettings(memory=100))
    bandit.learn(Outcome(CELL, "one", True) for _ in range(200))
    for _ in range(400):
        bandit.learn([Outcome(CELL, "one", False), Outcome(CELL, "two", True)])
    assert bandit.probabilities(CELL, ["one", "two"])[1] > 0.9


def test_the_state_survives_a_round_trip(tmp_path: Path) -> None:
    """Why: it lives in the store between campaigns."""
    bandit = TemplateBandit(BanditSettings(memory=500))
    full = audience_of(BRIEF)
    bandit.learn(Outcome((CELL, full)[i % 2], TEXTS[i % 3], i % 7 == 0) for i in range(200))
    bandit.save(tmp_path / "bandit.json")
    loaded = TemplateBandit.load(tmp_path / "bandit.json")
    for cell in (CELL, OTHER, full):
        np.testing.assert_allclose(
            loaded.probabilities(cell, TEXTS), bandit.probabilities(cell, TEXTS), rtol=1e-9
        )


def test_a_state_without_services_is_the_other_audiences_experience(tmp_path: Path) -> None:
    """Why: the version before didn't keep them; its answers are of customers of all kinds."""
    of = {"offer": 10, "band": "long", "contract": "One year", "tone": "warm"}
    arms = [
        of | {"template": "one", "successes": 5.0, "failures": 195.0},
        of | {"template": "two", "successes": 40.0, "failures": 160.0},
    ]
    state = {"settings": asdict(BanditSettings()), "arms": arms}
    (tmp_path / "state.json").write_text(json.dumps(state))
    bandit = TemplateBandit.load(tmp_path / "state.json")
    assert bandit.answers == 400
    own, other = audience_of(BRIEF), Audience(10, "long", "One year", "warm")
    assert own[:4] == other[:4]
    assert bandit.probabilities(other, TEXTS[:2])[1] > 0.97
    assert 0.8 < bandit.probabilities(own, TEXTS[:2])[1] < 0.95  # what a prior says
    bandit.save(tmp_path / "state.json")
    again = TemplateBandit.load(tmp_path / "state.json").probabilities(own, TEXTS)
    np.testing.assert_allclose(again, bandit.probabilities(own, TEXTS))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"settings": {"memory": -1}, "arms": []}', '{"settings": {}, "arms": [{}]}'],
)
def test_a_broken_state_names_its_file(tmp_path: Path, content: str) -> None:
    """Why: learning anew from nothing would be a silent loss of all answers."""
    (tmp_path / "bandit.json").write_text(content)
    with pytest.raises(ValueError, match=r"bandit\.json"):
        TemplateBandit.load(tmp_path / "bandit.json")


@pytest.mark.parametrize(("texts", "draw"), [([], 0.5), (["a", "a"], 0.5), (["a"], 1.0)])
def test_what_cannot_be_drawn_from_is_refused(texts: list[str], draw: float) -> None:
    """Why: two arms of one text would each be logged with half its probability."""
    with pytest.raises(ValueError, match=r"templates|draw"):
        TemplateBandit().choose(CELL, texts, draw=draw)


def test_regret_is_a_third_of_even_shares_and_falls() -> None:
    """Why: 10,000 sends of known appeal: the only place where the loss can be counted."""
    worlds = [World.draw(np.random.default_rng(seed)) for seed in range(3)]
    found = np.array([regret(world, seed) for seed, world in enumerate(worlds)])
    even = np.array([w.appeal.max() - w.appeal.mean() for w in worlds]) * SENDS
    assert found.sum(1).mean() < even.mean() / 3
    first, second = found.reshape(3, 2, SENDS // 2).sum((0, 2))
    assert second < 0.75 * first


def test_it_finds_the_new_best_after_appeal_has_changed() -> None:
    """Why: a bandit that is sure of the past would lose for the rest of its days."""
    worlds = [World.draw(np.random.default_rng(seed), phases=2) for seed in range(3)]
    found = np.array([regret(world, seed) for seed, world in enumerate(worlds)])
    after, late = found[:, SENDS // 2 : SENDS // 2 + 500].mean(), found[:, -500:].mean()
    assert late < after / 2
    even = np.mean([(w.appeal.max(-1) - w.appeal.mean(-1)).mean() for w in worlds])
    assert found.mean() < even * 0.6


def test_cells_with_few_answers_do_better_than_even_shares() -> None:
    """Why: 10,000 sends over 24 cells are few for each; what they share must be used."""
    world = World.draw(np.random.default_rng(0), cells=24)
    found = regret(world, 0)
    even = float(world.weights @ (world.appeal[0].max(1) - world.appeal[0].mean(1)))
    assert found.mean() < 0.7 * even
    assert world.appeal.shape == (1, 24, TEMPLATES)


def test_the_logged_probabilities_tell_what_another_choice_would_have_brought() -> None:
    """Why: they are logged for this. Weighted by them, sends of a bandit that learns as it goes say
    what a template brings that it soon hardly sends; the plain mean of its answers needn't."""
    appeal = {"one": 0.12, "two": 0.10, "three": 0.02, "four": 0.04}
    rng, bandit, sends = np.random.default_rng(5), TemplateBandit(), 12_000
    brought = dict.fromkeys(TEXTS, 0.0)
    for _ in range(sends // 100):
        chooser, came = TemplateChooser(bandit), list[Outcome]()
        for draw in range(100):
            choice = chooser.choose(CELL, tuple(TEXTS), seed=f"{bandit.answers}-{draw}")
            success = bool(rng.random() < appeal[choice.template])
            brought[choice.template] += success / choice.probability / sends
            came.append(Outcome(CELL, choice.template, success))
        bandit.learn(came)
    assert brought["one"] == pytest.approx(appeal["one"], abs=0.015)
    for text in TEXTS:  # of twelve seeds, the largest standard deviation is 0.018
        assert brought[text] == pytest.approx(appeal[text], abs=0.05), text
    assert brought["one"] > brought["three"] + 0.04


def test_the_curve_shows_every_world_and_method() -> None:
    """Why: it is what a reader looks at; a line that is missing would look like a lead."""
    found = {(n, m): np.arange(6.0).reshape(2, 3) for n in SETTINGS for m in METHODS}
    figure = curve(found)
    assert [axes.get_title() for axes in figure.axes] == list(SETTINGS)
    for axes in figure.axes:
        assert [line.get_label() for line in axes.get_lines()] == list(METHODS)
        np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1.5, 4.0, 7.5])
