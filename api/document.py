"""The app with an OpenAPI document whose examples are whole, made once for each release."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import orjson
from fastapi import FastAPI

from api.routes.health import NOT_READY
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.events import event_model
from churn_assets.serving.forms import Form
from churn_assets.serving.schemas import SAMPLE_ANSWER


class DocumentedApp(FastAPI):
    """FastAPI leaves every null out of its document, also those that belong to an example, which
    then is no answer that this service gives. Here they are put back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._encoded: tuple[Any, bytes] | None = None  # of which release and offers
        self._making = asyncio.Lock()

    async def encoded(self) -> bytes:
        """The document as JSON. It is made anew where another release serves, or offers became
        known; in a thread, since that takes as long as many decisions."""
        async with self._making:
            host = self.state.services.host
            made_for = host.engine and host.engine.release_id, host.percent
            if self._encoded is None or self._encoded[0] != made_for:
                self._encoded = made_for, await asyncio.to_thread(self._encode)
            return self._encoded[1]

    def _encode(self) -> bytes:
        return orjson.dumps(self.openapi())

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schemas = document["components"]["schemas"]
        schemas["PredictResponse"]["examples"] = [SAMPLE_ANSWER]
        schemas["BatchRow"]["properties"]["answer"]["examples"] = [SAMPLE_ANSWER]
        not_ready = document["paths"]["/readyz"]["get"]["responses"]["503"]
        not_ready["content"]["application/json"]["example"] = NOT_READY.model_dump()
        services = getattr(self.state, "services", None)
        engine = services.host.engine if services else None
        if services is None or engine is None:
            return document
        if engine.form.schema is None:  # the setting says in what they are billed
            schemas["PredictRequest"]["x-currency"] = engine.messages.currency
        else:
            document = of_contract(document, engine.form)
        event = event_model(services.host.percent).model_json_schema()
        event["properties"]["offer_percentage"]["examples"] = [engine.assessor.percent[2]]
        document["components"]["schemas"]["FeedbackEvent"] = event
        return document


def of_contract(document: dict[str, Any], form: Form) -> dict[str, Any]:
    """The document with the customers of the serving release's contract."""
    document = deepcopy(document)  # FastAPI keeps the one that it made
    schemas = document["components"]["schemas"]
    schemas["PredictRequest"] = form.model.model_json_schema()
    schemas["BatchRequest"]["properties"]["customers"]["examples"] = [[form.sample]]
    offers = form.schema.offers if form.schema else None
    if offers is not None:
        document = _said(document, offers.percent)
        schemas = document["components"]["schemas"]
        for part in ("Decision", "Alternative"):
            percentage = schemas[part]["properties"]["offer_percentage"]
            percentage |= {"enum": list(offers.percent), "examples": [offers.percent[1]]}
    return document


def _said(part: Any, percent: Sequence[int]) -> Any:
    """A part of the document, with every example's percentage that of the same level."""
    if isinstance(part, list):
        return [_said(each, percent) for each in part]
    if not isinstance(part, dict):
        return part
    said = {name: _said(each, percent) for name, each in part.items()}
    given = said.get("offer_percentage")
    if isinstance(given, int):
        said["offer_percentage"] = percent[OFFER_PERCENTAGES.index(given)]
    return said
