"""What a plan warns of, over HTTP and in the console: the same sentences as by command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.api.browser import open_console
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import running, wait_for, zone_where_it_is_noon
from tests.api.test_console import browser

__all__ = ["browser"]  # a fixture

UNKNOWN = (
    "1 of 2 ids of the suppression list are of no customer in the latest predictions or the "
    "history, as 'T3': are they written as in the customers' own table?"
)


@pytest.mark.browser
def test_who_plans_without_a_terminal_is_warned_too(browser: Browser, tmp_path: Path) -> None:
    """An id without its zeros keeps nobody out, and only `churn campaign plan` said so."""
    home, listed = tmp_path / "home", tmp_path / "no.csv"
    publish_small_release(home, tmp_path / "release")
    publish_predictions(home, tmp_path / "predictions")
    listed.write_text("customer_id\nT00002\nT3\n", encoding="utf-8")
    given: dict[str, Any] = {
        "CHURN_CAMPAIGN__RULES": json.dumps({"suppression_list": str(listed)}),
        "CHURN_API__DEFAULT_TIME_ZONE": zone_where_it_is_noon(),
    }
    with running(home, **given) as desk:
        wait_for(desk.url + "/campaign", desk)
        made = httpx.post(desk.url + "/campaign/plan", json={}, timeout=60)
        assert made.json()["warnings"] == [UNKNOWN]
        assert httpx.get(desk.url + "/campaign/plan").json()["warnings"] == [UNKNOWN]
        with open_console(browser, desk.url) as page:
            page.get_by_role("tab", name="Campaign").click()
            expect(page.locator("#plan-title")).to_contain_text("is a draft")
            expect(page.locator("#plan-warnings li")).to_have_text([UNKNOWN])
            listed.write_text("customer_id\nT00002\n", encoding="utf-8")
            page.get_by_role("button", name="Make a plan").click()
            expect(page.locator("#plan-warnings")).to_be_hidden()
