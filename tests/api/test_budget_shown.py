"""The Campaign tab holds what is expected to be spent against the budget that is followed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.api.browser import open_console
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import running, wait_for
from tests.api.test_console import PICTURES, browser

__all__ = ["browser"]  # a fixture


@pytest.mark.browser
@pytest.mark.parametrize(("given", "of"), [("2500", "month"), ("", "period")])
def test_the_budget_that_is_followed_is_shown(
    given: str, of: str, browser: Browser, tmp_path: Path
) -> None:
    """Where a month has one, a release's own limit would promise more than plans may spend."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "release")
    publish_predictions(home, tmp_path / "predictions")
    with running(home, CHURN_CAMPAIGN__MONTH_BUDGET=given) as desk:
        wait_for(desk.url + "/campaign", desk)
        with open_console(browser, desk.url) as page:
            page.get_by_role("tab", name="Campaign").click()
            expect(page.locator("#tiles")).to_contain_text(f"Budget of the {of}")
            if given:
                expect(page.locator("#tiles")).to_contain_text("$2,500")
            spent = page.locator("#spent svg")
            expect(spent).to_have_attribute("aria-label", re.compile(f"the budget of the {of}"))
            expect(page.locator("#pareto")).to_contain_text(f"budget of the {of}")
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"budget_{of}.png", full_page=True)
