"""A small load generator: many keep-alive connections, each sending one request after another.

Plain asyncio streams, since a full HTTP client would spend more time than the server it measures.
Only for a server on this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class LoadReport:
    """What the load met.

    Attributes:
        seconds: wall time.
        latencies: seconds of every answered request.
        failures: what went wrong, one entry a request.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, q: float) -> float:
        """Latency in milliseconds."""
        return float(np.percentile(self.latencies, q)) * 1e3


def post_request(url: str, path: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a POST with a JSON body."""
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {urlsplit(url).netloc}",
        "content-type: application/json",
        f"content-length: {len(content)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def drive(
    url: str,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float,
    on_answer: Callable[[bytes, int, bytes], None] | None = None,
    reconnect: bool = False,
    until: threading.Event | None = None,
) -> LoadReport:
    """Send `requests`, over and over, for `seconds` or until `until` is set.

    Args:
        on_answer: called with request, status and body of every answer.
        reconnect: go on with a new connection after a failure (a server is being killed).

    Raises:
        ValueError: the server is not on this machine.
    """
    if urlsplit(url).hostname not in LOOPBACK:
        raise ValueError(f"{url} is not on this machine")
    report = LoadReport()
    clock = Clock(time.perf_counter() + seconds, until)
    client = _Client(url, itertools.cycle(requests), clock, report, on_answer, reconnect)
    started = time.perf_counter()
    asyncio.run(client.run(connections))
    report.seconds = time.perf_counter() - started
    return report


@dataclass(frozen=True)
class Clock:
    """When to stop: at `deadline`, or earlier once `until` is set."""

    deadline: float
    until: threading.Event | None

    @property
    def runs(self) -> bool:
        over = self.until is not None and self.until.is_set()
        return not over and time.perf_counter() < self.deadline


@dataclass
class _Client:
    url: str
    requests: Iterator[bytes]
    clock: Clock
    report: LoadReport
    on_answer: Callable[[bytes, int, bytes], None] | None
    reconnect: bool

    async def run(self, connections: int) -> None:
        await asyncio.gather(*(self._connect() for _ in range(connections)))

    async def _connect(self) -> None:
        while self.clock.runs:
            try:
                await self._send()
            except (OSError, asyncio.IncompleteReadError) as error:
                self.report.failures.append(repr(error))
                if not self.reconnect:
                    return
                await asyncio.sleep(0.02)

    async def _send(self) -> None:
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while self.clock.runs:
                request = next(self.requests)
                started = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length))
                self.report.latencies.append(time.perf_counter() - started)
                self._note(request, int(head[9:12]), body)
        finally:
            writer.close()

    def _note(self, request: bytes, status: int, body: bytes) -> None:
        if status >= 400:
            self.report.failures.append(f"{status} {body[:200]!r}")
        if self.on_answer is not None:
            self.on_answer(request, status, body)
