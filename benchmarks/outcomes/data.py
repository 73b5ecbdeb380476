"""The sections on real data: Open Bandit and a mailing with four offer levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from churn_assets.domain.statistics import share
from churn_assets.outcomes import off_policy, uplift
from churn_assets.outcomes.off_policy import Log

PUBLISHED = {"dm": 0.157, "dr_shrunk": 0.160, "dr": 0.292, "ips": 0.311}


def open_bandit(mirror: Path) -> dict[str, Any]:
    """Relative errors of the value of Thompson sampling, estimated from the uniform log.

    The target's probabilities are its own log's frequencies of items by position (its actions, not
    its clicks); the truth is that log's mean click rate, which is itself known to a standard error
    only, since 10,000 rows have 69 clicks.
    """
    folder = mirror / "open_bandit"
    logged, target = (
        pd.read_csv(folder / name / "men.csv.gz", index_col=0) for name in ("random", "bts")
    )
    items = pd.read_csv(folder / "random" / "item_context.csv", index_col=0)
    frequencies = pd.crosstab(target["position"], target["item_id"], normalize="index")
    frequencies = frequencies.reindex(columns=items["item_id"], fill_value=0.0)
    log = Log(
        logged["item_id"].to_numpy(),
        logged["click"].to_numpy(float),
        np.full((len(logged), len(items)), 1 / len(items)),
    )
    probabilities = frequencies.loc[logged["position"]].to_numpy()
    truth = share(int(target["click"].sum()), len(target))
    result = off_policy.evaluate("bts", log, probabilities, _clicks(logged, items))
    errors = {
        name: abs(estimate.value - truth.value) / truth.value
        for name, estimate in result.estimates.items()
    }
    return {
        "relative_error": {name: round(error, 4) for name, error in errors.items()},
        "published_for_the_larger_campaign": PUBLISHED,
        "truth": truth.value,
        "relative_error_of_the_truth": round(truth.error / truth.value, 4),
        "estimates": {
            name: [estimate.value, estimate.lower, estimate.upper]
            for name, estimate in result.estimates.items()
        },
        "effective": result.effective,
        "decisions": len(log),
    }


def _clicks(logged: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """(N, A) click probabilities by logistic regression on user, position and item, out of fold."""
    users = pd.get_dummies(
        logged[[f"user_feature_{i}" for i in range(4)] + ["position"]].astype(str)
    )
    kinds = items.drop(columns=["item_id", "item_feature_0"])
    described = pd.get_dummies(kinds.astype(str)).assign(price=items["item_feature_0"])
    x, z = users.to_numpy(float), described.to_numpy(float)
    actions = logged["item_id"].to_numpy()
    fold = np.random.default_rng(0).permutation(len(x)) % off_policy.FOLDS
    expected = np.zeros((len(x), len(z)))
    for k in range(off_policy.FOLDS):
        learn, rows = fold != k, fold == k
        model = LogisticRegression(C=0.1, max_iter=500)
        model.fit(np.hstack([x[learn], z[actions[learn]]]), logged["click"][learn])
        user, item = np.split(model.coef_[0], [x.shape[1]])
        odds = (x[rows] @ user)[:, None] + z @ item + model.intercept_
        expected[rows] = 1 / (1 + np.exp(-odds))
    return expected


def charitable_mail(mirror: Path) -> dict[str, Any]:
    """A real experiment with four offer levels: what each brought, and whether choosing helps.

    Columns that are outcome means of a state (`stateresponse*`) or parts of the same draw
    (`treat_*`) are left out. `heterogeneity`: is the effect another one in red than in blue states,
    alone and beside the interactions of all other covariates (robust errors)?
    """
    table = pd.read_csv(mirror / "charitable_mail" / "charitable_mail.csv.gz")
    table = table.replace(-999, np.nan)
    levels = table["match_ratio"].to_numpy()
    known = [
        name
        for name in map(str, table)
        if not name.startswith(("out_", "treat", "stateresponse")) and name != "match_ratio"
    ]
    gave = table["out_gavedum"].to_numpy(float)
    propensities = np.tile(np.bincount(levels) / len(levels), (len(levels), 1))
    features = table[known].to_numpy(float)
    response = {}
    for level in range(4):
        given = levels == level
        response[str(level)] = share(int(gave[given].sum()), int(given.sum())).as_dict("response")
    experiment = uplift.Experiment(features, levels, gave, propensities)
    effects = uplift.fit(experiment)
    money = table["out_amountgive"].to_numpy(float)
    told = np.isfinite(money)  # of two donors the amount isn't known
    of_money = uplift.fit(
        uplift.Experiment(features[told], levels[told], money[told], propensities[told])
    )
    treated = levels > 0
    overall = effects.effects["dr"][:, 1:].mean(1)
    area = uplift.auuc_interval(overall, treated, gave, float(treated.mean()))
    return {
        "customers": len(table),
        "covariates": len(known),
        "response": response,
        "assignment_auc": _assignment_auc(features, treated),
        "gain": {learner: uplift.policy_gain(effects, learner) for learner in uplift.LEARNERS},
        "gain_in_dollars": {
            learner: uplift.policy_gain(of_money, learner) for learner in uplift.LEARNERS
        },
        "auuc": area.as_dict("auuc"),
        "heterogeneity": _red_and_blue(table, known, gave, treated),
    }


def _assignment_auc(features: np.ndarray, treated: np.ndarray) -> float:
    """Out-of-fold AUC of telling who was treated: 0.5 where the draw was random."""
    model = HistGradientBoostingClassifier(max_iter=50, max_depth=3, random_state=0)
    guessed = cross_val_predict(model, features, treated, cv=3, method="predict_proba")[:, 1]
    return round(float(roc_auc_score(treated, guessed)), 4)


def _red_and_blue(
    table: pd.DataFrame, known: list[str], gave: np.ndarray, treated: np.ndarray
) -> dict[str, float]:
    """p-values of treatment × red state in a linear model of giving, where the state is known."""
    rows = table["red0"].notna().to_numpy()
    red = table.loc[rows, ["red0"]].to_numpy(float)
    found = {"alone": _interaction_p(gave[rows], treated[rows], red)}
    politics = ("perbush", "redcty", "bluecty")  # of the same kind as what is asked about
    for name, leaves_out in (("all_covariates", ()), ("all_but_politics", politics)):
        others = [c for c in known if c not in ("red0", "blue0", *leaves_out)]
        covariates = table.loc[rows, others].fillna(table[others].mean()).to_numpy(float)
        design = np.hstack([red, covariates])
        found[f"beside_{name}"] = _interaction_p(gave[rows], treated[rows], design)
    return found


def _interaction_p(outcome: np.ndarray, treated: np.ndarray, moderators: np.ndarray) -> float:
    """Two-sided p of the first moderator's product with the treatment, HC1 errors."""
    z = (moderators - moderators.mean(0)) / moderators.std(0)
    t = treated[:, None].astype(float)
    design = np.hstack([np.ones_like(t), t, z, t * z])
    bread = np.linalg.pinv(design.T @ design)
    coefficients = bread @ design.T @ outcome
    residuals = outcome - design @ coefficients
    meat = (design.T * residuals**2) @ design
    variance = bread @ meat @ bread * len(outcome) / (len(outcome) - design.shape[1])
    at = 2 + z.shape[1]
    return float(2 * stats.norm.sf(abs(coefficients[at]) / np.sqrt(variance[at, at])))
