"""The judge of another kind: what it sees, what can't move it, and that ratings bear it out."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.messages.agreement import held_out_scores, pair_accuracy
from churn_assets.messages.corpus.grammar import WITH_REASON, grammar, write_message
from churn_assets.messages.corpus.prompts import Situation, random_situation
from churn_assets.messages.corpus.reviewed import reviewed_for
from churn_assets.messages.judging.judge import Judge, fitted_judge
from churn_assets.messages.judging.ratings import rated_pairs, read_ratings
from churn_assets.messages.judging.word_model import WordModel

SITUATION = Situation(10, "settled", "One year", ("internet",), "warm")
OWN = "Hello {name}, thank you for your {tenure} with us. {} Please enjoy {offer} off for {months}."
SWAPS = {
    "service": ("Your internet should simply work.", "Your phone should never let you down."),
    "contract": ("Your one year plan stays as it is.", "Your two year plan stays as it is."),
}


def said(sentence: str) -> str:
    return OWN.replace("{}", sentence)


@pytest.mark.parametrize("fact", SWAPS)
def test_the_judge_sees_a_swapped_fact(fact: str) -> None:
    """Why: the reward model told right from wrong reasons by chance, at equal sentence count."""
    right, wrong = (said(sentence) for sentence in SWAPS[fact])
    found = fitted_judge().sums([right, wrong], [SITUATION] * 2)
    assert found[0] > found[1]
    elsewhere = replace(SITUATION, services=("phone",), contract="Two year")
    found = fitted_judge().sums([right, wrong], [elsewhere] * 2)
    assert found[0] < found[1]


def test_order_and_company_don_t_matter_and_equals_tie() -> None:
    """Why: a preference for the first of a pair would be a preference for nobody's words."""
    judge = fitted_judge()
    texts = [said(SWAPS["service"][0]), reviewed_for(10, "settled", "warm")[0]]
    there = judge.sums(texts, [SITUATION] * 2)
    back = judge.sums(texts[::-1], [SITUATION] * 2)
    np.testing.assert_array_equal(there, back[::-1])
    np.testing.assert_array_equal(judge.sums(texts[:1], [SITUATION]), there[:1])
    same = judge.sums([texts[0]] * 2, [SITUATION] * 2)
    assert same[0] == same[1]


def test_a_judge_is_json_and_comes_back_the_same(tmp_path: Path) -> None:
    """Why: no artifact holds a pickle, and a saved judge must judge as it did."""
    judge, path = fitted_judge(), tmp_path / "judge.json"
    judge.save(path)
    json.loads(path.read_text(encoding="utf-8"))
    again = Judge.load(path)
    assert again == judge
    rated = read_ratings()[:20]
    texts, situations = [one.text for one in rated], [one.situation for one in rated]
    np.testing.assert_array_equal(again.score(texts, situations), judge.score(texts, situations))
    path.write_text('{"weights": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"judge\.json is no judge"):
        Judge.load(path)


def test_it_orders_rated_messages_that_it_did_not_learn_from() -> None:
    """Why: a judge is worth what it says of texts that it was not told about; reviewed ones
    are good by their ratings, and it must find that in templates that it was not shown."""
    rated = read_ratings()
    scores, folds = held_out_scores(rated)
    found = pair_accuracy(scores, rated, folds)
    assert found["accuracy"] > 0.75
    assert found["interval"][0] > 0.5
    assert found["interval"][0] < found["accuracy"] < found["interval"][1]
    mean = {
        source: np.mean([s for s, one in zip(scores, rated, strict=True) if one.source == source])
        for source in ("reviewed", "grammar", "flawed")
    }
    assert mean["reviewed"] > mean["grammar"] > mean["flawed"]


def test_scores_are_ratings() -> None:
    """Why: `naturalness` is published on the readers' scale."""
    rng = random.Random(5)
    situations = [random_situation(rng) for _ in range(60)]
    families = grammar().families_of("train")
    texts = [write_message(rng, one, rng.choice(families), WITH_REASON) for one in situations]
    scores = fitted_judge().score([*texts, "Act now!"], [*situations, SITUATION])
    assert ((scores >= 1) & (scores <= 5)).all()
    assert scores[-1] < scores[:-1].mean()


def test_ratings_are_from_one_to_five_and_name_their_file(tmp_path: Path) -> None:
    """Why: a typing error in the data would move every weight."""
    rated = read_ratings()
    assert len(rated) >= 120
    assert all(rated[i].rating > rated[j].rating for i, j in rated_pairs(rated))
    path = tmp_path / "ratings.json"
    for rows in ('[{"rating": 6}]', '[{"text": "Hi"}]', "{"):
        path.write_text(rows, encoding="utf-8")
        with pytest.raises(ValueError, match=r"ratings\.json holds no ratings"):
            read_ratings(path)


def test_usual_words_are_likelier_than_the_same_words_jumbled() -> None:
    """Why: garbled text has the right words in the wrong order."""
    model = WordModel.of(["thank you for your time with us", "enjoy your time with us"])
    jumbled = sum(model.log_probs("us time your thank with for you"))
    assert sum(model.log_probs("thank you for your time with us")) > jumbled
    assert np.isfinite(model.log_probs("never seen before")).all()
