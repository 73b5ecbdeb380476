"""Reading a JSON body: whatever bytes arrive, the answer is a value or a 422."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
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

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, model = self.endpoint, _model_of(self.endpoint)
        gates = [d.dependency for d in self.dependencies if d.dependency is not None]

        async def handler(request: Request) -> Response:
            for gate in gates:
                await gate(request)
            try:
                body = model.model_validate_json(await _json_bytes(request))
            except ValidationError as error:
                errors = [{**e, "loc": ("body", *e["loc"])} for e in error.errors()]
                raise RequestValidationError(errors) from None
            response: Response = await endpoint(body, request)
            return response

        return handler


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
