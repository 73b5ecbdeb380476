"""The console page in headless Chromium, on a real server with a release and predictions."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from churn_assets.messages.shield.verdict import CHECKS
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.browser import open_console
from tests.api.conftest import small_server
from tests.api.server import Server, wait_for
from tests.api.test_security import line

pytestmark = pytest.mark.browser

INSTALL = "Chromium is missing; install it: apt-get update && apt-get install -y chromium"
# Where to leave pictures for a person to look at.
PICTURES = os.environ.get("CHURN_TEST_PICTURES")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped without it, except in CI, where it must be there."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield instance
        instance.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the page's own: its people report feedback."""
    with small_server(tmp_path_factory, CHURN_API__REQUESTS_PER_SECOND="0") as server:
        wait_for(server.url + "/campaign", server)
        yield server


@pytest.fixture
def page(browser: Browser, desk: Server) -> Iterator[Page]:
    """The open page; afterwards, nothing wrong on it."""
    with open_console(browser, desk.url) as tab:
        yield tab


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_sample_customer_from_form_to_decision(page: Page) -> None:
    """An agent fills the form and sees decision, gauge, alternatives, reasons, message, checks."""
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#verdict")).to_contain_text("Contact now, with 10 % off")
    expect(page.locator("#gauge svg")).to_have_attribute(
        "aria-label", re.compile(r"Churn risk \d+")
    )
    expect(page.locator("#alternatives rect")).to_have_count(5)
    expect(page.locator("#alternatives rect.chosen")).to_have_count(1)
    expect(page.locator("#reasons li").first).to_contain_text("churn risk")
    expect(page.locator("#facts dd").first).to_have_text(re.compile(r"^−?\$[\d,]+\.\d\d$"))
    expect(page.locator("#message")).to_contain_text("Hi Sam")
    expect(page.locator("#source")).to_have_text("written by the model")
    expect(page.locator("#checks li")).to_have_count(len(CHECKS))
    bare = {name.capitalize().replace("_", " ") for name in CHECKS}  # of a check without words
    assert bare.isdisjoint(page.locator("#checks li").all_inner_texts())
    expect(page.locator("#checks .spared")).to_have_count(0)
    expect(page.locator("#checks")).to_contain_text("50 to 200 characters")
    expect(page.locator("#checks")).to_contain_text("Outside quiet hours (22–8 local)")
    expect(page.locator("#decision-title")).to_have_text("Decision for C12345")
    expect(page.locator("#checks li.passed").first).to_be_visible()
    picture(page, "customer")


def test_no_check_is_ticked_that_had_nothing_to_check(page: Page) -> None:
    """A doubtful name is left out, and a contact may have no offer: neither was said rightly."""

    def without_an_offer(route: Route) -> None:
        answer = route.fetch().json()
        answer["decision"]["offer_percentage"] = 0
        route.fulfill(json=answer)

    page.locator("#field-name").fill("Buy now")
    page.get_by_role("button", name="Decide").click()
    spared = page.locator("#checks .spared")
    expect(spared).to_have_text(re.compile("^Names nobody; the name: it reads like advertising"))
    expect(page.locator("#checks")).not_to_contain_text("Says the customer's name")
    expect(page.locator("#checks li")).to_have_count(len(CHECKS))
    picture(page, "nobody-named")
    page.route("**/predict", without_an_offer)
    page.get_by_role("button", name="Decide").click()
    expect(spared).to_have_text([re.compile("^Names nobody"), "Has no offer to state"])


def test_the_head_says_what_is_amiss_while_the_page_is_open(browser: Browser, desk: Server) -> None:
    """The kill switch may be thrown days after the page was opened: within a minute it says so, and
    whenever a tab is opened; what stands in and older predictions are said, too."""
    told: dict[str, object] = {}
    page = browser.new_page()
    page.clock.install()
    page.route("**/readyz", lambda r: r.fulfill(json=r.fetch().json() | told))
    page.goto(desk.url)
    expect(page.locator("#picks li")).to_have_count(8)
    status = page.locator("#status")
    expect(status).to_have_text(re.compile(r"^Release \S+$"))
    told["generated_data"] = ["telco_customers", "bank_contacts"]
    told["baseline_forced"] = True
    page.clock.fast_forward(60_000)
    expect(status).to_contain_text("rules only (kill switch)")
    expect(status).to_contain_text("· learnt from generated data: telco customers, bank contacts ·")
    told |= {
        "predictions_problem": "predictions 0123 is refused: predictions.parquet is damaged",
        "stand_ins": {"policy": "the best rule: decisions_depend_on_the_state failed"},
    }
    page.get_by_role("tab", name="Results").click()
    expect(status).to_contain_text("· predictions 0123 is refused")
    expect(status).to_contain_text(
        "· in place of the release's policy: the best rule: decisions_depend"
    )
    picture(page, "head")
    told.clear()
    page.get_by_role("tab", name="Customer").click()
    expect(status).to_have_text(re.compile(r"^Release \S+$"))
    page.close()


@pytest.mark.parametrize(
    ("language", "beginning", "told"),
    [
        ("es", "Hola, Sam", "reviewed template, in Spanish"),
        ("de", "Hi Sam", "written by the model, in English: nothing is reviewed in de"),
    ],
)
def test_the_language_is_said(page: Page, language: str, beginning: str, told: str) -> None:
    """An agent must not send English to a German unknowingly."""
    page.locator("#customer summary").click()
    page.locator("[name=language]").fill(language)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#message")).to_contain_text(beginning)
    expect(page.locator("#source")).to_have_text(told)


def test_picking_a_customer_asks_for_their_name_and_decides(page: Page) -> None:
    """A pick fills the form; predictions hold no names, and nobody is to be greeted by the name of
    the customer before."""
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#answer")).to_be_visible()
    first = page.locator("#picks button").first
    identity, shown = first.locator(".who").inner_text(), first.locator(".worth").inner_text()
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#field-customer_id")).to_have_value(identity)
    expect(page.locator("#field-name")).to_have_value("")
    expect(page.locator("#field-name")).to_be_focused()
    expect(page.locator("#problem-name")).to_contain_text("enter the customer's name")
    expect(page.locator("#answer")).to_be_hidden()
    page.keyboard.type("Zoë")
    page.keyboard.press("Enter")
    expect(page.locator("#decision-title")).to_have_text(f"Decision for {identity}")
    expect(page.locator("#facts dd").first).to_have_text(shown)
    expect(page.locator("#message")).to_contain_text("Hi Zoë")


def test_late_answer_never_shows_for_another_customer(page: Page) -> None:
    """Answers may overtake each other; only the last question's counts."""
    held: list[Route] = []
    page.route("**/predict", lambda r: held.append(r) if len(held) < 2 else r.continue_())
    for identity in ("LATE-1", "LATE-2", "LAST"):
        page.locator("#field-customer_id").fill(identity)
        page.get_by_role("button", name="Decide").click()
    expect(page.locator("#decision-title")).to_have_text("Decision for LAST")
    with page.expect_response("**/predict"):
        held[0].continue_()
    held[1].abort()
    page.wait_for_timeout(200)  # time in which a late answer could do harm
    expect(page.locator("#decision-title")).to_have_text("Decision for LAST")
    expect(page.locator("#form-error")).to_be_hidden()


def test_what_is_no_number_is_said_and_not_sent(page: Page) -> None:
    """A browser reports "1e" as empty; taken for "unknown" it would change the decision."""
    page.locator("#customer summary").click()
    page.locator("#field-total_charges").press_sequentially("1e")
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#problem-total_charges")).to_have_text("This is not a number.")
    expect(page.locator("#field-total_charges")).to_be_focused()
    assert sent == []


def test_lost_connection_is_said(page: Page) -> None:
    """Whatever was asked, an answer that does not come leaves a word on the page."""
    said = re.compile("can't be reached")
    page.route("**/*", lambda route: route.abort())
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#form-error")).to_have_text(said)
    page.locator("#next").click()
    expect(page.locator("#pick-hint")).to_have_text(said)
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#campaign-hint")).to_have_text(said)


@pytest.mark.parametrize("lost", ["**/openapi.json", "**/readyz", "**/release", "**/customers?*"])
def test_page_that_cannot_begin_says_so(browser: Browser, desk: Server, lost: str) -> None:
    """Also when the very first questions fail."""
    page = browser.new_page()
    page.route(lost, lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    page.goto(desk.url)
    expect(page.get_by_text("can't be reached")).to_be_visible()
    page.close()


def test_form_and_panels_say_what_they_are(page: Page) -> None:
    """For those who hear the page: required fields, one short announcement, reachable panels."""
    for field in SAMPLE_REQUEST:
        expect(page.locator(f"#field-{field}")).to_have_attribute("required", "")
    assert page.locator("#optional [required]").count() == 0
    expect(page.locator("#verdict")).to_have_attribute("role", "status")
    assert page.locator("[aria-live]").count() == 0
    expect(page.locator("#panel-campaign")).to_have_attribute("tabindex", "0")


def test_pages_of_the_list(page: Page) -> None:
    """The list can be leafed through, and stops at its ends."""
    expect(page.locator("#previous")).to_be_disabled()
    page.locator("#next").click()
    expect(page.locator("#page")).to_have_text("9–16 of 90")
    page.locator("#previous").click()
    expect(page.locator("#page")).to_have_text("1–8 of 90")


def test_bad_input_is_shown_at_its_field(page: Page) -> None:
    """The API's 422 becomes a message beside the field, which gets the focus; no markup runs."""
    page.locator("#field-name").fill("<img src=x onerror=alert(1)>")
    page.locator("#field-tenure").fill("-1")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#problem-tenure")).to_contain_text("greater than or equal to 0")
    expect(page.locator("#field-tenure")).to_be_focused()
    assert page.locator("img").count() == 0
    page.locator("#field-tenure").fill("12")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#problem-tenure")).to_be_hidden()
    assert page.locator("img").count() == 0


def test_campaign_tab(page: Page) -> None:
    """Contacts, spend against budget, retained revenue, and the curve with the decisions' point."""
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#tiles dd")).to_have_count(6)
    expect(page.locator("#tiles")).to_contain_text("Expected retained revenue")
    expect(page.locator("#spent svg")).to_have_attribute("aria-label", re.compile("of the budget"))
    expect(page.locator("#pareto path.curve")).to_be_visible()
    expect(page.locator("#pareto circle.decided")).to_be_visible()
    expect(page.locator("#panel-customer")).to_be_hidden()
    picture(page, "campaign")


def test_keyboard_alone(page: Page) -> None:
    """Skip link, tabs by arrows, form by Enter, all without a mouse."""
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#tab-customer")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-campaign")).to_be_focused()
    expect(page.locator("#panel-campaign")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.locator("#field-tenure").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_be_visible()


def test_nothing_is_sent_before_the_form_is_there(browser: Browser, desk: Server) -> None:
    """On a slow line "Decide" would send an empty form, and every field would say so."""
    page = browser.new_page()
    closed: list[bool] = []

    def look(route: Route) -> None:
        closed.append(page.locator("#decide").is_disabled())
        route.continue_()

    page.route("**/openapi.json", look)
    page.goto(desk.url)
    page.get_by_role("button", name="Decide").click()  # once it can be
    expect(page.locator("#verdict")).not_to_be_empty()
    assert closed == [True]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_in_light_and_dark(browser: Browser, desk: Server, scheme: str) -> None:
    """Readable on a narrow screen: nothing sticks out sideways, and text contrasts enough."""
    context = browser.new_context(
        viewport={"width": 320, "height": 740}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(desk.url)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#verdict")).to_be_in_viewport()
    picture(page, f"phone-{scheme}")
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#pareto circle.decided")).to_be_visible()
    picture(page, f"phone-campaign-{scheme}")
    page.get_by_role("tab", name="Customer").click()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    for selector in ("#verdict", ".hint", "#picks button", ".primary", "#facts dt"):
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector
    context.close()


# Contrast ratio of an element's text against the nearest painted background (WCAG 2.1, 1.4.3).
CONTRAST = """(selector) => {
  const visible = [...document.querySelectorAll(selector)].find((e) => e.offsetParent);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let painted = visible;
  const clear = (e) => rgb(getComputedStyle(e).backgroundColor)[3] === 0;
  while (painted && clear(painted)) painted = painted.parentElement;
  const back = light(rgb(getComputedStyle(painted ?? document.documentElement).backgroundColor));
  const ink = light(rgb(getComputedStyle(visible).color));
  return (Math.max(back, ink) + 0.05) / (Math.min(back, ink) + 0.05);
}"""


def test_asks_for_a_key_where_one_is_needed(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The page is public, its data is not: it asks, and then works."""
    keys = f'["{line("desk", "the-key")}"]'
    with small_server(tmp_path_factory, CHURN_API__KEY_HASHES=keys) as server:
        page = browser.new_page()
        page.goto(server.url)
        expect(page.locator("#key")).to_be_focused()
        page.locator("#key").fill("another-key")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_have_text("That is no valid API key.")
        page.locator("#key").fill("ключ")  # no browser sends that in a header
        page.keyboard.press("Enter")
        expect(page.locator("#key")).to_have_value("")
        expect(page.locator("#key-form")).to_be_visible()
        expect(page.locator("#status")).to_have_text("That is no valid API key.")
        page.locator("#key").fill("the-key")
        page.keyboard.press("Enter")
        expect(page.locator("#key-form")).to_be_hidden()
        expect(page.locator("#status")).to_contain_text("Release")
        expect(page.locator("#picks li")).to_have_count(8)
        expect(page.locator("#pick-hint")).to_have_text(re.compile("by expected value"))
        page.get_by_role("button", name="Decide").click()
        expect(page.locator("#verdict")).to_be_visible()
        page.evaluate("sessionStorage.setItem('key', 'an-old-key')")
        page.get_by_role("tab", name="Results").click()
        expect(page.locator("#status")).to_have_text("That is no valid API key.")
        page.locator("#key").fill("the-key")
        page.keyboard.press("Enter")
        expect(page.locator("#results-hint")).to_contain_text("measure_outcomes")  # the open tab
        page.close()
