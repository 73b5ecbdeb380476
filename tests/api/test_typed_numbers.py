"""Numbers that somebody types into the console's form, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.api.browser import open_console
from tests.api.server import Server
from tests.api.test_console import browser, desk, picture

__all__ = ["browser", "desk"]  # fixtures
pytestmark = pytest.mark.browser

BILL = "#field-monthly_charges"


@pytest.fixture
def page(browser: Browser, desk: Server) -> Iterator[Page]:
    """The open page; afterwards, nothing wrong on it."""
    with open_console(browser, desk.url) as tab:
        yield tab


def type_bill(page: Page, text: str) -> None:
    """As a person does, key by key: `fill` refuses what a field drops."""
    page.locator(BILL).click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(text)


def sent(page: Page) -> dict[str, object]:
    """The request that deciding sends."""
    with page.expect_request(lambda r: r.url.endswith("/predict")) as request:
        page.get_by_role("button", name="Decide").click()
    body: dict[str, object] = request.value.post_data_json
    return body


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("89,99", 89.99),
        ("89.99", 89.99),
        (" 89,9 ", 89.9),
        ("$89.99", 89.99),
        ("89,99 €", 89.99),
        ("0,125", 0.125),
        ("90", 90),
        ("64.1250", 64.125),
    ],
)
def test_a_bill_is_read_as_it_is_written(page: Page, text: str, number: float) -> None:
    """Why: a number field dropped the comma, and 89,99 was decided on as 8,999."""
    type_bill(page, text)
    assert sent(page)["monthly_charges"] == number
    expect(page.locator("#verdict")).not_to_be_empty()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.250", "This may be 1250 or 1.25: write the one that is meant."),
        ("1,250", "This may be 1250 or 1.25: write the one that is meant."),
        ("-64,125", "This may be -64125 or -64.1250: write the one that is meant."),
        ("much", "This is not a number."),
        ("89,99,1", "This is not a number."),
    ],
)
def test_what_may_be_another_number_is_a_problem(page: Page, text: str, said: str) -> None:
    """At the field, which gets the focus and says so to who hears the page; nothing is sent."""
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" else None)
    type_bill(page, text)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#problem-monthly_charges")).to_have_text(said)
    expect(page.locator(BILL)).to_be_focused()
    expect(page.locator(BILL)).to_have_attribute("aria-invalid", "true")
    picture(page, "doubtful-number")
    assert asked == []


def test_what_is_left_empty_is_unknown(page: Page) -> None:
    page.locator("#customer summary").click()
    page.locator("#field-total_charges").fill("  ")
    assert "total_charges" not in sent(page)


def test_numbers_bring_up_the_keys_for_them(page: Page) -> None:
    for name in ("tenure", "monthly_charges", "total_charges"):
        expect(page.locator(f"#field-{name}")).to_have_attribute("inputmode", "decimal")


def test_what_the_page_fills_in_is_never_doubtful(page: Page) -> None:
    """A picked customer's bill may have three decimals."""

    def three_decimals(route: Route) -> None:
        answer = route.fetch().json()
        for customer in answer["customers"]:
            customer["features"]["monthly_charges"] = 64.125
        route.fulfill(json=answer)

    page.route("**/customers?*", three_decimals)
    page.locator("#next").click()
    expect(page.locator("#page")).to_have_text("9–16 of 90")
    page.locator("#picks button").first.click()
    expect(page.locator(BILL)).to_have_value("64.1250")
    page.locator("#field-name").fill("Zoë")
    assert sent(page)["monthly_charges"] == 64.125
    expect(page.locator("#what-if")).to_be_visible()
    page.locator("#field-tenure").fill("60")
    expect(page.locator("#what-if-changed")).to_contain_text("→ 60")
    page.get_by_role("button", name="Back to the customer as they are").click()
    expect(page.locator("#what-if-changed")).to_be_empty()
