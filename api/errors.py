"""One error shape for everything: `{"detail": [{"type", "loc", "msg"}]}`.

What the caller sent is never repeated: it may be personal, hostile or not even JSON (NaN).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from churn_assets.serving.problems import Problems, log_unexpected, problem, problems_of

log = logging.getLogger("api.errors")

RETRY = {"retry-after": "2"}
MOST_TOLD = 1_000  # characters of a problem: looking for addresses in a long word is slow

ADDRESS = re.compile(
    r"""\w[\w+.-]*://[^\s'"]*[^\s'".,:;)]   # a URL
    |[^\s'"(]+@[^\s'",:;)]+   # an account
    |(?<![\w.])/[^\s'",:;)]+   # a path, of a file or of a request
    |(?:(?<=server\ at\ ")|(?<=host\ name\ ")|(?<=host\ ")   # a database's host, as PostgreSQL
    |(?<=user\ ")|(?<=role\ ")|(?<=database\ "))[^"]+   # says it, its accounts and its name
    |(?:(?<=host=')|(?<=resolve\ '))[^']+   # a bucket's, as its client says it
    |(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]\w)   # a machine
    |(?<=\()(?=[\da-f:]*::|(?:[\da-f]+:){7})[\da-f:.]+(?:%\w+)?(?=\))   # one by its longer number
    """,
    re.VERBOSE,
)


class JsonResponse(Response):
    """JSON by orjson, several times faster than the standard library on our answers."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class ApiError(HTTPException):
    """An answer other than success, in the usual shape."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        loc: Sequence[str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail=message, headers=headers)
        self.kind = kind
        self.loc = loc


EXAMPLES: dict[int, tuple[str, str, list[str], str]] = {
    401: ("no API key, or not one of ours", "unauthorized", [], "no valid API key"),
    403: (
        "the API key is for other things (`forbidden`); of a list, a browser asked for it in "
        "advance (`prefetch`) or for a page of another site (`cross_site`)",
        "forbidden",
        [],
        "the API key my-shop is for decide, feedback; this takes one for campaign",
    ),
    404: (
        "there is no such thing",
        "not_found",
        ["path", "customer_id"],
        "no prediction for this customer",
    ),
    409: (
        "contradicts what is stored",
        "conflict",
        ["body", "event_id"],
        "another event has this id; it stays",
    ),
    413: (
        "the body is too large",
        "body_too_large",
        ["body"],
        "the body is larger than 65536 bytes",
    ),
    415: (
        "no JSON, or compressed, or in another charset than UTF-8, UTF-16 and UTF-32",
        "content_type",
        ["body"],
        "send JSON, with the header content-type: application/json",
    ),
    422: (
        "the request is not valid; `loc` names the field",
        "greater_than_equal",
        ["body", "tenure"],
        "Input should be greater than or equal to 0",
    ),
    429: (
        "too many requests with this key; see Retry-After",
        "rate_limited",
        [],
        "too many requests",
    ),
    503: (
        "not loaded yet (`not_ready`), or it isn't known who may not be contacted "
        "(`people_unavailable`); see Retry-After",
        "not_ready",
        [],
        "loading the release",
    ),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries, with examples, of the errors that a route can answer with."""
    entries: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        meaning, kind, loc, message = EXAMPLES[status]
        example = {"detail": [problem(kind, loc, message)]}
        entries[status] = {
            "model": Problems,
            "description": meaning,
            "content": {"application/json": {"example": example}},
        }
    return entries


def without_addresses(problem: str, store: str) -> str:
    """A problem as whoever asks may read it: the store is called that, other addresses, accounts
    and paths are left out. The log has them.

    Args:
        store: its URL.
    """
    told = ADDRESS.sub("…", problem.replace(store, "the store")[:MOST_TOLD])
    bucket = urlsplit(store).netloc  # which the service's own sentences name
    named = rf"(?<![\w-]){re.escape(bucket)}(?![\w-])(/[^\s'\",:;)]+)?"
    return re.sub(named, "…", told) if bucket else told


def install(app: FastAPI) -> None:
    """Make the app answer every error in the usual shape."""
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)


async def _answer(_: Request, error: Exception) -> Response:
    return answer_to(error)


def answer_to(error: Exception) -> Response:
    """The answer to what went wrong; what nobody foresaw is logged and answered with 500."""
    if isinstance(error, RequestValidationError):
        return JsonResponse({"detail": problems_of(error.errors())}, status_code=422)
    if isinstance(error, HTTPException):
        return error_response(error)
    log_unexpected(log, error)
    return error_response(ApiError(500, "internal", "an unexpected error; see the service's log"))


def error_response(error: HTTPException) -> Response:
    """The answer that an error stands for."""
    kind = error.kind if isinstance(error, ApiError) else f"http_{error.status_code}"
    loc = error.loc if isinstance(error, ApiError) else ()
    detail = [problem(kind, loc, str(error.detail))]
    return JsonResponse({"detail": detail}, status_code=error.status_code, headers=error.headers)
