"""In which currency a message names a customer's bill, if it may name one at all."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.messages.writing.bank import Cell, MessageBank, ScoredTemplate
from churn_assets.serving.engine import RetentionEngine, ServedMessages
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.messages.briefs import brief

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
BILL = "Hi {name}, we value your trust. Please take {offer} off your {bill} bill for {months}."
COLUMN = next(f.column for f in BUILT_IN_SCHEMA.fields if f.name == "monthly_charges")


@pytest.mark.parametrize(
    ("contract", "written"),
    [
        (None, "your $64.20 bill"),
        ({"monthly": COLUMN, "currency": "EUR"}, "your €64.20 bill"),
        ({"monthly": COLUMN, "currency": "CHF"}, "your CHF 64.20 bill"),
        ({"monthly": COLUMN, "currency": ""}, None),
        ({"monthly": f"[{COLUMN}] / 9", "currency": "EUR"}, None),
    ],
)
def test_a_bill_is_named_in_the_contract_s_currency(
    bundle: Path, tmp_path: Path, contract: dict[str, Any] | None, written: str | None
) -> None:
    """Why: a customer who pays in euros has no bill of dollars, and one whose monthly value is
    computed was never billed it: reviewed words, which name no bill, go to them."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    if contract is not None:
        BUILT_IN_SCHEMA.model_copy(update=contract).save(folder)
    asked = brief(monthly_charges=64.2, tenure=30, contract="One year")
    MessageBank({Cell.of(asked): [ScoredTemplate(BILL, 1.0)]}).save(folder / "messages/bank.json")
    engine = RetentionEngine(
        folder,
        release_id="own",
        messages=ServedMessages(currency="$", offer_months=12),
        default_time_zone="Europe/Madrid",
    )
    message = engine.writer.write(asked, "C1")
    assert message.verdict.passed
    if written is None:
        assert (message.source, "64.20" in message.text) == ("template", False)
    else:
        assert (message.source, written in message.text) == ("model", True)
    engine.predict(engine.form.model.model_validate(engine.form.sample or SAMPLE_REQUEST), now=NOON)
