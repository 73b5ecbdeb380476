"""A contract that lost a column: the release that learnt from it, and the one without it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from churn_assets.customers.schema import FILE, load_schema
from churn_assets.release.bundle import ReleaseError
from churn_assets.release.config import ScoringConfig
from churn_assets.release.promotion import fields_apart
from churn_assets.serving.bulk.scoring import run
from tests.customers.own_company import make_company


def test_a_contract_that_lost_a_field_says_which_and_what_to_do(tmp_path: Path) -> None:
    """It said that the release was of Lighthouse Broadband, the customers of Lighthouse Broadband:
    build a release of theirs; which had been built, and was refused."""
    company = make_company(tmp_path, rows=400)
    served, active = tmp_path / "served", tmp_path / "fewer"
    served.mkdir()
    company.release(served)
    shutil.copytree(company.root / "active", active)
    schema = load_schema(active)
    assert schema is not None
    left = tuple(field for field in schema.fields if field.name != "calls")
    schema.model_copy(update={"fields": left}).save(active)
    assert fields_apart(served, active) == fields_apart(active, served) == ["calls"]
    assert fields_apart(served, served) == []
    inputs = {"release": served, "active_customers": active}
    with pytest.raises(ReleaseError, match=r"only one of the two has calls\).*`churn promote ID`"):
        run(inputs, tmp_path, ScoringConfig())
    (served / FILE).write_text("{}")  # of a version that nobody reads any more
    assert fields_apart(served, active) == sorted(field.name for field in left)
