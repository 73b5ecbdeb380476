"""What the outermost layer makes of whatever happens inside it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from api import errors
from api.errors import JsonResponse
from api.middleware import SECURITY_HEADERS, RequestMiddleware
from api.parsing import BodyRoute
from churn_assets.serving.problems import MOST_PROBLEMS
from churn_assets.serving.schemas import Strict

SECRET = "Wilhelmina"


class Body(Strict):
    number: int


async def direct(body: Body, request: Request) -> Response:
    if body.number < 0:
        raise RuntimeError(SECRET)
    return JsonResponse(body.number)


@pytest.fixture
def app() -> FastAPI:
    """An app with a direct route and two that fail, one of them halfway through its answer."""
    inner = FastAPI()
    errors.install(inner)
    route = BodyRoute("/direct", direct, methods=["POST"])
    inner.router.routes.append(route)

    @inner.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    @inner.get("/halfway")
    async def halfway() -> StreamingResponse:
        async def chunks() -> Any:
            yield b"first"
            raise RuntimeError(SECRET)

        return StreamingResponse(chunks())

    inner.add_middleware(RequestMiddleware, max_body_bytes=1_024, direct={"/direct": route})
    return inner


def call(app: FastAPI, method: str, path: str, **given: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **given)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "/broken", None), ("POST", "/direct", {"number": -1})]
)
def test_what_nobody_foresaw_is_a_500_in_the_usual_shape(
    app: FastAPI, caplog: pytest.LogCaptureFixture, method: str, path: str, body: Any
) -> None:
    """A caller can quote the request id; the log says where it happened, but not what was sent."""
    with caplog.at_level(logging.ERROR):
        answer = call(app, method, path, json=body, headers={"x-request-id": "trace-me-0002"})
    assert answer.status_code == 500
    assert answer.json()["detail"][0]["type"] == "internal"
    assert answer.headers["x-request-id"] == "trace-me-0002"
    assert SECURITY_HEADERS.keys() <= answer.headers.keys()
    [record] = [entry for entry in caplog.records if entry.name == "api.errors"]
    assert "RuntimeError" in record.getMessage()
    assert "test_middleware.py" in record.where  # type: ignore[attr-defined]
    assert SECRET not in json.dumps(vars(record), default=str)


def test_an_error_after_the_answer_began_is_not_hidden(app: FastAPI) -> None:
    """Half an answer can't be taken back: the server must see the error and hang up."""
    with pytest.raises(RuntimeError, match=SECRET):
        call(app, "GET", "/halfway")


def test_direct_route_answers_and_refuses_like_any_other(app: FastAPI) -> None:
    """The short cut leaves out FastAPI's stack, not its answers."""
    assert call(app, "POST", "/direct", json={"number": 3}).json() == 3
    refused = call(app, "POST", "/direct", json={"number": "x"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "number"]
    assert call(app, "GET", "/direct").status_code == 405
    too_large = call(app, "POST", "/direct", content=b" " * 2_000)
    assert too_large.json()["detail"][0]["type"] == "body_too_large"


def test_a_caller_who_hangs_up_is_no_error(
    app: FastAPI, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Half a body and a closed connection: counted as 499, not as a fault of the service."""
    sent: list[Any] = []
    parts = iter(
        [
            {"type": "http.request", "body": b'{"num', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/direct",
        "headers": [(b"content-type", b"application/json")],
    }
    with caplog.at_level(logging.INFO, "api.access"):
        asyncio.run(app(scope, receive, send))
    assert sent == []
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["route"], line["status"]) == ("/direct", 499)


def test_a_length_that_is_no_number_is_refused(app: FastAPI) -> None:
    """Some hosts pass the header on unread."""
    answer = call(app, "POST", "/direct", content=b"1", headers={"content-length": "abc"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "content-length"]


def test_many_mistakes_are_named_but_not_all(app: FastAPI) -> None:
    """The answer to a body of nothing but mistakes is no longer than a person would read."""
    wrong = {f"k{i}": 0 for i in range(100)}
    answer = call(app, "POST", "/direct", json={"number": 1} | wrong)
    assert len(answer.json()["detail"]) == MOST_PROBLEMS
