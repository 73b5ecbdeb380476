"""How fast decisions are: in process, in batches, and over HTTP against an empty endpoint.

    python benchmarks/serving.py            # writes benchmarks/serving.md

Serves the latest release of the artifact store that the settings name. All servers are single
uvicorn processes on loopback; the load alternates between them in short rounds, so that a busy
machine slows all alike. Ours logs every request; the empty endpoint is measured without a log, and
with uvicorn's.
"Without message" is a customer above the contact cap, whom nobody contacts.
"""

# ruff: noqa: E402 - the tests' server and load generator are no installed package

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from api.main import tune_collector
from churn_assets.predictors.scoring.forest import Forest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.batch import BatchRequest, answer_batch
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.settings import load_settings
from churn_assets.storage.opening import open_store
from tests.api.load import LoadReport, drive, post_request
from tests.api.server import Server, cpu_seconds, running

ROUNDS = 6
ROUND_SECONDS = 2.0
CLOSED = {**SAMPLE_REQUEST, "days_since_contact": 1, "contacts_this_period": 4}


@dataclass(frozen=True)
class Timing:
    """Milliseconds a call took on the clock and on the processor.

    The clock is what a caller feels; the processor's time leaves out that other programs ran.
    """

    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]

    def __str__(self) -> str:
        return self.at(50)

    def at(self, q: float) -> str:
        """A percentile: `clock ms (processor ms)`."""
        return f"{np.percentile(self.wall, q):.2f} ms ({np.percentile(self.cpu, q):.2f} ms)"


def time_calls(call: Callable[[], Any], count: int) -> Timing:
    """Time `count` calls after a warm-up."""
    for _ in range(count // 10 + 1):
        call()
    times = np.empty((2, count))
    for i in range(count):
        wall, cpu = time.perf_counter(), time.thread_time()
        call()
        times[:, i] = time.perf_counter() - wall, time.thread_time() - cpu
    return Timing(*(times * 1e3))


def in_process(engine: RetentionEngine) -> list[tuple[str, str, str]]:
    """Decisions and batches without HTTP."""
    request = PredictRequest.model_validate(SAMPLE_REQUEST)
    decision = time_calls(lambda: engine.predict(request, with_message=False), 3_000)
    message = time_calls(lambda: engine.predict(request), 2_000)
    rng = np.random.default_rng(0)
    customers = [
        {
            **SAMPLE_REQUEST,
            "customer_id": f"C{i}",
            "tenure": int(rng.integers(0, 72)),
            "monthly_charges": float(rng.uniform(20, 120)),
        }
        for i in range(1_000)
    ]
    requests = [PredictRequest.model_validate(customer) for customer in customers]
    bare = time_calls(lambda: engine.predict_many(requests, with_message=False, explain=False), 20)
    explained = time_calls(lambda: engine.predict_many(requests, with_message=False), 20)
    silent = BatchRequest(customers=customers, with_messages=False, with_reasons=False)
    batch = time_calls(lambda: answer_batch(engine, silent, forced=False), 20)
    loud = BatchRequest(customers=customers, with_messages=True)
    written = time_calls(lambda: answer_batch(engine, loud, forced=False), 10)
    return [
        ("decision, reasons and alternatives, no message: p50", decision.at(50), "≤ 1 ms"),
        ("the same: p99", decision.at(99), "≤ 5 ms"),
        ("with message: p50", message.at(50), ""),
        ("with message: p99", message.at(99), ""),
        ("1,000 customers, decisions and alternatives", str(bare), "≤ 50 ms"),
        ("the same with reasons", str(explained), ""),
        ("`/predict/batch` of 1,000, validation too, no reasons", str(batch), ""),
        ("`/predict/batch` of 1,000 with reasons and messages", str(written), ""),
    ]


def load_in_turn(servers: Sequence[Server], connections: int) -> list[LoadReport]:
    """Load the servers in turn, `ROUNDS` times each, and pool the rounds."""
    pooled = [LoadReport() for _ in servers]
    for _ in range(ROUNDS):
        for server, total in zip(servers, pooled, strict=True):
            body = post_request(server.url, "/predict", CLOSED)
            report = drive(server.url, [body], connections=connections, seconds=ROUND_SECONDS)
            total.latencies += report.latencies
            total.failures += report.failures
            total.seconds += report.seconds
    return pooled


def over_http(home: Path) -> list[tuple[str, str, str]]:
    """Our server against the empty endpoint, one and 32 connections."""
    empty_app = "tests.api.empty_app:app", "/healthz"
    with (
        running(home, CHURN_API__REQUESTS_PER_SECOND="1000000", CHURN_API__BURST="1000000") as ours,
        running(home, *empty_app, arguments=("--no-access-log",)) as silent,
        running(home, *empty_app) as logging,
    ):
        servers = ours, silent, logging
        load_in_turn(servers, 1)  # warm-up
        return [row for connections in (1, 32) for row in compare(servers, connections)]


def compare(
    servers: tuple[Server, Server, Server], connections: int
) -> Iterator[tuple[str, str, str]]:
    """Rows for ours against both empty ones: silent, and logging each request as ours does."""
    before = [cpu_seconds(server.process.pid) for server in servers]
    reports = load_in_turn(servers, connections)
    for report in reports:
        assert not report.failures, report.failures[:3]
    p50 = [report.percentile(50) for report in reports]
    rate = [report.rate for report in reports]
    cpu = [
        (cpu_seconds(server.process.pid) - start) / len(report.latencies) * 1e3
        for server, start, report in zip(servers, before, reports, strict=True)
    ]
    what = f"{connections} connection{'s' if connections > 1 else ''}"
    yield (
        f"HTTP p50, ours / empty / empty with log, {what}",
        f"{p50[0]:.2f} / {p50[1]:.2f} / {p50[2]:.2f} ms = "
        f"{p50[0] / p50[1]:.2f} × / {p50[0] / p50[2]:.2f} ×",
        "≤ 1.5 ×",
    )
    yield (
        f"requests/s, {what}",
        f"{rate[0]:,.0f} / {rate[1]:,.0f} / {rate[2]:,.0f} = "
        f"{rate[0] / rate[1]:.0%} / {rate[0] / rate[2]:.0%}",
        "≥ 60 %" if connections == 32 else "",
    )
    yield (
        f"processor time a request, {what}",
        f"{cpu[0]:.2f} / {cpu[1]:.2f} / {cpu[2]:.2f} ms = "
        f"{cpu[0] / cpu[1]:.2f} × / {cpu[0] / cpu[2]:.2f} ×",
        "",
    )
    yield f"HTTP p99, ours, {what}", f"{reports[0].percentile(99):.2f} ms", ""


def main() -> None:
    """Measure and write the table."""
    tune_collector()  # as the server does
    settings = load_settings()
    store = open_store(settings.store_url, cache=settings.home / "cache")
    folder = ReleaseRegistry(store).folder()
    started = time.perf_counter()
    engine = RetentionEngine.load(folder)
    loading = (time.perf_counter() - started) * 1e3
    assert engine.predict(PredictRequest.model_validate(CLOSED))["message"] is None
    rows = [("release loaded and verified", f"{loading:.0f} ms", ""), *in_process(engine)]
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(settings.store_url, Path(home) / "store")
        rows += over_http(Path(home))
    model = engine.assessor.risk.model.forest
    trees = model.leaf.shape[1] if isinstance(model, Forest) else 0  # else a regression
    lines = [
        "# Serving speed",
        "",
        f"Two cores, load average {os.getloadavg()[1]:.1f}, one server process, policy "
        f"`{engine.assessor.policy.name}`, {trees} trees in the risk model. "
        "`python benchmarks/serving.py`; in brackets the processor's time.",
        "",
        "| what | measured | goal |",
        "|---|---|---|",
        *(f"| {what} | {measured} | {goal} |" for what, measured, goal in rows),
        "",
    ]
    Path(ROOT / "benchmarks/serving.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
