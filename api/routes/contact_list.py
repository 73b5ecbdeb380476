"""A day's contact list, as a file."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api.deps import admitted, is_head, refuse_unasked
from api.errors import documented
from api.routes.campaign import PlanId, desk_of

if TYPE_CHECKING:
    from churn_assets.campaign.workflow import Campaigns

router = APIRouter(tags=["campaign"], dependencies=[admitted("campaign")])

LIST_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}


@router.get("/campaign/plan/list", responses=documented(401, 403, 409, 422, 429, 503))
async def contact_list(
    request: Request,
    plan_id: Annotated[PlanId, Query()] = None,
    day: Annotated[date | None, Query()] = None,
    form: Annotated[Literal["csv", "jsonl", "parquet"], Query(alias="format")] = "csv",
) -> Response:
    """A day's contact list of an approved plan, with messages, as a file. `handed-over` records who
    is in it, so it is noted; not of HEAD, and 403 where a page of another site, or a prefetch, made
    a browser ask."""
    refuse_unasked(request)

    def task(campaigns: Campaigns) -> tuple[str, bytes]:
        # Imported here, like all that plans: a service need not have it until somebody does.
        from churn_assets.campaign.contact_list import list_bytes
        from churn_assets.campaign.sending import export

        now = campaigns.now()
        wanted = day or now.date()
        found = export(campaigns, plan_id, wanted, now, noted=not is_head(request))
        return f"{found.plan_id}-{wanted}", list_bytes(found.rows, f".{form}")

    name, content = await desk_of(request).run(task)
    headers = {"content-disposition": f'attachment; filename="contacts-{name}.{form}"'}
    return Response(content, media_type=LIST_TYPES[form], headers=headers)
