"""Release swaps under load: a test runs it for seconds, a benchmark for a minute."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_small_release
from tests.api.load import LoadReport, drive, post_request
from tests.api.server import Server, running


@dataclass
class SwapOutcome:
    """What the load saw.

    Attributes:
        good: ids of the releases that were put into service, in order.
        broken: id of the damaged one.
        served: release id -> answers made with it.
        problem: what /readyz said while the damaged one was the latest.
        serving: what served at the end.
    """

    report: LoadReport
    good: list[str]
    broken: str
    served: Counter[str]
    problem: str
    serving: str


def swap_under_load(workspace: Path, seconds: float, connections: int) -> SwapOutcome:
    """Serve a first release under constant load for at least `seconds`; swap in three good ones, a
    broken one after the second, and a fourth good one after that."""
    home = workspace / "home"
    good = [publish_small_release(home, workspace / "r0", seed=0)]
    served: Counter[str] = Counter()
    notes: dict[str, str] = {}
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0", CHURN_API__POLL_SECONDS="0.1") as server:

        def operate() -> None:
            pause = seconds / 6  # there are six of them
            for number in range(1, 5):
                time.sleep(pause)
                if number == 3:
                    notes["broken"] = publish_small_release(
                        home, workspace / "broken", seed=99, damage=True
                    )
                    time.sleep(pause)
                    notes["problem"] = _ready(server, lambda said: bool(said["problem"]))["problem"]
                good.append(publish_small_release(home, workspace / f"r{number}", seed=number))
                _settled(server, good[-1])
            time.sleep(pause)
            done.set()

        done = threading.Event()
        operator = threading.Thread(target=operate)
        operator.start()
        body = post_request(server.url, "/predict", SAMPLE_REQUEST)

        def note(_: bytes, status: int, answer: bytes) -> None:
            if status == 200:
                served[json.loads(answer)["metadata"]["release_id"]] += 1

        report = drive(
            server.url,
            [body],
            connections=connections,
            seconds=2 * seconds + 60,
            until=done,
            on_answer=note,
        )
        operator.join()
        serving = _settled(server, good[-1])
    return SwapOutcome(report, good, notes["broken"], served, notes["problem"], serving)


def _settled(server: Server, expected: str) -> str:
    return str(_ready(server, lambda said: said["release_id"] == expected)["release_id"])


def _ready(server: Server, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What /readyz says once it says what is waited for, or after a minute."""
    deadline = time.monotonic() + 60
    while True:
        said: dict[str, Any] = httpx.get(server.url + "/readyz").json()
        if until(said) or time.monotonic() > deadline:
            return said
        time.sleep(0.1)
