"""What the decision log costs: `POST /predict` with it beside `POST /predict` without it.

Over HTTP two servers of one release stand side by side, one with the log and one without, and are
asked by one connection in short turns (with, without, without, with, ...), so that whatever else
the machine does slows both alike. A process may be a little faster than its twin for reasons of its
own, so every few turns both are started anew, and a pair of servers that *both* go without the log
says how far the ratio is off where there is nothing to see. Beside the time that the caller waits
stands the processor time that a server took for an answer, writing the log included, which another
program on the machine doesn't lengthen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from churn_assets.domain.statistics import Floats
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.load import LoadReport, drive, post_request
from tests.api.server import Server, cpu_seconds, running
from tests.release.small_release import build_release

STARTS, TURNS, TURN_SECONDS, WARM_UP_SECONDS = 4, 12, 0.5, 2.5
FREE: dict[str, Any] = {"CHURN_API__REQUESTS_PER_SECOND": "1000000", "CHURN_API__BURST": "1000000"}


def predict_slowdown() -> dict[str, Any]:
    """Medians with the log, without it, and their ratio: over HTTP, and in this process alone."""
    return {"http": over_http(), "in_process": in_process()}


def over_http(
    starts: int = STARTS, turns: int = TURNS, seconds: float = TURN_SECONDS
) -> dict[str, Any]:
    """`with_and_without` and `both_without`: medians in milliseconds, the median and quartiles of
    the turns' ratios, processor milliseconds an answer and their ratio; and `ratio`, of the former.
    """
    found: dict[str, Any] = {}
    for name, logs in (("with_and_without", (True, False)), ("both_without", (False, False))):
        pairs = [_started(logs, turns, seconds) for _ in range(starts)]
        waited = np.vstack([medians for medians, _ in pairs])
        worked = np.mean([cpu for _, cpu in pairs], axis=0)
        ratios = waited[:, 0] / waited[:, 1]
        found[name] = {
            "p50_ms": np.median(waited, axis=0).round(4).tolist(),
            "ratio": round(float(np.median(ratios)), 4),
            "quartiles": np.quantile(ratios, [0.25, 0.75]).round(4).tolist(),
            "turns": len(ratios),
            "processor_ms": worked.round(4).tolist(),
            "processor_ratio": round(float(worked[0] / worked[1]), 4),
        }
    return {"ratio": found["with_and_without"]["ratio"], **found}


def _started(logs: tuple[bool, bool], turns: int, seconds: float) -> tuple[Floats, Floats]:
    """A fresh pair of servers: medians in milliseconds (turns, 2), and processor milliseconds an
    answer (2,)."""
    with ExitStack() as stack:
        pair = [stack.enter_context(_serving(log)) for log in logs]
        for server in pair:
            _asked(server, WARM_UP_SECONDS)  # first decisions and a first flush load libraries
        worked, answers = [-cpu_seconds(server.process.pid) for server in pair], [0, 0]
        medians = np.empty((turns, 2))
        for turn in range(turns):
            for place in (0, 1) if turn % 2 == 0 else (1, 0):
                report = _asked(pair[place], seconds)
                medians[turn, place] = report.percentile(50)
                answers[place] += len(report.latencies)
        for place, server in enumerate(pair):
            worked[place] += cpu_seconds(server.process.pid)
    return medians, 1e3 * np.array(worked) / np.array(answers)


@contextmanager
def _serving(log: bool) -> Iterator[Server]:
    """A server of a small release; afterwards its log must hold what it should."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        publish_small_release(home, Path(name) / "release")
        with running(
            home, forked=False, **FREE, CHURN_API__DECISION_LOG=str(log).lower()
        ) as server:
            yield server
        logged = len(parts.read(LocalArtifactStore(home / "store")))
        if bool(logged) is not log:
            raise RuntimeError(
                f"the log holds {logged} decisions where it is {log} that it is kept"
            )


def _asked(server: Server, seconds: float) -> LoadReport:
    """One connection asks one question after another."""
    request = post_request(server.url, "/predict", SAMPLE_REQUEST)
    report = drive(server.url, [request], connections=1, seconds=seconds)
    if report.failures:
        raise RuntimeError(f"requests failed: {report.failures[:3]}")
    return report


def in_process(calls: int = 4_000) -> dict[str, float]:
    """Medians of so many decisions each, in turn, by a small release's engine without HTTP."""
    request = PredictRequest.model_validate(SAMPLE_REQUEST)
    with tempfile.TemporaryDirectory() as folder:
        build_release(Path(folder))
        engine = RetentionEngine.load(Path(folder) / "bundle")
        writer = DecisionWriter(LocalArtifactStore(Path(folder) / "store"), flush_seconds=1.0)
        times: dict[bool, list[float]] = {False: [], True: []}
        warm_up = calls // 20
        for _ in range(calls + warm_up):
            for logs in times:
                started = time.perf_counter()
                engine.predict(request, decisions=writer if logs else None)
                times[logs].append(time.perf_counter() - started)
        writer.close()
    without, beside = (float(np.median(times[logs][warm_up:])) for logs in (False, True))
    return {
        "without_us": round(without * 1e6, 1),
        "with_us": round(beside * 1e6, 1),
        "ratio": round(beside / without, 4),
    }
