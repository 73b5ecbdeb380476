"""Whom a treatment helps, and whether knowing that is worth anything.

From rows of a randomised experiment (or of logged contacts with known propensities) with K levels,
level 0 being no treatment:

| learner | effect of level k on a customer | source |
|---|---|---|
| `t` | difference of two outcome models | Künzel et al. 2019 |
| `x` | models of imputed effects, weighted by the propensity | Künzel et al. 2019 |
| `dr` | model of doubly robust scores | Kennedy 2023 |

All models are XGBoost, all predictions out of fold. A personal policy gives everybody the level of
the largest predicted effect. Its value is the mean of doubly robust scores, and is held against the
best *uniform* level, chosen on the other folds too: what is gained beyond that is all that choosing
by customer can claim. Where the interval of the gain holds 0, personalisation isn't shown to help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.decision.mdp.observation import ACCEPT
from churn_assets.domain.statistics import Estimate, Floats, mean_of
from churn_assets.domain.value import amount
from churn_assets.outcomes.worth import PLAIN, Worth

if TYPE_CHECKING:
    import xgboost

Learner = Literal["t", "x", "dr"]
LEARNERS: tuple[Learner, ...] = ("t", "x", "dr")
FOLDS = 4
POINTS = 50  # of a Qini curve
SAYS: Learner = "dr"
"""The learner whose gain decides what is said: chosen beforehand, so that three are no three tries.
"""
FEWEST, MOST = 500, 50_000
"""Customers treated and left alone that it takes at least, and customers that are looked at."""
TREATED = 1


@dataclass(frozen=True)
class Experiment:
    """N customers who were given a level at random.

    Attributes:
        features: (N, F), NaN where missing; known before the treatment.
        levels: (N,) ints 0..K-1.
        outcomes: (N,); more is better.
        propensities: (N, K) with which each level was given; rows sum to 1.
    """

    features: Floats
    levels: NDArray[np.int64]
    outcomes: Floats
    propensities: Floats

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def kinds(self) -> int:
        """K, how many levels there are."""
        return self.propensities.shape[1]


@dataclass(frozen=True)
class Effects:
    """Out-of-fold predictions.

    effects: learner -> (N, K) of each level against level 0 (column 0 is 0).
    scores: (N, K) doubly robust scores: unbiased for what the customer would do at each level.
    uniform: (N,) the best uniform level as the other folds have it.
    """

    effects: dict[Learner, Floats]
    scores: Floats
    uniform: NDArray[np.int64]


def fit(experiment: Experiment, seed: int = 42, rounds: int = 60) -> Effects:
    """Fit every learner on all folds but one and predict that one, for each fold.

    Args:
        rounds: of boosting; trees have depth 3.
    """
    count, kinds = len(experiment), experiment.kinds
    fold = np.random.default_rng(seed).permutation(count) % FOLDS
    effects = {learner: np.zeros((count, kinds)) for learner in LEARNERS}
    scores, uniform = np.zeros((count, kinds)), np.zeros(count, np.int64)
    for k in range(FOLDS):
        learn, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        outcome_models = [
            _model(experiment, learn[experiment.levels[learn] == level], None, rounds, seed)
            for level in range(kinds)
        ]
        expected = np.column_stack([_predict(m, experiment.features) for m in outcome_models])
        scores[held] = _scores(experiment, held, expected)
        # The outcome models have seen these rows, so halves are swapped for the second stage.
        inner = _crossed(experiment, learn, rounds, seed)
        own = _scores(experiment, learn, inner, of_rows=True)
        uniform[held] = int(own.mean(0).argmax())
        for level in range(1, kinds):
            effects["t"][held, level] = expected[held, level] - expected[held, 0]
            effects["x"][held, level] = _x_effect(
                experiment, learn, held, inner, level, rounds, seed
            )
            pseudo = own[:, level] - own[:, 0]
            model = _model(experiment, learn, pseudo, rounds, seed)
            effects["dr"][held, level] = _predict(model, experiment.features[held])
    return Effects(effects, scores, uniform)


def whom_to_contact(
    customers: pd.DataFrame, seed: int = 42, worth: Worth = PLAIN, currency: str = ""
) -> dict[str, Any]:
    """Whether it is worth choosing whom to contact at all, from the treated and the control group.

    Everybody counts in the group that was drawn (intention to treat): level 1 is what the policy
    does, level 0 leaving alone. A customer is known by risk, value and P(accept) of each offer at
    their first decision.

    Args:
        customers: rows as `drawn.customers_of` makes them; of many, a sample is looked at.
        worth: how leaving counts.
        currency: what amounts in the sentence begin with.

    Returns:
        `sentence`, whose interval is of one look; where there are enough: `gain` (learner ->
        `policy_gain` in net currency a customer), `auuc` (learner -> with a bootstrap interval) and
        `qini` (the curve of `SAYS`).
    """
    treated = (customers["group"] == "treated").to_numpy()
    if min(treated.sum(), (~treated).sum()) < FEWEST:
        return {
            "sentence": "Whether choosing by customer helps isn't known yet: it takes "
            f"{FEWEST:,} customers treated and as many left alone."
        }
    if len(customers) > MOST:
        customers = customers.sample(MOST, random_state=seed)
        treated = (customers["group"] == "treated").to_numpy()
    accept = np.array([seen[ACCEPT] for seen in customers["observation"]], np.float64)
    known = customers[["churn_risk", "customer_value"]].to_numpy(np.float64)
    share = 1 - float(customers["control_share"].iloc[0])
    net = worth.kept(customers) - customers["spend"].to_numpy(np.float64)
    chances = np.tile([1 - share, share], (len(customers), 1))
    experiment = Experiment(np.hstack([known, accept]), treated.astype(np.int64), net, chances)
    found = fit(experiment, seed)
    gain = {learner: policy_gain(found, learner) for learner in LEARNERS}
    order = {learner: found.effects[learner][:, TREATED] for learner in LEARNERS}
    said = gain[SAYS]
    contacted = (found.uniform == TREATED).mean() > 0.5
    brings, least, most = (
        amount(said[name], currency, signed=True) for name in ("gain", "gain_lower", "gain_upper")
    )
    best = "doing to everybody what the policy does" if contacted else "leaving everybody alone"
    return {
        "customers": len(customers),
        "gain": gain,
        "auuc": {
            learner: auuc_interval(order[learner], treated, net, share, seed=seed).as_dict("auuc")
            for learner in LEARNERS
        },
        "qini": qini(order[SAYS], treated, net, share).tolist(),
        "sentence": f"Whom to leave alone: {said['sentence']}. It brings {brings} "
        f"({least} to {most} by this look alone) a customer over {best}.",
    }


def policy_gain(effects: Effects, learner: Learner) -> dict[str, Any]:
    """The personal policy against the best uniform one, each by doubly robust scores.

    Returns:
        `personal`, `uniform` and `gain` with intervals, the share of customers given each level,
        and in words whether choosing by customer is shown to help.
    """
    personal = effects.effects[learner].argmax(1)
    rows = np.arange(len(personal))
    by_person, at_best = effects.scores[rows, personal], effects.scores[rows, effects.uniform]
    gain = mean_of(by_person - at_best)
    shown = gain.lower > 0
    return {
        **mean_of(by_person).as_dict("personal"),
        **mean_of(at_best).as_dict("uniform"),
        **gain.as_dict("gain"),
        "shares": (np.bincount(personal, minlength=effects.scores.shape[1]) / len(rows)).tolist(),
        "sentence": "choosing by customer helps"
        if shown
        else "choosing by customer is shown to harm"
        if gain.upper < 0
        else "choosing by customer isn't shown to help",
    }


def qini(effect: Floats, treated: NDArray[np.bool_], outcomes: Floats, share: float) -> Floats:
    """The Qini curve (POINTS + 1,): the incremental outcomes per customer of all when the given
    share of them, largest predicted effect first, is treated (Radcliffe 2007).

    Args:
        effect: (N,) predicted.
        treated: (N,) bool, at random.
        share: of customers who were treated.
    """
    order = np.argsort(-effect, kind="stable")
    t, y = treated[order], outcomes[order]
    gained = np.cumsum(np.where(t, y / share, -y / (1 - share))) / len(y)
    at = np.linspace(0, len(y), POINTS + 1).astype(int)
    return np.concatenate([[0.0], gained[at[1:] - 1]])


def auuc(curve: Floats) -> float:
    """Area between a Qini curve and the straight line of treating at random: 0 for a useless
    order, in outcomes per customer."""
    at_random = np.linspace(0, 1, len(curve)) * curve[-1]
    return float(np.trapezoid(curve - at_random, dx=1 / (len(curve) - 1)))


def auuc_interval(
    effect: Floats,
    treated: NDArray[np.bool_],
    outcomes: Floats,
    share: float,
    draws: int = 200,
    seed: int = 42,
) -> Estimate:
    """`auuc` with a bootstrap interval over customers; the predictions stay as they are."""
    rng = np.random.default_rng(seed)
    samples = np.empty(draws)
    for i in range(draws):
        rows = rng.integers(0, len(effect), len(effect))
        samples[i] = auuc(qini(effect[rows], treated[rows], outcomes[rows], share))
    return Estimate.of(auuc(qini(effect, treated, outcomes, share)), samples)


def _model(
    experiment: Experiment,
    rows: NDArray[np.int64],
    target: Floats | None,
    rounds: int,
    seed: int,
) -> xgboost.Booster:
    """A regression of the outcome, or of `target` (one value a row), on the features."""
    import xgboost  # here: slow to load, and needed only with outcomes

    labels = experiment.outcomes[rows] if target is None else target
    data = xgboost.DMatrix(experiment.features[rows], label=labels)
    settings = {
        "objective": "reg:squarederror",
        "base_score": float(labels.mean()),
        "max_depth": 3,
        "eta": 0.05,
        "min_child_weight": 100,
        "lambda": 10.0,
        "subsample": 0.8,
        "tree_method": "hist",
        "max_bin": 64,
        "nthread": 1,
        "seed": seed,
    }
    return xgboost.train(settings, data, num_boost_round=rounds)


def _predict(model: xgboost.Booster, features: Floats) -> Floats:
    import xgboost

    return np.asarray(model.predict(xgboost.DMatrix(features, nthread=1)), np.float64)


def _crossed(experiment: Experiment, learn: NDArray[np.int64], rounds: int, seed: int) -> Floats:
    """(len(learn), K) expected outcomes of the learning rows, each by models of the other half."""
    half = np.random.default_rng(seed + 1).permutation(len(learn)) % 2 == 0
    expected = np.empty((len(learn), experiment.kinds))
    for mine in (half, ~half):
        others = learn[~mine]
        for level in range(experiment.kinds):
            rows = others[experiment.levels[others] == level]
            model = _model(experiment, rows, None, rounds, seed)
            expected[mine, level] = _predict(model, experiment.features[learn[mine]])
    return expected


def _scores(
    experiment: Experiment,
    rows: NDArray[np.int64],
    expected: Floats,
    *,
    of_rows: bool = False,
) -> Floats:
    """(len(rows), K) expected outcomes, corrected at the level that was given by the residual over
    the propensity. `of_rows`: `expected` is of these rows only, not of all."""
    scores = np.array(expected if of_rows else expected[rows])
    every, given = np.arange(len(rows)), experiment.levels[rows]
    residual = experiment.outcomes[rows] - scores[every, given]
    scores[every, given] += residual / experiment.propensities[rows, given]
    return scores


def _x_effect(
    experiment: Experiment,
    learn: NDArray[np.int64],
    held: NDArray[np.int64],
    expected: Floats,
    level: int,
    rounds: int,
    seed: int,
) -> Floats:
    """The X-learner's effect of a level on the held rows."""
    given, y = experiment.levels[learn], experiment.outcomes[learn]
    predicted = []
    for arm, imputed in ((level, y - expected[:, 0]), (0, expected[:, level] - y)):
        rows = given == arm
        model = _model(experiment, learn[rows], imputed[rows], rounds, seed)
        predicted.append(_predict(model, experiment.features[held]))
    p, p0 = experiment.propensities[held, level], experiment.propensities[held, 0]
    weight = p / (p + p0)
    return np.asarray((1 - weight) * predicted[0] + weight * predicted[1])
