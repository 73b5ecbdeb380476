"""Reading a JSON body: whatever bytes arrive, the answer is a value or a 422."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class JsonRequest(Request):
    """A request whose unreadable body is always a JSONDecodeError, which FastAPI answers with 422.

    The standard parser also raises RecursionError (a body of brackets), UnicodeDecodeError (not
    UTF-8) and a plain ValueError (an integer of thousands of digits). It accepts NaN and Infinity,
    which is welcome: the schema then names the field that holds them.
    """

    async def json(self) -> Any:
        body = await self.body()
        try:
            return json.loads(body)
        except json.JSONDecodeError:
            raise
        except (RecursionError, ValueError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else "unreadable"
            raise json.JSONDecodeError(reason, "", 0) from error


class JsonRoute(APIRoute):
    """A route that reads its body as `JsonRequest` does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handler
