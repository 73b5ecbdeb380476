"""The built-in contract: its YAML says what the product does, and the file's columns stay there."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from churn_assets.customers.contract.model import BUILT_IN, load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.predictors.scoring.features import RISK_FEATURES
from churn_assets.predictors.training.risk import FALLING
from churn_assets.serving.forms import BUILT_IN as BUILT_IN_FORM
from churn_assets.serving.forms import SAMPLE_REQUEST, SHARED_FIRST, SHARED_LAST
from churn_assets.settings import PROJECT

CONTRACT = load_contract(BUILT_IN)
SCHEMA = schema_of(CONTRACT)
ROOMS = ("churn_assets", "checks", "api", "modal_jobs", "benchmarks")
MAY_NAME_THEM = ("churn_assets/datasets/", "churn_assets/customers/contract/ibm_telco.yaml")


def test_requests_and_features_are_the_contract_s() -> None:
    """Field for field: what the YAML calls a feature, requests may give and the model reads, in the
    codes that models were trained with."""
    names = {field.name for field in SCHEMA.fields}
    shared = {*SHARED_FIRST, *SHARED_LAST}
    assert BUILT_IN_FORM.model.model_fields.keys() - shared - {"gender"} == names
    assert {feature.name for feature in RISK_FEATURES} == names
    assert names >= FALLING
    features = {feature.name: feature for feature in RISK_FEATURES}
    assert [f.name for f in RISK_FEATURES][:5] == [
        *("tenure", "monthly_charges", "contract", "payment_method", "total_charges")
    ]
    assert features["multiple_lines"].categories == ("No phone service", "No", "Yes")
    assert features["internet_service"].categories == ("No", "DSL", "Fiber optic")
    for field in SCHEMA.fields:
        kind = "category" if field.kind == "ordered" else field.kind
        feature = features[field.name]
        assert (feature.kind, set(feature.categories)) == (kind, set(field.levels)), field.name


def test_the_request_is_the_specification_s_to_the_byte() -> None:
    """Made from the contract, it is what it was when it was written by hand: callers' clients are
    generated from this document."""
    schema = BUILT_IN_FORM.model.model_json_schema()
    properties = {k: v for k, v in schema["properties"].items() if k not in SHARED_LAST}
    said = json.dumps([properties, schema["required"], schema["examples"]])
    digest = "191ab6b197127ef7e1ee3eb87297be2796f3ee4cdf19808220d04e9f759a75fa"
    assert hashlib.sha256(said.encode()).hexdigest() == digest
    assert list(schema["properties"]) == [*properties, *SHARED_LAST]
    assert list(SAMPLE_REQUEST.items()) == [
        ("customer_id", "C12345"),
        ("name", "Sam"),
        ("tenure", 12),
        ("monthly_charges", 89.99),
        ("contract", "Month-to-month"),
        ("payment_method", "Electronic check"),
    ]


def test_values_are_read_as_ever() -> None:
    """The public file's flags and short names of payments; nothing else is guessed."""
    given = {"senior_citizen": "1", "partner": "No", "payment_method": "Credit card", "tenure": 3.0}
    row = vars(BUILT_IN_FORM.model.model_validate(SAMPLE_REQUEST | given))
    assert row["payment_method"] == "Credit card (automatic)"
    assert (row["senior_citizen"], row["partner"], row["tenure"]) == (True, False, 3)
    for wrong in ({"partner": "yes"}, {"payment_method": "credit card"}, {"monthly_charges": "3"}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            BUILT_IN_FORM.model.model_validate(SAMPLE_REQUEST | wrong)


OUR_OWN = {"tenure", "monthly_charges", "partner", "contract", "gender"}
"""Fields that the product has by itself, or words that mean other things as well."""


def test_nothing_else_knows_the_columns_of_the_file() -> None:
    """Another company's table has others: they are data, not code. Neither as the file has them nor
    as requests do."""
    columns = [*CONTRACT.features, *CONTRACT.left_out, "customerID"]
    # As somebody else's words they could stand anywhere: tenure, Partner, Contract.
    theirs = [name for name in columns if re.search(r"[a-z][A-Z]", name)]
    fields = {field.name for field in (*SCHEMA.fields, *SCHEMA.accepted)} - OUR_OWN
    assert len(theirs) >= 14
    assert len(fields) >= 14
    pattern = re.compile(rf"\b({'|'.join([*theirs, *sorted(fields)])})\b")
    found = [
        f"{path.relative_to(PROJECT)}: {match[0]}"
        for room in ROOMS
        for path in sorted((PROJECT / room).rglob("*"))
        if path.suffix in (".py", ".js", ".json", ".yaml", ".html") and not _may(path)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def _may(path: Path) -> bool:
    return str(path.relative_to(PROJECT)).startswith(MAY_NAME_THEM)
