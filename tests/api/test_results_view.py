"""The console's Results tab in headless Chromium: a manager reads whether it helped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.api import reports
from tests.api.browser import open_console
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import Server, running, wait_for
from tests.api.test_console import CONTRAST, browser, picture

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser

SPEND = {"spent": 12_000.0, "expected": 3_000.0, "budget": 40_000.0, "due": 20_000.0}
WATCHED = {
    "risk_came_true": ("ok", "The risk came true: 96 of 480 customers left alone have left.", {}),
    "customers_are_like_those_learnt_from": (
        "error",
        "Today's customers have changed: contract (0.61), monthly_charges (0.31).",
        {},
    ),
    "fall_backs_are_rare": ("warn", "12 of 900 decisions were made by the rule alone.", {}),
    "spend_keeps_pace_with_the_budget": ("ok", "Spend is at 75 % of what is due.", SPEND),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Server]:
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0") as server:
        wait_for(server.url + "/campaign", server)
        yield server


@pytest.fixture
def page(browser: Browser, desk: Server) -> Iterator[Page]:
    """The open page; afterwards, nothing wrong on it."""
    with open_console(browser, desk.url) as tab:
        yield tab


def results(page: Page) -> None:
    page.get_by_role("tab", name="Results").click()
    expect(page.locator("#panel-results")).to_be_visible()


def test_before_anything_is_measured_it_says_so(page: Page) -> None:
    results(page)
    expect(page.locator("#results-verdict")).to_have_text("Nothing is measured yet")
    expect(page.locator("#results-hint")).to_contain_text("measure_outcomes")
    expect(page.locator("#results-effects")).to_be_hidden()
    expect(page.locator("#results-spend-hint")).to_have_text("Too early to judge.")
    expect(page.locator("#results-watched-hint")).to_have_text("Nothing was looked at yet.")


def test_what_is_not_read_is_not_judged(page: Page) -> None:
    """Why: "Too early to judge." stood there before the answer, and where none came."""
    held: list[Route] = []
    page.route("**/results", lambda route: held.append(route))
    results(page)
    expect(page.locator("#results-hint")).to_have_text("Loading…")
    expect(page.locator("#results-spend-hint")).to_be_empty()
    held[0].abort()
    expect(page.locator("#results-hint")).to_contain_text("can't be reached")
    expect(page.locator("#results-spend-hint")).to_be_empty()


def test_commands_stand_as_such(page: Page, home: Path) -> None:
    """No marks around them, as reports and terminals have them."""
    nothing = {"verdict": "not known yet", "sentence": "Not yet: `churn experiment on` helps."}
    counts = dict.fromkeys(("customers", "treated", "control", "needed"), 0)
    reports.publish(home, "lift_report", nothing | counts)
    results(page)
    expect(page.locator("#results-sentence")).to_have_text("Not yet: churn experiment on helps.")
    expect(page.locator("#results-sentence code")).to_have_text("churn experiment on")


@pytest.mark.parametrize(
    ("moved", "title", "mood"),
    [
        (-0.12, "Contacting helps", "good"),
        (0.15, "Contacting hurts", "bad"),
        (-0.015, "Not known yet", ""),  # what it keeps, its discounts cost
    ],
)
def test_the_verdict_with_its_interval(
    page: Page, home: Path, moved: float, title: str, mood: str
) -> None:
    """In words, as a chart over time, and as a table of what moved."""
    report = reports.lift_of(moved)
    reports.publish(home, "lift_report", report)
    reports.publish(home, "drift_report", reports.watched(**WATCHED))
    results(page)
    expect(page.locator("#results-verdict")).to_have_text(title)
    expect(page.locator("#results-verdict")).to_have_class(mood)
    expect(page.locator("#results-sentence")).to_have_text(report["sentence"])
    expect(page.locator("#results-chart path.band")).to_be_visible()
    expect(page.locator("#results-chart path.curve")).to_be_visible()
    expect(page.locator("#results-chart svg")).to_have_attribute(
        "aria-label", re.compile(r"Lately .*, between ")
    )
    expect(page.locator("#results-measures tr")).to_have_count(4)
    expect(page.locator("#results-measures tr").first).to_contain_text("Customers who left")
    left = page.locator("#results-measures tr").first.locator("td").all_inner_texts()
    assert re.fullmatch(r"[+−]\d+\.\d points", left[0])  # of two shares: not a part of either
    assert re.fullmatch(r"[+−]\d+\.\d points and [+−]\d+\.\d points", left[1])
    assert all(re.fullmatch(r"\d+\.\d %", share) for share in left[2:])
    expect(page.locator("#results-measures tr").last).to_contain_text("Value kept after these")
    picture(page, f"results-{title.split()[-1]}")


def test_spend_and_what_is_watched(page: Page, home: Path) -> None:
    """Each thing by name, with its state in words, not by colour alone."""
    reports.publish(home, "lift_report", reports.lift_of(-0.12))
    report = reports.watched(**WATCHED) | {"retrain": ["the customers have changed"]}
    reports.publish(home, "drift_report", report)
    results(page)
    expect(page.locator("#results-money dd")).to_have_text(
        ["$12,000", "$3,000", "$20,000", "$40,000"]
    )
    expect(page.locator("#results-meter svg")).to_have_attribute(
        "aria-label", "37.5 % of the budget is spent or expected to be"
    )
    expect(page.locator("#results-share")).to_have_text(
        "As of 2026-03-10, 37.5 % of the budget is spent or expected to be."
    )
    expect(page.locator("#results-money dt")).to_contain_text(["Planned to be spent by then"])
    expect(page.locator("#results-watched")).to_contain_text("Spend stays within the budget")
    picture(page, "results-spend")
    expect(page.locator("#results-watched li")).to_have_count(10)
    changed = page.locator("#results-watched li.is-error")
    expect(changed).to_contain_text("Customers are as the models know them")
    expect(changed).to_contain_text("needs somebody now")
    expect(page.locator("#results-watched li.is-warn")).to_contain_text("worth a look")
    expect(page.locator("#results-retrain")).to_have_text(
        "Reason to train again: the customers have changed."
    )


def test_arrows_lead_through_all_tabs(page: Page) -> None:
    page.locator("#tab-customer").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#tab-results")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-customer")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_in_light_and_dark(browser: Browser, desk: Server, home: Path, scheme: str) -> None:
    """Nothing sticks out sideways, and every text contrasts enough."""
    reports.publish(home, "lift_report", reports.lift_of(-0.12))
    reports.publish(home, "drift_report", reports.watched(**WATCHED))
    context = browser.new_context(
        viewport={"width": 320, "height": 740}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(desk.url)
    results(page)
    expect(page.locator("#results-verdict")).to_be_in_viewport()
    expect(page.locator("#results-chart path.band")).to_be_visible()
    expect(page.locator("#results-watched li")).to_have_count(10)
    picture(page, f"phone-results-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    for selector in (
        "#results-verdict",
        "#results-sentence",
        "#results-hint",
        "#results-measures th",
        "#results-watched p",
        "#results-watched .is-error .tag",
    ):
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector
    context.close()
