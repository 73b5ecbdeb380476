"""What these routes take and answer, for the customers of the release in service."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.deps import admitted
from api.document import DocumentedApp

router = APIRouter(include_in_schema=False, dependencies=[admitted()])


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """The OpenAPI document. Any key will do: it tells a company's columns and words."""
    app: DocumentedApp = request.app
    return Response(await app.encoded(), media_type="application/json")
