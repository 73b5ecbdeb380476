"""The speed benchmark's yardstick: a FastAPI endpoint with our request model, doing nothing."""

from __future__ import annotations

from fastapi import FastAPI

from churn_assets.serving.schemas import PredictRequest

app = FastAPI()


@app.post("/predict")
async def predict(customer: PredictRequest) -> dict[str, str]:
    return {}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {}
