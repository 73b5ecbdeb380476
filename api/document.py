"""The app with an OpenAPI document whose examples are whole."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api.routes.health import NOT_READY
from churn_assets.serving.schemas import SAMPLE_ANSWER


class DocumentedApp(FastAPI):
    """FastAPI leaves every null out of its document, also those that belong to an example, which
    then is no answer that this service gives. Here they are put back."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schemas = document["components"]["schemas"]
        schemas["PredictResponse"]["examples"] = [SAMPLE_ANSWER]
        schemas["BatchRow"]["properties"]["answer"]["examples"] = [SAMPLE_ANSWER]
        not_ready = document["paths"]["/readyz"]["get"]["responses"]["503"]
        not_ready["content"]["application/json"]["example"] = NOT_READY.model_dump()
        return document
