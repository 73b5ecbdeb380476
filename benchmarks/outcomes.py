"""How well effects are found where the truth is known: `python -m benchmarks.outcomes`.

Writes `outcomes.json` beside this file, a section at a time (`--only`):

- `coverage`: off-policy intervals in the simulated world, 300 repetitions at 10,000 and 100,000
  decisions; target -> estimator -> share of intervals that hold the truth.
- `open_bandit`: estimator -> relative error on the Open Bandit data (uniform log, Thompson-sampling
  target), beside the published ones for its larger campaign (Saito et al. 2021, table 3).
- `obp`: largest difference from the Open Bandit Pipeline on the same inputs, where `obp`
  can be imported (it asks for old releases: install it with `--no-deps` into a folder of its own,
  with `seaborn` and `mypy-extensions`, and name that folder in PYTHONPATH).
- `charitable_mail`: response by level, whether choosing by donor helps (Karlan, List 2007).
- `company`: scenario -> the verdict of a simulated company of 6,000 customers and the week it came
  in; how many of 100 companies without any effect were ever told that contacting helps or hurts.
- `predict_slowdown`: median time of a decision with the decision log over that without it.

The real data are read from CHURN_DATA_MIRROR; a section without its data is left as it was.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.statistics import share
from churn_assets.outcomes import off_policy, simulation, uplift
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.inference import confidence_sequence, doubly_robust_scores
from churn_assets.outcomes.lift import judge
from churn_assets.outcomes.off_policy import ESTIMATORS, Log, UnsupportedTargetError

REPORT = Path(__file__).with_name("outcomes.json")
REPETITIONS = 300
PUBLISHED = {"dm": 0.157, "dr_shrunk": 0.160, "dr": 0.292, "ips": 0.311}
TARGETS: dict[str, Callable[[simulation.Customers], Any]] = {
    "champion": simulation.greedy,
    "challenger": lambda c: simulation.greedy(c, price=3.0),
    "rule": lambda c: np.where(c.states[:, 0] > 0.3, 3, 0),
    "never": lambda c: np.zeros(len(c), int),
    "always": lambda c: np.full(len(c), 4),
}


def coverage(counts: list[int]) -> dict[str, Any]:
    """Share of 95 % intervals that hold the target's true value, and what was refused."""
    population = simulation.draw_customers(np.random.default_rng(2**20), 2_000_000)
    worth = simulation.expected_net(population)
    truth = {
        name: float(worth[np.arange(len(population)), options(population)].mean())
        for name, options in TARGETS.items()
    }
    found: dict[str, Any] = {"truth": truth, "repetitions": REPETITIONS}
    for count in counts:
        found[str(count)] = _coverage(count, truth)
    found["without_a_control_group"] = _without_control()
    return found


def _coverage(count: int, truth: dict[str, float]) -> dict[str, Any]:
    names = [name for name in ESTIMATORS if name != "dm"]
    hits = {target: dict.fromkeys(names, 0) for target in TARGETS}
    effective = dict.fromkeys(TARGETS, 0.0)
    for seed in range(REPETITIONS):
        customers, log = simulated(seed, count, control=0.1)
        expected = off_policy.fitted_rewards(log, simulation.features(customers))
        for target, options in TARGETS.items():
            probabilities = simulation.one_hot(options(customers))
            result = off_policy.evaluate(target, log, probabilities, expected)
            effective[target] += result.effective / REPETITIONS
            for name in names:
                estimate = result.estimates[name]
                hits[target][name] += estimate.lower <= truth[target] <= estimate.upper
    return {
        target: {name: round(n / REPETITIONS, 4) for name, n in of.items()}
        | {"effective": round(effective[target])}
        for target, of in hits.items()
    }


def simulated(seed: int, count: int, control: float) -> tuple[simulation.Customers, Log]:
    """Decisions of a policy that explores with 20 % and leaves a share alone."""
    rng = np.random.default_rng(seed)
    customers = simulation.draw_customers(rng, count)
    chosen = simulation.one_hot(simulation.greedy(customers))
    propensities = (1 - control) * (0.8 * chosen + 0.2 / simulation.OPTIONS)
    propensities[:, 0] += control
    options = (rng.random((count, 1)) > propensities.cumsum(1)[:, :-1]).sum(1)
    reactions = simulation.react(rng, customers, options)
    return customers, Log(options, simulation.net_gain(customers, options, reactions), propensities)


def _without_control() -> str:
    """What is said of `never` where the log has neither a control group nor exploration."""
    rng = np.random.default_rng(0)
    customers = simulation.draw_customers(rng, 10_000)
    always = np.full(len(customers), 4)
    reactions = simulation.react(rng, customers, always)
    log = Log(always, simulation.net_gain(customers, always, reactions), simulation.one_hot(always))
    never = simulation.one_hot(TARGETS["never"](customers))
    try:
        off_policy.evaluate("never", log, never, np.zeros_like(never))
    except UnsupportedTargetError as error:
        return str(error)
    raise AssertionError("never was estimated from a log that never left anybody alone")


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


def obp() -> dict[str, float]:
    """Largest absolute difference from obp 0.4.1 over five logs, by estimator."""
    ope = importlib.import_module("obp.ope")
    shrinkage, threshold = 3.0, 2.0
    theirs = {
        "dm": ope.DirectMethod(),
        "ips": ope.InverseProbabilityWeighting(),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "dr": ope.DoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(tau=threshold),
        "dr_shrunk": ope.DoublyRobustWithShrinkage(lambda_=shrinkage),
    }
    largest = dict.fromkeys(theirs, 0.0)
    for seed in range(5):
        customers, log = simulated(seed, 5_000, control=0.1)
        target = simulation.one_hot(simulation.greedy(customers, price=3.0)) * 0.9 + 0.02
        expected = off_policy.fitted_rewards(log, simulation.features(customers))
        ours = off_policy.evaluate("target", log, target, expected).estimates
        direct, residuals = (target * expected).sum(1), log.rewards - log.chosen(expected)
        weights = log.weights(target)
        values = {name: ours[name].value for name in ("dm", "ips", "snips", "dr")} | {
            "switch_dr": (direct + off_policy.switched(weights, threshold) * residuals).mean(),
            "dr_shrunk": (direct + off_policy.shrunk(weights, shrinkage) * residuals).mean(),
        }
        inputs = {
            "reward": log.rewards,
            "action": log.actions,
            "pscore": log.chosen(log.propensities),
            "action_dist": target[:, :, None],
            "estimated_rewards_by_reg_model": expected[:, :, None],
            "position": np.zeros(len(log), int),
        }
        for name, estimator in theirs.items():
            off = abs(estimator.estimate_policy_value(**inputs) - values[name])
            largest[name] = max(largest[name], float(off))
    return largest


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
        for name in table
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


def company() -> dict[str, Any]:
    """Verdicts by scenario through a small release's engine, logs and report; and false alarms."""
    found: dict[str, Any] = {name: _played(name) for name in simulation.WORLDS}
    plan, looks, alarms = OutcomesConfig(), 12, dict.fromkeys(("helps", "hurts"), 0)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        customers = simulation.draw_customers(rng, 6_000)
        treated = rng.random(len(customers)) >= 0.3
        options = np.where(treated, simulation.greedy(customers), 0)
        net = simulation.net_gain(
            customers, options, simulation.react(rng, customers, options, "none")
        )
        known = np.column_stack([customers.states[:, 0], customers.values])
        scores = doubly_robust_scores(net, treated, known, 0.7)
        sequence = confidence_sequence(scores, plan.plan_customers)
        ends = np.linspace(0, len(customers), looks + 1).astype(int)[1:] - 1
        verdicts = {
            judge(float(sequence.lower[i]), float(sequence.upper[i]), plan.value_of_interest)
            for i in ends
        }
        for verdict in alarms:
            alarms[verdict] += verdict in verdicts
    return found | {"false_alarms_in_100": alarms}


def _played(scenario: simulation.Scenario) -> dict[str, Any]:
    from churn_assets.outcomes.company import Company, run, true_gain
    from churn_assets.serving.engine import RetentionEngine
    from churn_assets.serving.feedback import open_feedback_log
    from churn_assets.serving.schemas import PredictRequest
    from churn_assets.storage.local import LocalArtifactStore
    from tests.release.small_release import build_release, made_up_rows

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_release(folder)
        customers = [
            PredictRequest.model_validate(
                {k: v for k, v in row.items() if k in PredictRequest.model_fields}
                | {"customer_id": f"S{i}", "name": "Sam"}
            )
            for i, row in enumerate(made_up_rows(6_000, 0))
        ]
        store = LocalArtifactStore(folder / "store")
        with closing(open_feedback_log(store, folder)) as feedback:
            played = Company(
                engine=RetentionEngine.load(folder / "bundle"),
                store=store,
                feedback=feedback,
                experiment=ExperimentConfig(enabled=True, control_share=0.3),
                config=OutcomesConfig(),
            )
            weeks = run(played, customers, scenario, weeks=12)
            truth = true_gain(played, scenario)
    last = weeks[-1]
    decided = [week.number for week in weeks if week.report["verdict"] == last.report["verdict"]]
    return {
        "verdict": last.report["verdict"],
        "first_in_week": decided[0],
        "weeks": last.number,
        "stopped": last.stopped,
        "truth": truth,
        **last.report["always_valid"],
        "sentence": last.report["sentence"],
    }


def predict_slowdown() -> dict[str, float]:
    """Medians of 4,000 decisions each, in turn, by a small release in this process."""
    from churn_assets.serving.decision_log.writer import DecisionWriter
    from churn_assets.serving.engine import RetentionEngine
    from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
    from churn_assets.storage.local import LocalArtifactStore
    from tests.release.small_release import build_release

    request = PredictRequest.model_validate(SAMPLE_REQUEST)
    with tempfile.TemporaryDirectory() as folder:
        build_release(Path(folder))
        engine = RetentionEngine.load(Path(folder) / "bundle")
        writer = DecisionWriter(LocalArtifactStore(Path(folder) / "store"), flush_seconds=1.0)
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(4_200):
            for logs in times:
                started = time.perf_counter()
                engine.predict(request, decisions=writer if logs else None)
                times[logs].append(time.perf_counter() - started)
        writer.close()
    without, beside = (float(np.median(times[logs][200:])) for logs in (False, True))
    return {
        "without_us": round(without * 1e6, 1),
        "with_us": round(beside * 1e6, 1),
        "ratio": round(beside / without, 4),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections: dict[str, Callable[[], Any]] = {
        "coverage": lambda: coverage(arguments.decisions),
        "company": company,
        "predict_slowdown": predict_slowdown,
    }
    if importlib.util.find_spec("obp"):
        sections |= {"obp": obp}
    mirror = os.environ.get("CHURN_DATA_MIRROR")
    if mirror:
        sections |= {
            "open_bandit": lambda: open_bandit(Path(mirror)),
            "charitable_mail": lambda: charitable_mail(Path(mirror)),
        }
    parser.add_argument("--only", choices=sections, nargs="*", default=list(sections))
    parser.add_argument("--decisions", type=int, nargs="*", default=[10_000, 100_000])
    arguments = parser.parse_args()
    for name in arguments.only:
        found = sections[name]()
        report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
        report[name] = report.get(name, {}) | found
        REPORT.write_text(json.dumps(dict(sorted(report.items())), indent=1) + "\n")
        print(name, json.dumps(report[name], indent=1))


if __name__ == "__main__":
    main()
