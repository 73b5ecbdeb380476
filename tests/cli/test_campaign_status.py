"""`churn campaign status`: its sentences."""

from __future__ import annotations

from typing import Any

import pytest

from churn_assets.cli.campaign_status import COLUMNS, show_status


@pytest.mark.parametrize(
    ("planned", "said"), [(1, "1 contact was approved"), (2_000, "2,000 contacts were approved")]
)
def test_one_contact_is_said_as_one(
    planned: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    day: dict[str, Any] = dict.fromkeys(COLUMNS.values(), 0)
    day |= {"day": "2027-01-07", "planned": planned, "list": "none"}
    report = {"days": [day], "other_discounts": 0, "discounts_of_strangers": 0, "month": None}
    show_status(report)
    assert f"2027-01-07: {said}, and no list went out" in capsys.readouterr().out
