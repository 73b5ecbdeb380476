"""Around every request: an id, a body limit, security headers, metrics, one access-log line.

Plain ASGI: it adds a few microseconds, where a chain of Starlette's BaseHTTPMiddleware adds tasks.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deps import AS_HEAD
from api.errors import ApiError, answer_to
from api.logs import log_request, request_id
from api.parsing import BodyRoute
from api.security import is_this_machine
from churn_assets.serving.metrics import latency_of, requests_of

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip"))
"""By which a proxy says that it passes on somebody else's request."""
TELLING = FORWARDED | {b"host"}
LOOPBACK = frozenset(("127.0.0.1", "::1"))
CLIENT_GONE = 499  # as in nginx: nobody is left to read an answer
REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "strict-transport-security": "max-age=31536000",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class RequestMiddleware:
    """Wraps the app.

    Args:
        max_body_bytes: the limit for every path that `body_limits` does not list.
        body_limits: path -> limit.
        direct: path -> route whose POST requests go straight to it. FastAPI's stack of middleware,
            routers and exit stacks does nothing for them: what they raise is answered here. Gain:
            0.49 in place of 0.54 ms of processor time a decision (`POST /predict`, in process).
        hosts: what a request's `Host` has to be, else 421; None: anything. With it, what comes from
            another machine is refused, too, directly or through a proxy that says so.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        body_limits: Mapping[str, int] | None = None,
        direct: Mapping[str, BodyRoute] | None = None,
        hosts: re.Pattern[bytes] | None = None,
    ) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.body_limits = dict(body_limits or {})
        self.direct = {("POST", path): route for path, route in (direct or {}).items()}
        self.hosts = hosts
        self._headers = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        if head := scope["method"] == "HEAD":  # whatever can be got: the same answer, without body
            scope = {**scope, "method": "GET", AS_HEAD: True}
        identity = _request_id(scope)
        token = request_id.set(identity)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += self._headers
                message["headers"].append((b"x-request-id", identity.encode()))
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._serve(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = status or CLIENT_GONE
        except Exception as error:
            if status:  # too late for another answer: the server closes the connection
                raise
            await answer_to(error)(scope, receive, send_with_headers)
        finally:
            method = "HEAD" if head else scope["method"]
            _account(scope, method, status or 500, time.perf_counter() - started)
            request_id.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.hosts is not None:
            _check_origin(scope, self.hosts)
        limit = self.body_limits.get(scope["path"], self.max_body_bytes)
        if _declared_length(scope) > limit:
            raise _too_large(limit)
        receive = _limited(receive, limit)
        route = self.direct.get((scope["method"], scope["path"]))
        if route is None:
            await self.app(scope, receive, send)
        else:
            scope["route"] = route
            response = await route.answer(Request(scope, receive))
            await response(scope, receive, send)


def _account(scope: Scope, method: str, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path_format", "unmatched")
    method = method if method in METHODS else "other"
    requests_of(route, method, status).inc()
    latency_of(route).observe(seconds)
    log_request(method=method, route=route, status=status, seconds=seconds)


def _request_id(scope: Scope) -> str:
    """The caller's id if it is a harmless one (it goes into logs and answers), else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(16)


def _check_origin(scope: Scope, hosts: re.Pattern[bytes]) -> None:
    """Raises ApiError 421 for a foreign `Host` (who sends none is no browser), for what a proxy
    passes on and says so, and for a caller on another machine."""
    for name, value in scope["headers"]:
        if name in TELLING and not (name == b"host" and hosts.fullmatch(value)):
            raise _misdirected(["header", name.decode()])
    caller = scope.get("client")  # None: through a socket of this machine's file system
    if caller and caller[0] not in LOOPBACK and not is_this_machine(caller[0]):
        raise _misdirected(["client"])


def _misdirected(where: list[str]) -> ApiError:
    return ApiError(
        421,
        "misdirected",
        "without an API key this service answers its own machine only, under its own names, as "
        "http://localhost, and nobody through a proxy: configure a key, or set "
        "CHURN_API__OPEN_TO_NETWORK=true",
        loc=where,
    )


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise ApiError(
                    422, "content_length", "is not a number", loc=["header", "content-length"]
                )
            return int(value)
    return 0


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive`, raising once more than `limit` bytes have come (a length may not be declared)."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return limited


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body is larger than {limit} bytes", loc=["body"])
