"""The built-in contract: its YAML says what the product does, and the file's columns stay there."""

from __future__ import annotations

import re
from pathlib import Path

from churn_assets.customers.contract.model import BUILT_IN, load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.predictors.scoring.features import RISK_FEATURES
from churn_assets.predictors.training.risk import FALLING
from churn_assets.serving.forms import BUILT_IN as BUILT_IN_FORM
from churn_assets.serving.forms import SHARED_FIRST, SHARED_LAST
from churn_assets.settings import PROJECT

CONTRACT = load_contract(BUILT_IN)
SCHEMA = schema_of(CONTRACT)
ROOMS = ("churn_assets", "checks", "api", "modal_jobs")
MAY_NAME_THEM = ("churn_assets/datasets/", "churn_assets/customers/contract/ibm_telco.yaml")


def test_requests_and_features_are_the_contract_s() -> None:
    """Field for field: what the YAML calls a feature, requests may give and the model reads."""
    names = {field.name for field in SCHEMA.fields}
    shared = {*SHARED_FIRST, *SHARED_LAST}
    assert BUILT_IN_FORM.model.model_fields.keys() - shared - {"gender"} == names
    assert {feature.name for feature in RISK_FEATURES} == names
    assert names >= FALLING
    features = {feature.name: feature for feature in RISK_FEATURES}
    for field in SCHEMA.fields:
        feature = features[field.name]
        kind = "category" if field.kind == "ordered" else field.kind
        assert (feature.kind, set(feature.categories)) == (kind, set(field.levels)), field.name


def test_nothing_else_knows_the_columns_of_the_file() -> None:
    """Another company's table has others: they are data, not code."""
    columns = [*CONTRACT.features, *CONTRACT.left_out, "customerID"]
    # As somebody else's words they could stand anywhere: tenure, Partner, Contract.
    theirs = [name for name in columns if re.search(r"[a-z][A-Z]", name)]
    assert len(theirs) >= 14
    pattern = re.compile(rf"\b({'|'.join(theirs)})\b")
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
