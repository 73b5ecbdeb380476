"""By which channels an answer says that a customer may be contacted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from churn_assets.customers.people import read_addressees
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest, PredictResponse

IDS = ["A", "B", "C", "D"]
TABLE = {
    "customer_id": IDS,
    "consent_email": ["yes", "yes", None, "no"],
    "consent_sms": ["no", None, None, "no"],
}


def test_an_answer_names_the_channels_that_are_left(
    engine: RetentionEngine, tmp_path: Path
) -> None:
    """Of whom the table says something of one, and whom it doesn't forbid to contact at all: who
    had refused text messages alone was to be contacted, and nothing said how."""
    pd.DataFrame(TABLE).to_parquet(tmp_path / "people.parquet")
    people = read_addressees(tmp_path / "people.parquet", ("email", "sms", "call"))
    asked = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": each})
        for each in (*IDS, "E")
    ]
    told = engine.predict_many(asked, people=people, excluded={"B": "opt_out"})
    left = {"A": ["email", "call"], "D": ["call"]}
    for request, answer in zip(asked, told, strict=True):
        assert answer["metadata"].get("channels") == left.get(str(request.customer_id))
        assert ("excluded" in answer["metadata"]) == (request.customer_id == "B")
        PredictResponse.model_validate(answer)
    for answer in engine.predict_many(asked):
        assert "channels" not in answer["metadata"]
