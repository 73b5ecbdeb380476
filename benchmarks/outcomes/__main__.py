"""How well effects are found where the truth is known: `python -m benchmarks.outcomes`.

Writes `benchmarks/outcomes.json`, a section at a time (`--only`):

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
- `rare_churn`: churn rate -> how many of 300 campaigns without any effect were ever told that
  contacting helps or hurts, with a control group of a tenth, and how many had it been told however
  few had left (`at_any_look`).
- `learning`: how soon known answers tell better than the accept model who accepts
  (`outcomes_learning`).
- `predict_slowdown`: median time of a decision with the decision log over that without it: over
  HTTP (`outcomes_slowdown`), and in one process.

The real data are read from CHURN_DATA_MIRROR; a section without its data is left as it was.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.outcomes import simulated_customers
from benchmarks.outcomes.data import charitable_mail, open_bandit
from benchmarks.outcomes.learning import learning
from benchmarks.outcomes.slowdown import predict_slowdown
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.outcomes import off_policy, simulation
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.inference import (
    FEWEST,
    confidence_sequence,
    doubly_robust_scores,
    enough_of_both,
)
from churn_assets.outcomes.lift import Verdict, judge
from churn_assets.outcomes.off_policy import ESTIMATORS, Log, UnsupportedTargetError

REPORT = Path(__file__).parents[1] / "outcomes.json"
REPETITIONS = 300
OF_INTEREST = 20.0  # a customer, in currency: the smallest gain that would matter
KINDS = 1_000  # by this, the truth is known to a hundredth of the finest standard error
TARGETS: dict[str, Callable[[simulation.Customers], Any]] = {
    "champion": simulated_customers.greedy,
    "challenger": lambda c: simulated_customers.greedy(c, price=3.0),
    "rule": lambda c: np.where(c.states[:, 0] > 0.3, 3, 0),
    "never": lambda c: np.zeros(len(c), int),
    "always": lambda c: np.full(len(c), 4),
}


def coverage(counts: list[int], repetitions: int) -> dict[str, Any]:
    """Share of 95 % intervals that hold the target's true value, and what was refused."""
    population = simulated_customers.every_kind(KINDS)
    worth = simulation.expected_net(population)
    truth = {
        name: float(worth[np.arange(len(population)), options(population)].mean())
        for name, options in TARGETS.items()
    }
    found: dict[str, Any] = {"truth": truth}
    for count in counts:
        found[str(count)] = _coverage(count, truth, repetitions)
    found["without_a_control_group"] = _without_control()
    return found


def _coverage(count: int, truth: dict[str, float], repetitions: int) -> dict[str, Any]:
    names = [name for name in ESTIMATORS if name != "dm"]
    hits = {target: dict.fromkeys(names, 0) for target in TARGETS}
    effective = dict.fromkeys(TARGETS, 0.0)
    for seed in range(repetitions):
        customers, log = simulated(seed, count, control=0.1)
        expected = off_policy.fitted_rewards(log, simulated_customers.features(customers))
        for target, options in TARGETS.items():
            probabilities = simulated_customers.one_hot(options(customers))
            result = off_policy.evaluate(target, log, probabilities, expected)
            effective[target] += result.effective / repetitions
            for name in names:
                estimate = result.estimates[name]
                hits[target][name] += estimate.lower <= truth[target] <= estimate.upper
    return {
        target: {name: round(n / repetitions, 4) for name, n in of.items()}
        | {"effective": round(effective[target]), "repetitions": repetitions}
        for target, of in hits.items()
    }


def simulated(seed: int, count: int, control: float) -> tuple[simulation.Customers, Log]:
    """Decisions of a policy that explores with 20 % and leaves a share alone."""
    rng = np.random.default_rng(seed)
    customers = simulated_customers.draw_customers(rng, count)
    chosen = simulated_customers.one_hot(simulated_customers.greedy(customers))
    propensities = (1 - control) * (0.8 * chosen + 0.2 / simulation.OPTIONS)
    propensities[:, 0] += control
    options = (rng.random((count, 1)) > propensities.cumsum(1)[:, :-1]).sum(1)
    reactions = simulation.react(rng, customers, options)
    return customers, Log(
        options, simulated_customers.net_gain(customers, options, reactions), propensities
    )


def _without_control() -> str:
    """What is said of `never` where the log has neither a control group nor exploration."""
    rng = np.random.default_rng(0)
    customers = simulated_customers.draw_customers(rng, 10_000)
    always = np.full(len(customers), 4)
    reactions = simulation.react(rng, customers, always)
    log = Log(
        always,
        simulated_customers.net_gain(customers, always, reactions),
        simulated_customers.one_hot(always),
    )
    never = simulated_customers.one_hot(TARGETS["never"](customers))
    try:
        off_policy.evaluate("never", log, never, np.zeros_like(never))
    except UnsupportedTargetError as error:
        return str(error)
    raise AssertionError("never was estimated from a log that never left anybody alone")


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
        target = (
            simulated_customers.one_hot(simulated_customers.greedy(customers, price=3.0)) * 0.9
            + 0.02
        )
        expected = off_policy.fitted_rewards(log, simulated_customers.features(customers))
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


def company() -> dict[str, Any]:
    """Verdicts by scenario through a small release's engine, logs and report; and what a hundred
    companies without any effect, and ten times as large ones, were ever told."""
    found: dict[str, Any] = {name: _played(name) for name in simulation.WORLDS}
    told = [_told_of_nothing(seed, 6_000) for seed in range(100)]
    alarms = {verdict: sum(verdict in each for each in told) for verdict in ("helps", "hurts")}
    larger = [_told_of_nothing(seed, 60_000) for seed in range(100, 120)]
    return found | {
        "false_alarms_in_100": alarms,
        "told_of_no_effect_in_20_of_60000": {
            "first": sorted({each[0] for each in larger}),
            "last": {
                verdict: [e[-1] for e in larger].count(verdict) for verdict in get_args(Verdict)
            },
        },
    }


def _told_of_nothing(seed: int, count: int, looks: int = 12) -> list[str]:
    """The verdicts, look by look, on customers whom contacting does nothing to."""
    rng, plan = np.random.default_rng(seed), OutcomesConfig(value_of_interest=OF_INTEREST)
    customers = simulated_customers.draw_customers(rng, count)
    treated = rng.random(count) >= 0.3
    options = np.where(treated, simulated_customers.greedy(customers), 0)
    reactions = simulation.react(rng, customers, options, "none")
    net = simulated_customers.net_gain(customers, options, reactions)
    known = np.column_stack([customers.states[:, 0], customers.values])
    sequence = confidence_sequence(
        doubly_robust_scores(net, treated, known, 0.7), plan.plan_customers
    )
    ends = np.linspace(0, count, looks + 1).astype(int)[1:] - 1
    return [judge(float(sequence.lower[i]), float(sequence.upper[i]), OF_INTEREST) for i in ends]


def rare_churn() -> dict[str, Any]:
    """False findings of `REPETITIONS` campaigns by churn rate, where few leave in the horizon."""
    counts = {0.26: 4_000, 0.05: 6_000, 0.02: 10_000, 0.01: 20_000}
    found: dict[str, Any] = {"campaigns": REPETITIONS, "control": 0.1}
    for rate, count in counts.items():
        told = [_told_of_rare(seed, count, rate) for seed in range(REPETITIONS)]
        found[str(rate)] = {
            "customers": count,
            **{
                kind: {v: sum(v in looks[kind] for looks in told) for v in ("helps", "hurts")}
                for kind in ("told", "at_any_look")
            },
        }
    return found


def _told_of_rare(seed: int, count: int, rate: float) -> dict[str, set[str]]:
    """The verdicts at looks from 200 customers on: those that are told, and those of all looks."""
    rng, plan = np.random.default_rng(seed), OutcomesConfig(value_of_interest=OF_INTEREST)
    risk, value = rng.beta(1, 1 / rate - 1, count), rng.uniform(200, 1_400, count)
    treated, churned = rng.random(count) >= 0.1, rng.random(count) < risk
    known, net = np.column_stack([risk, value]), value * ~churned
    enough = enough_of_both(churned.astype(float), treated, value)
    found: dict[str, set[str]] = {"told": set(), "at_any_look": set()}
    for n in sorted({*range(200, 2_001, 100), *range(2_000, count + 1, max(500, count // 20))}):
        if n - treated[:n].sum() < FEWEST:
            continue
        scores = doubly_robust_scores(net[:n], treated[:n], known[:n], 0.9)
        sequence = confidence_sequence(scores, plan.plan_customers)
        bounds = float(sequence.lower[-1]), float(sequence.upper[-1])
        verdict = judge(*bounds, OF_INTEREST)
        found["at_any_look"].add(verdict)
        if enough[n - 1]:
            found["told"].add(verdict)
    return found


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
                experiment=ExperimentConfig(enabled=True, control_share=0.3, exploration=0.0),
                config=OutcomesConfig(value_of_interest=OF_INTEREST),
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.outcomes", description=__doc__.splitlines()[0]
    )
    sections: dict[str, Callable[[], Any]] = {
        "coverage": lambda: coverage(arguments.decisions, arguments.repetitions),
        "company": company,
        "rare_churn": rare_churn,
        "learning": learning,
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
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    arguments = parser.parse_args()
    for name in arguments.only:
        found = sections[name]()
        report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
        earlier = (
            report.get(name, {}) if name == "coverage" else {}
        )  # of other numbers of decisions
        report[name] = earlier | found
        REPORT.write_text(json.dumps(dict(sorted(report.items())), indent=1) + "\n")
        print(name, json.dumps(report[name], indent=1))


if __name__ == "__main__":
    main()
