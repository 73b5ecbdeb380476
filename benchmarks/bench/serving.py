"""The service: over HTTP against an endpoint that does nothing, in batches, and as it starts."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.bench.measuring import Row, compared, cpu_of, limited
from benchmarks.bench.world import World
from churn_assets.release.bundle import GOLDEN
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.batch import BatchRequest, answer_batch
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import write_golden
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.api.load import LoadReport, drive, post_request
from tests.api.server import Server, cpu_seconds, running
from tests.release.small_release import reseal

ROUNDS, ROUND_SECONDS = 6, 2.0
LIVE_SECONDS = 5.0
CLOSED = {**SAMPLE_REQUEST, "days_since_contact": 1, "contacts_this_period": 4}
"""Whom nobody contacts any more: the decision alone, no message."""
FREE: dict[str, Any] = {"CHURN_API__REQUESTS_PER_SECOND": "1000000", "CHURN_API__BURST": "1000000"}
EMPTY = "tests.api.empty_app:app"
EMPTY_IS = "an empty FastAPI endpoint with the same request model"


def home_of(world: World, folder: str) -> Path:
    """A server's own home, with a copy of the store: no server writes into what is measured on."""
    home = Path(folder) / "home"
    shutil.copytree(world.home / "store", home / "store")
    return home


def load_in_turn(servers: Sequence[Server], connections: int) -> list[list[LoadReport]]:
    """Both servers' reports, a round each in turn, so that a busy machine slows both alike."""
    return [
        [
            drive(
                server.url,
                [post_request(server.url, "/predict", CLOSED)],
                connections=connections,
                seconds=ROUND_SECONDS,
            )
            for server in servers
        ]
        for _ in range(ROUNDS)
    ]


def http(connections: int) -> Callable[[World], Iterator[Row]]:
    """`POST /predict` over so many connections."""

    def line(world: World) -> Iterator[Row]:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            home = home_of(world, folder)
            servers = [
                stack.enter_context(running(home, forked=False, **FREE)),
                stack.enter_context(running(home, EMPTY, "/healthz")),
            ]
            load_in_turn(servers, connections)  # warm-up
            before = [cpu_seconds(server.process.pid) for server in servers]
            rounds = load_in_turn(servers, connections)
            cpu = [cpu_seconds(s.process.pid) - b for s, b in zip(servers, before, strict=True)]
        for failed in (report.failures for both in rounds for report in both):
            if failed:
                raise RuntimeError(f"requests failed: {failed[:3]}")
        yield from _compared(connections, rounds, cpu)

    return line


def _compared(connections: int, rounds: list[list[LoadReport]], cpu: list[float]) -> Iterator[Row]:
    answered = [sum(len(both[i].latencies) for both in rounds) for i in (0, 1)]
    each = [used / count * 1e3 for used, count in zip(cpu, answered, strict=True)]
    note = f"processor time a request {each[0]:.2f} / {each[1]:.2f} ms = {each[0] / each[1]:.2f} ×"
    name = f"`/predict` over HTTP, {connections} connection{'s' * (connections > 1)}"
    p50, p99 = (np.array([[r.percentile(q) for r in both] for both in rounds]) for q in (50, 99))
    goal = 1.5 if connections == 1 else 1.1
    yield compared(f"{name}: p50", p50, goal, EMPTY_IS, unit="ms", note=note)
    if connections > 1:
        yield compared(f"{name}: p99", p99, 2.0, EMPTY_IS, unit="ms")
        rates = np.array([[report.rate for report in both] for both in rounds])
        ours, peer = np.median(rates, axis=0)
        share = rates[:, 0] / rates[:, 1]
        yield Row(
            f"{name}: requests a second",
            float(ours),
            float(peer),
            float(ours / peer),
            "≥ 90 %",
            bool(ours / peer >= 0.9),
            unit="1/s",
            peer_is=EMPTY_IS,
            spread=(float(share.min()), float(share.max())),
        )


def live(world: World) -> Iterator[Row]:
    """`POST /predict` where a language model writes: eight candidates a message, the best sent."""
    with tempfile.TemporaryDirectory() as folder:
        home = home_of(world, folder)
        with_language_model(world, home, Path(folder) / "release")
        sources: Counter[str] = Counter()

        def count(_: bytes, status: int, body: bytes) -> None:
            told = json.loads(body)["metadata"] if status == 200 else {}
            sources[told.get("not_generated") or told.get("message_source") or "no message"] += 1

        with running(home, forked=False, **FREE) as server:
            asked = [post_request(server.url, "/predict", row) for row in world.requests(200)]

            def load(connections: int) -> LoadReport:
                return drive(
                    server.url,
                    asked,
                    connections=connections,
                    seconds=LIVE_SECONDS,
                    on_answer=count,
                )

            load(1)  # warm-up
            sources.clear()
            before = cpu_seconds(server.process.pid)
            alone = [load(1) for _ in range(ROUNDS)]
            each = (cpu_seconds(server.process.pid) - before) / sources.total() * 1e3
            together = load(4)
    if failed := [text for report in (*alone, together) for text in report.failures]:
        raise RuntimeError(f"requests failed: {failed[:3]}")
    p50, p99 = together.percentile(50), together.percentile(99)
    note = (
        f"processor time a request {each:.0f} ms; 4 connections: p50 {p50:.0f}, p99 {p99:.0f} ms; "
        f"written by the model: {sources['model']} of {sources.total()}, "
        f"the others: {_reasons(sources)}"
    )
    name = "`/predict` with live generation, 8 candidates, over HTTP, 1 connection: p50"
    yield limited(name, [report.percentile(50) for report in alone], 150, "ms", note=note)


def _reasons(sources: Counter[str]) -> str:
    others = [f"{reason} ({count})" for reason, count in sources.items() if reason != "model"]
    return ", ".join(others) or "none"


def with_language_model(world: World, home: Path, folder: Path) -> None:
    """Release in `home` what serves in the world, but so that its language model is asked."""
    # Here, since it needs torch, which the other lines are measured without.
    from churn_assets.messages.writing.live import copy_for_live

    shutil.copytree(world.release, folder)
    copy_for_live(
        world.folder("message_base_model"),
        world.folder("ppo_text_model"),
        world.folder("reward_model"),
        folder / "messages" / "live",
    )
    requests = [case["request"] for case in json.loads((folder / GOLDEN).read_bytes())["cases"]]
    reseal(folder, live=True)
    write_golden(RetentionEngine.load(folder), requests, folder)  # words go by the messages' files
    reseal(folder, live=True)
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    registry.promote(registry.publish(folder).release_id, "benchmark")


def batch(world: World) -> Iterator[Row]:
    """What `/predict/batch` does with 1,000 customers: validate, decide, give reasons, write."""
    # Here, since `api` chooses Arrow's allocator for this process and those that it starts.
    from api.main import tune_collector

    tune_collector()  # as the server does
    engine = RetentionEngine.load(world.release)
    asked = BatchRequest(customers=world.requests(1_000))
    answer_batch(engine, asked, forced=False)
    found = [cpu_of(lambda: answer_batch(engine, asked, forced=False)) * 1e3 for _ in range(15)]
    answers = [row["answer"] for row in answer_batch(engine, asked, forced=False)["results"]]
    written = sum(answer["message"] is not None for answer in answers)
    name = "`/predict/batch` of 1,000 with reasons and messages"
    yield limited(name, found, 50, "ms", note=f"processor time; {written} messages written")


def start(world: World) -> Iterator[Row]:
    """From the start of the process to the first answer, and the memory after it."""
    seconds: tuple[list[float], list[float]] = ([], [])
    memory: tuple[list[float], list[float]] = ([], [])
    own: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        home = home_of(world, folder)
        for _ in range(5):
            for place, (app, ready) in enumerate(((None, "/readyz"), (EMPTY, "/healthz"))):
                began = time.perf_counter()
                with running(home, app, ready, forked=False) as server:
                    if app is None:
                        drive(
                            server.url,
                            [post_request(server.url, "/predict", CLOSED)],
                            connections=1,
                            seconds=0.01,
                        )
                        own.append(cpu_seconds(server.process.pid))
                    seconds[place].append(time.perf_counter() - began)
                    memory[place].append(psutil.Process(server.process.pid).memory_info().rss / 1e6)
    empty_is = "an empty FastAPI app"
    note = f"{np.median(own):.2f} s of it processor time; empty: {np.median(seconds[1]):.2f} s"
    yield limited("API: start to first answer", seconds[0], 1.5, "s", note=note, peer_is=empty_is)
    note = f"empty: {np.median(memory[1]):.0f} MB"
    yield limited("API: memory", memory[0], 150, "MB", note=note, peer_is=empty_is)
