"""The console's Campaign tab in headless Chromium: a team's day with the mouse and the keyboard."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.browser import open_console
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import running, wait_for, zone_where_it_is_noon
from tests.api.test_console import browser, picture

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser

CHANNELS = '{"email": {"contacts_a_day": 6}, "call": {"contacts_a_day": 2, "cost": 1}}'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small release and predictions for 90 customers."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture
def page(browser: Browser, home: Path) -> Iterator[Page]:
    """The open Campaign tab on a ledger in which nothing is; no error on the page."""
    for file in home.glob("ledger.sqlite3*"):
        file.unlink()
    given = {
        "CHURN_CAMPAIGN__BUDGET": "900",
        "CHURN_CAMPAIGN__CHANNELS": CHANNELS,
        # Late in the evening, today is no day to plan for.
        "CHURN_API__DEFAULT_TIME_ZONE": zone_where_it_is_noon(),
        "CHURN_API__REQUESTS_PER_SECOND": "0",
    }
    with running(home, **given) as desk:
        wait_for(desk.url + "/campaign", desk)
        with open_console(browser, desk.url) as tab:
            tab.get_by_role("tab", name="Campaign").click()
            expect(tab.locator("#plan-problem")).to_contain_text("there is no plan yet")
            expect(tab.locator("#plan-problem")).to_have_class("error")
            yield tab


def planned(page: Page) -> None:
    """Press the button and wait for the draft."""
    page.get_by_role("button", name="Make a plan").click()
    expect(page.locator("#plan-title")).to_contain_text("is a draft")


def test_a_plan_is_made_searched_approved_downloaded_and_handed_over(page: Page) -> None:
    """From nothing to a list in the sending system, and back in the ledger."""
    planned(page)
    expect(page.locator("#plan-rows tr")).to_have_count(12)
    expect(page.locator("#plan-sums")).to_contain_text("One more call a day brings")
    expect(page.locator("#plan-sums")).to_contain_text("$1 more brings")
    expect(page.locator("#plan-others")).to_be_hidden()
    expect(page.locator("#curve-money path.curve")).to_be_visible()
    expect(page.locator("#curve-contacts path.curve")).to_be_visible()
    expect(page.locator("#plan-download")).to_be_disabled()
    expect(page.locator("#plan-hand-over")).to_be_disabled()
    picture(page, "campaign-plan")
    one = page.locator("#plan-rows tr").nth(2).locator("td").nth(1).inner_text()
    page.get_by_role("searchbox", name="Customer").fill(one)
    expect(page.locator("#plan-rows tr")).to_have_count(1)
    page.get_by_role("searchbox", name="Customer").fill("")
    page.locator("#plan-on").select_option(index=2)
    expect(page.locator("#plan-total")).to_contain_text(re.compile(r"^8 contacts, worth \$"))
    page.locator("#plan-on").select_option("")
    page.get_by_label("Channel", exact=True).select_option("call")
    expect(page.locator("#plan-page")).to_contain_text("1–12 of 14")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    expect(page.locator("#plan-steps")).to_contain_text("approved by")
    page.locator("#plan-day").select_option(index=2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the list").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8
    page.get_by_role("button", name="Handed over").click()
    expect(page.locator("#plan-problem")).to_have_text(
        "8 contacts are in the ledger now, 0 were there already."
    )
    expect(page.locator("#plan-problem")).to_have_class("hint")  # not as a failure looks
    expect(page.locator("#plan-steps")).to_contain_text("handed over")
    page.locator("#plan-form").select_option("jsonl")
    page.locator("#plan-day").select_option(index=3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the list").click()
    assert download.value.suggested_filename.endswith(".jsonl")
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 8
    approved = page.locator("#plan-title").inner_text()
    page.get_by_role("button", name="Make a plan").click()
    expect(page.locator("#plan-excluded")).to_contain_text("was contacted too short a time ago")
    expect(page.locator("#out-rows tr")).to_have_count(8)
    out = page.locator("#out-rows td").first.inner_text()
    page.get_by_role("searchbox", name="Who is left out").fill(out)
    expect(page.locator("#out-rows tr")).to_have_count(1)
    picture(page, "campaign-excluded")
    page.locator("#plan-which").select_option(index=1)
    expect(page.locator("#plan-title")).to_have_text(approved)
    expect(page.locator("#plan-download")).to_be_enabled()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#plan-title")).to_contain_text("was cancelled")
    expect(page.locator("#plan-cancel")).to_be_disabled()
    page.locator("#plan-day").select_option(index=3)  # its list was taken
    page.get_by_role("button", name="Handed over").click()
    expect(page.locator("#plan-problem")).to_contain_text("8 contacts are in the ledger now")


def test_sliders_replan_by_keyboard_and_a_draft_keeps_their_limits(page: Page) -> None:
    """Half the money: less value, at once; nothing is kept until it is asked for."""
    planned(page)
    before = page.locator("#plan-sums dd").nth(1).inner_text()
    page.get_by_label(re.compile("^Money")).focus()
    page.keyboard.press("Home")
    expect(page.locator("#budget-value")).to_have_text("$0")
    expect(page.locator("#plan-sums dd").nth(2)).to_have_text("$0")
    assert page.locator("#plan-sums dd").nth(1).inner_text() != before
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-total")).to_contain_text("cost $0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_lies_outside(page: Page, scheme: str) -> None:
    """The table scrolls by itself; the page doesn't."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    planned(page)
    expect(page.locator("#plan-rows tr")).to_have_count(12)
    page.locator("#plan summary").click()
    expect(page.locator("#plan-days tr")).to_have_count(7)
    for chart in ("#curve-money svg", "#curve-contacts svg", "#pareto svg"):
        drawn = f"[...document.querySelectorAll('{chart}')].map((s) => s.viewBox.baseVal.width)[0]"
        page.wait_for_function(f"{drawn} < 390")  # drawn anew at the phone's width
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    picture(page, f"campaign-phone-{scheme}")
