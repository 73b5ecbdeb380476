"""Reading a JSON body: whatever bytes arrive, the answer is a value or a 422."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError


class BodyRoute(APIRoute):
    """A route for `async def endpoint(body: Model, request: Request) -> Response`.

    FastAPI documents it like any other. The request itself goes straight from bytes to model to
    endpoint: FastAPI's general way, through its solver of parameters and dependencies, takes longer
    than the decision. The route's dependencies (the gate) are awaited first, with the request.

    Raises:
        TypeError: the endpoint has other parameters, which would be documented but never read.
    """

    def get_route_handler(self) -> Callable[[Request], Any]:
        self._model = _model_of(self.endpoint)
        return self.answer

    async def answer(self, request: Request) -> Response:
        """The endpoint's answer; raises RequestValidationError, or what gate and endpoint raise."""
        for gate in self._gates:
            await gate(request)
        try:
            body = self._model.model_validate_json(await _json_bytes(request))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
            raise RequestValidationError(
                [{**problem, "loc": ("body", *problem["loc"])} for problem in problems]
            ) from None
        response: Response = await self.endpoint(body, request)
        return response

    @cached_property
    def _gates(self) -> list[Callable[[Request], Any]]:
        return [d.dependency for d in self.dependencies if d.dependency is not None]


def _model_of(endpoint: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(endpoint)
    parameters = [hints[name] for name in inspect.signature(endpoint).parameters]
    if len(parameters) != 2 or parameters[1] is not Request:
        raise TypeError(f"{endpoint.__name__} must take (body: Model, request: Request)")
    model: type[BaseModel] = parameters[0]
    return model


async def _json_bytes(request: Request) -> bytes:
    """The body. A browser sends plain text and forms to other sites without asking; JSON it does
    not, so a body that does not say it is JSON is refused even where its bytes would parse."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        problem = {
            "type": "content_type",
            "loc": ("body",),
            "msg": "send JSON, with the header content-type: application/json",
        }
        raise RequestValidationError([problem])
    return await request.body()
