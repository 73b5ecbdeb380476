"""The app with an OpenAPI document whose examples are whole."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from api.routes.health import NOT_READY
from churn_assets.serving.forms import Form
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
        services = getattr(self.state, "services", None)
        engine = services.host.engine if services else None
        if engine is None or engine.form.schema is None:
            return document
        return of_contract(document, engine.form)


def of_contract(document: dict[str, Any], form: Form) -> dict[str, Any]:
    """The document with the customers of the serving release's contract."""
    document = deepcopy(document)  # FastAPI keeps the one that it made
    schemas = document["components"]["schemas"]
    schemas["PredictRequest"] = form.model.model_json_schema()
    schemas["BatchRequest"]["properties"]["customers"]["examples"] = [[form.sample]]
    return document
