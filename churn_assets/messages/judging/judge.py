"""A judge of messages of another kind than the reward model: counted features, logistic regression.

It learns from messages rated by reading (docs/ratings.md), and from pairs of the grammar's flaws
in the template families that no reward model is trained on. Bradley-Terry: the better message of a
pair is the one with the larger weighted sum, so two messages alike tie whatever their order.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from churn_assets.messages.corpus.flaws import FLAWS, write_pair
from churn_assets.messages.corpus.grammar import grammar, write_message
from churn_assets.messages.corpus.prompts import Situation, random_situation
from churn_assets.messages.judging.features import features, runs_of
from churn_assets.messages.judging.ratings import Rated, rated_pairs, read_ratings
from churn_assets.messages.judging.word_model import WordModel

Floats = NDArray[np.float64]
SEED = "judge-977"  # of the grammar's draws: no corpus has it
USUAL_TEXTS, FLAW_PAIRS = 800, 400
FLAW_WEIGHT = 0.3  # of all flaw pairs together; those rated by reading are 1
GOOD = 4  # a rating from which on a text is taken for usual
SEEN_OFTEN = 5  # rated texts that a run of words stands in before it has a weight of its own
RUN_SIZE = 0.5  # of such a feature, against 1 standard deviation of the others
STRENGTH = 1.0  # of the regression: inverse of the penalty
LEAST_SPREAD = 0.05
ROUNDS = 500
DIGITS = 9  # of a weight behind the point


@dataclass(frozen=True)
class Judge:
    """Weights of features and of runs of words; `score` is on the scale of the ratings, 1 to 5.

    scale: rating = scale[0] + scale[1] * weighted sum. word_counts: of the word model.
    """

    weights: dict[str, float]
    runs: dict[str, float]
    scale: tuple[float, float]
    word_counts: dict[str, int]

    def sums(self, texts: Sequence[str], situations: Sequence[Situation]) -> Floats:
        """(N,) any real number; a difference of two is the log-odds that the first is better."""
        words = WordModel(self.word_counts)
        found = np.zeros(len(texts))
        for i, (text, situation) in enumerate(zip(texts, situations, strict=True)):
            seen = features(text, situation, words)
            found[i] = sum(self.weights[name] * value for name, value in seen.items())
            found[i] += sum(self.runs.get(run, 0.0) for run in sorted(runs_of(text)))
        return found

    def score(self, texts: Sequence[str], situations: Sequence[Situation]) -> Floats:
        """(N,) how a reader would rate each template for its situation, within 1 to 5."""
        return np.clip(self.scale[0] + self.scale[1] * self.sums(texts, situations), 1.0, 5.0)

    def save(self, path: Path) -> None:
        """Write weights, scale and word counts as JSON, the same bytes for the same judge."""
        path.write_text(json.dumps(asdict(self), sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Read a saved judge; raises ValueError naming the file when it is not one."""
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            weights, runs = ({k: float(v) for k, v in read[n].items()} for n in ("weights", "runs"))
            base, slope = map(float, read["scale"])
            counts = {run: int(count) for run, count in read["word_counts"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no judge of messages: {error!r}") from error
        return cls(weights, runs, (base, slope), counts)


@cache
def fitted_judge() -> Judge:
    """The judge of all ratings that the repository has; about a second, the same every time."""
    return fit_judge(read_ratings())


def fit_judge(rated: Sequence[Rated]) -> Judge:
    """A judge that learns from these ratings and from the grammar's flaws."""
    usual, flawed = _grammar_texts(), _flaw_pairs()
    words = WordModel.of([*usual, *(one.text for one in rated if one.rating >= GOOD)])
    seen = Counter(run for one in rated for run in runs_of(one.text))
    runs = sorted(run for run, count in seen.items() if count >= SEEN_OFTEN)
    place = {run: i for i, run in enumerate(runs)}

    def row(text: str, situation: Situation) -> Floats:
        counted = np.fromiter(features(text, situation, words).values(), np.float64)
        present = np.zeros(len(runs))
        present[[place[run] for run in runs_of(text) if run in place]] = RUN_SIZE
        return np.concatenate([counted, present])

    X = np.array([row(one.text, one.situation) for one in rated])
    spread = np.maximum(X.std(0), LEAST_SPREAD)
    spread[-len(runs) :] = 1.0
    pairs = rated_pairs(rated)
    gaps = [rated[i].rating - rated[j].rating for i, j in pairs]
    differences = [X[i] - X[j] for i, j in pairs]
    differences += [row(good, one) - row(bad, one) for one, good, bad in flawed]
    shares = np.array(
        [gap / len(pairs) for gap in gaps] + [FLAW_WEIGHT / len(flawed)] * len(flawed)
    )
    D, weight = np.array(differences) / spread, shares * len(rated)
    model = LogisticRegression(C=STRENGTH, fit_intercept=False, max_iter=ROUNDS)
    model.fit(
        np.vstack([D, -D]),  # both orders: neither place in a pair is the better one
        np.repeat([1, 0], len(D)),
        sample_weight=np.concatenate([weight, weight]),
    )
    # A solver's last digits depend on how many threads added up; a judge is the same everywhere.
    found = (model.coef_[0] / spread).round(DIGITS)
    slope, base = np.polyfit(X @ found, [one.rating for one in rated], 1).round(DIGITS)
    names = list(features(rated[0].text, rated[0].situation, words))
    return Judge(
        dict(zip(names, map(float, found), strict=False)),
        {run: float(found[len(names) + i] * RUN_SIZE) for run, i in place.items()},
        (float(base), float(slope)),
        dict(sorted(words.counts.items())),
    )


def _grammar_texts() -> list[str]:
    rng = random.Random(f"{SEED}-texts")
    families = grammar().families_of("train")
    return [
        write_message(rng, random_situation(rng), rng.choice(families)) for _ in range(USUAL_TEXTS)
    ]


def _flaw_pairs() -> list[tuple[Situation, str, str]]:
    """(situation, good, flawed), every flaw as often, of the families held out from training."""
    rng = random.Random(f"{SEED}-pairs")
    families, flaws = grammar().families_of("test"), list(FLAWS)
    found = []
    for i in range(FLAW_PAIRS):
        situation, family = random_situation(rng), rng.choice(families)
        good, bad = write_pair(rng, situation, family, flaws[i % len(flaws)])
        found.append((situation, good, bad))
    return found
