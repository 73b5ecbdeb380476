"""How long a connection may take, and how much it may send before a request is whole.

uvicorn bounds idle connections between requests and the number of running ones, but waits for ever
for the rest of a request or for who doesn't read the answer, and keeps a header of any size. Here a
connection that is late is closed, one that sends too much is refused, and when there are too many,
the one that has kept silent for the longest makes room, or where none is silent, the one that has
been at reading its answer for the longest: whoever opens connections and says nothing, or asks and
doesn't listen, shuts nobody out.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from churn_assets.serving.metrics import CONNECTIONS_CLOSED
from churn_assets.serving.problems import problem
from churn_assets.settings import load_settings

CHECK_SECONDS = 0.5  # between looks at the clock
OVERHEAD = 10  # bytes on the wire for one of the body; chunks of a single byte take six
REFUSALS = {
    400: (b"400 Bad Request", "bad_request", "this is no HTTP request"),
    408: (b"408 Request Timeout", "too_slow", "the request took too long to arrive"),
    431: (b"431 Request Header Fields Too Large", "header_too_large", "the header is too large"),
}


class HeaderTooLargeError(Exception):
    """Ends the parsing; answered with 431."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a uvicorn server, within the limits of `settings.api`."""

    # Those that wait for a request, and those whose answer waits to be read, the longest waiting
    # first. A process has one server.
    waiting: ClassVar[dict[GuardedProtocol, None]] = {}
    unread: ClassVar[dict[GuardedProtocol, None]] = {}

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits = load_settings().api
        self._timer: asyncio.TimerHandle | None = None
        # By the loop's clock: of a request (None while we are at work), and of reading the answer
        # (None where nothing of one waits), beside which the other doesn't count.
        self._deadline: float | None = None
        self._read_by: float | None = None
        self._in_head = True
        self._received = self._content = 0  # bytes of the head or body so far, on the wire and real
        self._is_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        self._watch_clock()
        if len(self.connections) > self._limits.max_connections:
            oldest = next(iter(self.waiting))
            if oldest is self:
                oldest = next(iter(self.unread), self)
            if oldest is not self:
                oldest._drop("crowded")
            # Else all others are at work, and uvicorn answers 503 (its `limit_concurrency`).

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave_queues()
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        allowed = self._limits.max_header_bytes + (0 if self._in_head else OVERHEAD * self._content)
        if self._received > allowed and not self.transport.is_closing():
            self._refuse(431)  # a head without an end, or a trailer or chunk's extension

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._limits.max_header_bytes:
            self._is_too_large = True
            raise HeaderTooLargeError
        self._begin(in_head=False)
        self.waiting.pop(self, None)
        self._deadline = self.loop.time() + self._limits.body_seconds
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin(in_head=True)
        self._deadline = None
        self._wait_if_answered()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # as soon as all of the answer was read
            self._let_read()
        elif self._in_head:  # else the rest of a refused body is still to come
            self._wait_if_answered()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._let_read()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.unread.pop(self, None)
            self._read_by = None
            if self._in_head:
                self._wait_if_answered()

    def send_400_response(self, msg: str) -> None:
        self._refuse(431 if self._is_too_large else 400)

    def _begin(self, *, in_head: bool) -> None:
        self._in_head, self._received, self._content = in_head, 0, 0

    def _wait_if_answered(self) -> None:
        if self.cycle.response_complete and self._read_by is None:
            self._wait()

    def _wait(self) -> None:
        """For the next request, whose head must be whole in time."""
        self._deadline = self.loop.time() + self._limits.header_seconds
        self._leave_queues()
        self.waiting[self] = None

    def _let_read(self) -> None:
        """What was written and isn't taken yet must be, in time; until then no request counts."""
        self._read_by = self.loop.time() + self._limits.body_seconds
        self._leave_queues()
        self.unread[self] = None

    def _leave_queues(self) -> None:
        self.waiting.pop(self, None)
        self.unread.pop(self, None)

    def _watch_clock(self) -> None:
        self._timer = self.loop.call_later(CHECK_SECONDS, self._watch_clock)
        deadline = self._deadline if self._read_by is None else self._read_by
        if deadline is None or self.loop.time() < deadline:
            return
        asked = (self._received or not self._in_head) and not self._is_being_answered()
        if asked and self._read_by is None:
            self._refuse(408)
        else:
            self._drop("late")

    def _is_being_answered(self) -> bool:
        return self.cycle is not None and (
            self.cycle.response_started and not self.cycle.response_complete
        )

    def _refuse(self, status: int) -> None:
        """Answer in the usual shape and close."""
        line, kind, message = REFUSALS[status]
        body = orjson.dumps({"detail": [problem(kind, [], message)]})
        head = (
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n"
        )
        self.transport.write(head % (line, len(body)) + body)
        self._close(kind)
        self._read_by = self.loop.time() + self._limits.body_seconds
        self.transport.close()

    def _drop(self, reason: str) -> None:
        self._close(reason)
        self.transport.abort()

    def _close(self, reason: str) -> None:
        self._leave_queues()
        # Now: many may come in one turn of the loop, before `connection_lost` is called for any.
        self.connections.discard(self)
        CONNECTIONS_CLOSED.labels(reason).inc()
