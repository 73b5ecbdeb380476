"""The closed loop through the service: do customers bring what the policy report says they bring?

    python -m benchmarks.decision.closed_loop [--release FOLDER] [--customers FOLDER]

Simulated customers with the test customers' columns are decided on by a release: whole periods, one
request a decision, with nothing but what a caller knows (columns, contacts, days, answers, what is
left of the allowance). What they bring is held against the exact expectation of the same policy on
the same customers, first with the engine in this process, then through `POST /predict` of a server
process. The same once more without the answers, as before this version: what that costs. The
exact planner is served by a copy of the release in which it stands in the policy's place.
Writes closed_loop.md. By default the newest release and `telco_customers`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq

from benchmarks.artifacts import current_folder
from benchmarks.decision.tables import table
from churn_assets.decision.evaluation.closed_loop import Book, Decide, close_the_loop
from churn_assets.decision.exact.policy_value import Evaluation, evaluate
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.transitions import Actions
from churn_assets.decision.policy import load_policy, save_rule
from churn_assets.decision.rules.planner import Planner
from churn_assets.release.bundle import MANIFEST, read_manifest, write_manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.rehearsal import EngineRehearsal
from churn_assets.serving.schemas import PredictRequest
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.opening import open_store
from tests.api.server import running

HERE = Path(__file__).parents[1]
EPISODES, HTTP_EPISODES = 80_000, 1_000
CONNECTIONS = 8
GOLDEN_REQUESTS = 8
Row = Mapping[str, Any]
Ask = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]
"""Requests in, `decision` of each answer out."""


@dataclass(frozen=True)
class Caller:
    """Who knows a release's customers by their columns and what has happened to them since.

    rows: the customers' columns, as in a request. ask: the service. baseline: whether to ask for
    the rule. tells_answers: False for a caller of before there were fields for them.
    """

    rows: Sequence[Row]
    ask: Ask
    baseline: bool = False
    tells_answers: bool = True

    def __call__(self, book: Book) -> Actions:
        """The service's decisions (E, 3); a `closed_loop.Decide`."""
        decisions = self.ask([self.request(book, i) for i in range(len(book.customer))])
        fields = ("contact", "offer_level", "delay_days")
        return np.array([[int(d[name]) for name in fields] for d in decisions], dtype=np.int64)

    def request(self, book: Book, i: int) -> dict[str, Any]:
        """What is known of the i-th customer, as a body of `POST /predict`."""
        row = {
            name: value for name, value in self.rows[book.customer[i]].items() if name != "churn"
        }
        known = {
            "name": "Sam",
            "time_zone": "UTC",
            "contacts_this_period": int(book.contacts[i]),
            "days_since_contact": int(book.days_since_contact[i]),
            "budget_remaining": float(book.budget_remaining[i]),
            "force_baseline": self.baseline,
        }
        if self.tells_answers:
            known |= {
                "acceptances_this_period": int(book.answers.acceptances[i]),
                "refusals_this_period": int(book.answers.refusals[i]),
                "acceptances_in_cooldown": int(book.answers.acceptances_in_cooldown[i]),
                "acceptances_without_discount": int(book.answers.bare(book.params)[i]),
            }
        return {**row, **known}


def by_engine(engine: RetentionEngine) -> Ask:
    """The service in this process."""

    def ask(bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        requests = [PredictRequest.model_validate(body) for body in bodies]
        answers = engine.predict_many(requests, with_message=False, explain=False)
        return [answer["decision"] for answer in answers]

    return ask


def by_http(client: httpx.Client, connections: int = CONNECTIONS) -> Ask:
    """The service at the other end of HTTP: one `POST /predict` a customer, some at a time."""

    def one(body: dict[str, Any]) -> dict[str, Any]:
        response = client.post("/predict", json=body)
        if response.status_code != httpx.codes.OK:
            raise AssertionError(f"POST /predict: {response.status_code} {response.text[:500]}")
        decision: dict[str, Any] = response.json()["decision"]
        return decision

    def ask(bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(connections) as pool:
            return list(pool.map(one, bodies))

    return ask


def customers_of(assessor: Assessor, rows: Sequence[Row]) -> Customers:
    """The customers as the decision environment draws them: the release's own predictions, of those
    whom a model learnt from the one of the model that didn't."""
    seen = assessor.assess(rows)
    return Customers(seen.risk, seen.accept, seen.values)


def with_planner(release: Path, history: Path, out: Path) -> Path:
    """A copy of a release that serves the exact planner of its network's world, at its price.

    Raises:
        TypeError: the release serves no network.
    """
    network = load_policy(release / "policy")
    if not isinstance(network, NetworkPolicy):
        raise TypeError(f"{release} serves {network.name}, which knows no price of the budget")
    shutil.copytree(release, out)
    shutil.rmtree(out / "policy")
    save_rule(Planner(params=network.spec.params, price=network.spec.price), out / "policy")
    made = read_manifest(release)
    (out / MANIFEST).unlink()
    EngineRehearsal(load_settings().api.default_time_zone).write_golden(
        out, history, GOLDEN_REQUESTS, made.settings["messages"]
    )
    facts = made.model_dump(exclude={"release_id", "created", "content", "files"})
    facts["report"].pop("release_id")
    write_manifest(out, **facts)
    return out


@contextmanager
def served(folder: Path, home: Path) -> Iterator[httpx.Client]:
    """A server process with this release, open to all, without a rate limit."""
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    registry.promote(registry.publish(folder).release_id, "the benchmark's")
    with (
        running(home, CHURN_API__REQUESTS_PER_SECOND="0") as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        yield client


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--release", type=Path, help="a release's folder")
    parser.add_argument("--customers", type=Path, help="folder of telco_customers")
    given = parser.parse_args()
    settings = load_settings()
    folder = given.release or ReleaseRegistry(open_store(settings.store_url)).folder()
    source = given.customers or current_folder("telco_customers")
    rows = pq.read_table(source / "test.parquet").to_pylist()
    engine = RetentionEngine.load(folder)
    customers = customers_of(engine.assessor, rows)
    params = engine.assessor.params
    lines = []

    def measure(how: str, policy: Policy, decide: Decide, found: Evaluation, count: int) -> None:
        begun = time.perf_counter()
        loop = close_the_loop(decide, customers, found, params, count).figures
        lines.append(
            [
                policy.name,
                how,
                f"{count:,}",
                f"{100 * loop['uplift_ratio']:.1f} %",
                f"{loop['z_uplift']:+.2f}",
                f"{100 * loop['spend_ratio']:.1f} %",
                f"{loop['z_spend']:+.2f}",
            ]
        )
        print(*lines[-1], f"{time.perf_counter() - begun:.0f} s", flush=True)

    def measure_release(folder: Path, home: Path, *, also_rule: bool) -> None:
        engine = RetentionEngine.load(folder)
        policies = [engine.assessor.policy, *([engine.assessor.baseline] if also_rule else [])]
        with served(folder, home) as client:
            for baseline, policy in enumerate(policies):
                found = evaluate(policy, customers, params)
                here, there = by_engine(engine), by_http(client)
                whole = Caller(rows, here, bool(baseline))
                measure("the engine in process", policy, whole, found, EPISODES)
                over = Caller(rows, there, bool(baseline))
                measure("`POST /predict`", policy, over, found, HTTP_EPISODES)
                stale = Caller(rows, here, bool(baseline), tells_answers=False)
                measure("answers not told", policy, stale, found, EPISODES)

    with tempfile.TemporaryDirectory() as scratch:
        planned = with_planner(
            folder, current_folder("customer_history"), Path(scratch) / "planned"
        )
        measure_release(folder, Path(scratch) / "one", also_rule=True)
        measure_release(planned, Path(scratch) / "other", also_rule=False)
    head = ["policy", "asked", "episodes", "uplift / reported", "z", "spend / reported", "z"]
    (HERE / "closed_loop.md").write_text(PAGE.format(len(customers), table(head, lines)))


PAGE = """# The closed loop

{} test customers, whole periods, one request a decision, with what a caller knows: made by
`python -m benchmarks.decision.closed_loop`. *Reported*: the policy's exact figures on the same
customers.
*z*: standard errors between what the episodes brought and what was reported.

{}

"Answers not told" is a caller who sends contacts, days and allowance but not who accepted: what the
service could be told before there were fields for it. It goes on giving to those who have accepted.
"""


if __name__ == "__main__":
    main()
