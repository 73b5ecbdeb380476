"""The console's Campaign tab in headless Chromium: a team's day with the mouse and the keyboard."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

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
    expect(page.locator("#plan-sums")).to_contain_text("$1 more to spend brings")
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
    expect(page.locator("#plan-problem")).to_contain_text("Its lists can be taken until ")
    page.locator("#plan-day").select_option(index=2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the list").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8
    day = page.locator("#plan-day").input_value()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Handed over").click()
    expect(page.locator("#plan-problem")).to_have_text(
        f"List of {day}: 8 contacts are in the ledger now, 0 were there already."
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
    names = page.locator("#plan-sums dt").all_inner_texts()
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-total")).to_contain_text("cost $0")
    assert page.locator("#plan-sums dt").all_inner_texts() == names  # where they stood before


def test_only_what_is_shown_can_be_approved(page: Page) -> None:
    """Why: a slider moved to half the money shows half the money, and the draft still has all."""
    planned(page)
    money, sums = page.get_by_label(re.compile("^Money")), page.locator("#plan-sums dd")
    approve = page.get_by_role("button", name="Approve")
    first, before = page.locator("#plan-title").inner_text(), sums.all_inner_texts()
    money.fill("50")
    expect(page.locator("#budget-value")).to_have_text("$450")
    expect(approve).to_be_disabled()
    expect(page.locator("#plan-moved")).to_contain_text("keep them as a new draft, then approve")
    expect(page.get_by_role("button", name="Keep these limits")).to_be_enabled()
    assert sums.all_inner_texts() != before
    picture(page, "campaign-moved")
    money.fill("100")
    expect(approve).to_be_enabled()
    expect(page.locator("#plan-moved")).to_be_hidden()
    expect(sums).to_have_text(before)
    money.fill("50")
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-title")).not_to_have_text(first)
    expect(page.locator("#budget-value")).to_have_text("$450")
    expect(page.locator("#plan-moved")).to_be_hidden()
    with page.expect_request("**/campaign/plan/approve") as asked:
        approve.click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    expect(page.locator("#plan-title")).to_contain_text(asked.value.post_data_json["plan_id"])
    expect(page.locator("#budget-value")).to_have_text("$450")
    money.fill("60")
    money.fill("100")
    expect(approve).to_be_disabled()


def test_todays_list_is_chosen_and_another_day_stays_chosen(page: Page) -> None:
    """Why: "Handed over" for the plan's first day, on its third, looks like success."""
    later = [2]  # days that the plan is old

    def on_a_later_day(route: Route) -> None:
        answer = route.fetch().json()
        answer["today"] = answer["days"][later[0]]
        route.fulfill(json=answer)

    def opened_again() -> None:
        page.locator("#plan-search").fill("T")  # which showing the plan empties
        page.get_by_role("tab", name="Customer").click()
        page.get_by_role("tab", name="Campaign").click()
        expect(page.locator("#plan-search")).to_have_value("")

    planned(page)
    day = page.locator("#plan-day")
    here = datetime.now(ZoneInfo(zone_where_it_is_noon())).date()
    expect(day).to_have_value(here.isoformat())
    page.route(re.compile(r"/campaign/plan(\?.*)?$"), on_a_later_day)
    opened_again()
    expect(day).to_have_value((here + timedelta(days=2)).isoformat())
    expect(day.locator("option").nth(2)).to_contain_text("(today)")
    day.select_option(index=0)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    opened_again()
    expect(day).to_have_value(here.isoformat())
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Handed over").click()
    expect(page.locator("#plan-problem")).to_contain_text(f"List of {here}: 8")
    later[0] = 3
    opened_again()
    expect(day).to_have_value((here + timedelta(days=3)).isoformat())


def test_a_plan_whose_days_are_over_says_so(page: Page) -> None:
    """Its buttons stood there as on its first day. Where customers' clocks are behind, its last day
    still has an evening; what was taken can be handed over for ever."""
    later = [6]  # days after its first one: the last of seven
    listed: list[str] = []

    def on_a_later_day(route: Route) -> None:
        answer = route.fetch().json()
        day = datetime.fromisoformat(answer["days"][0]) + timedelta(days=later[0])
        route.fulfill(json=answer | {"today": day.date().isoformat(), "listed": listed})

    planned(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    page.route(re.compile(r"/campaign/plan(\?.*)?$"), on_a_later_day)
    download, over = page.locator("#plan-download"), page.locator("#plan-over")
    hand_over = page.locator("#plan-hand-over")
    for later[0], said in ((6, ""), (7, "Its days are over here"), (8, "Its days are over: ")):
        page.get_by_role("tab", name="Customer").click()
        page.get_by_role("tab", name="Campaign").click()
        expect(over).to_contain_text(said) if said else expect(over).to_be_hidden()
        expect(download).to_be_enabled(enabled=later[0] < 8)
        expect(hand_over).to_be_enabled(enabled=later[0] < 8)
    listed.append(page.locator("#plan-day").input_value())
    page.get_by_role("tab", name="Customer").click()
    page.get_by_role("tab", name="Campaign").click()
    expect(hand_over).to_be_enabled()
    expect(download).to_be_disabled()


def test_what_contacts_nobody_has_a_sentence_for_a_chart(page: Page) -> None:
    """The axes of nothing read $1, $1 and $0, and the frontier was blank."""
    planned(page)
    page.get_by_label(re.compile("^Contacts a day")).fill("0")
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-total")).to_contain_text("0 contacts")
    for place in ("#curve-money", "#curve-contacts"):
        expect(page.locator(place)).to_have_text(
            "This plan contacts nobody, so there is nothing to compare."
        )
    expect(page.locator("#pareto circle.decided")).to_be_visible()
    nobody = {"contacts": 0, "pareto": [], "expected_spend": 0, "expected_retained_revenue": 0}
    page.route(re.compile(r"/campaign$"), lambda r: r.fulfill(json=r.fetch().json() | nobody))
    page.get_by_role("tab", name="Customer").click()
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#pareto")).to_have_text(
        "These decisions contact nobody, so there is nothing to compare."
    )


def test_a_hand_over_is_asked_about_and_no_day_to_come_is_taken_untold(page: Page) -> None:
    """Why: a click on a wrong day filled the ledger with contacts that nobody had made."""
    planned(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    page.locator("#plan-day").select_option(index=2)
    day = page.locator("#plan-day").input_value()
    asked: list[str] = []
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if "handed-over" in r.url else None)

    def answered(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answered)
    button = page.get_by_role("button", name="Handed over")
    button.click()
    assert f"taken the list of {day} (8 contacts planned)? That day is still to come" in asked[0]
    assert sent == []
    button.click()
    expect(page.locator("#plan-problem")).to_contain_text("no list of it was exported: export it")
    expect(page.locator("#plan-problem")).to_have_class("error")
    expect(button).to_be_enabled()
    expect(page.locator("#plan-steps")).not_to_contain_text("handed over")
    page.locator("#plan-day").select_option(index=0)
    button.click()
    expect(page.locator("#plan-problem")).to_contain_text("8 contacts are in the ledger now")
    assert "still to come" not in asked[2]


def test_an_older_plan_cannot_be_touched_while_a_new_one_is_made(page: Page) -> None:
    """Why: "Approve" a moment too early approved the plan before, and the new one never came."""
    planned(page)
    first = page.locator("#plan-title").inner_text()
    held: list[Route] = []
    page.route("**/campaign/plan", lambda r: held.append(r))
    page.get_by_role("button", name="Make a plan").press("Enter")
    expect(page.locator("#plan-problem")).to_have_text("Working…")
    names = ("make", "which", "save", "approve", "cancel", "download", "hand-over")
    for name in names:
        expect(page.locator(f"#plan-{name}")).to_be_disabled()
    expect(page.locator("#budget-slider")).to_be_disabled()
    picture(page, "campaign-working")
    held.pop().continue_()
    expect(page.locator("#plan-title")).not_to_have_text(first)
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    expect(page.locator("#plan-approve")).to_be_enabled()
    expect(page.locator("#plan-make")).to_be_focused()
    page.get_by_role("button", name="Make a plan").click()
    expect(page.locator("#plan-approve")).to_be_disabled()
    held.pop().abort()
    expect(page.locator("#plan-problem")).to_contain_text("can't be reached")
    expect(page.locator("#plan-approve")).to_be_enabled()
    expect(page.locator("#plan-save")).to_be_disabled()


def test_promises_beyond_a_draft_s_limits_are_said(page: Page) -> None:
    """Why: money for 450 beside a cost of 900 looked like a plan that broke its limits."""
    planned(page)
    expect(page.locator("#plan-hint")).not_to_contain_text("more than these limits allow")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    expect(page.locator("#plan-hint")).not_to_contain_text("more than these limits allow")
    page.get_by_label(re.compile("^Contacts a day")).fill("50")
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    expect(page.locator("#plan-hint")).to_contain_text("more than these limits allow: it is kept")


@pytest.mark.parametrize(("search", "asked"), [("plan", "contacts"), ("out", "excluded")])
def test_a_search_is_asked_once_typing_rests(page: Page, search: str, asked: str) -> None:
    """However long the word: each question reads a whole plan."""
    planned(page)
    expect(page.locator("#plan-rows tr")).to_have_count(12)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if f"/plan/{asked}" in r.url else None)
    with page.expect_request(f"**/campaign/plan/{asked}?*search=T000&*"):
        page.evaluate(
            """(id) => ["T", "T0", "T00", "T000"].forEach((value) => {
              document.getElementById(id).value = value;
              document.getElementById(id).dispatchEvent(new Event("input"));
            })""",
            f"{search}-search",
        )
    assert len(sent) == 1


def test_a_download_without_a_key_asks_for_one(page: Page) -> None:
    """As every other question does, where the key has expired."""
    planned(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    detail = [{"loc": ["header"], "msg": "no valid API key", "type": "unauthorized"}]
    page.route("**/campaign/plan/list?*", lambda r: r.fulfill(status=401, json={"detail": detail}))
    page.get_by_role("button", name="Download the list").click()
    expect(page.locator("#key")).to_be_focused()
    expect(page.locator("#plan-problem")).to_have_text("no valid API key")
    page.route("**/campaign/plan/list?*", lambda route: route.abort())
    page.get_by_role("button", name="Download the list").click()
    expect(page.locator("#plan-problem")).to_contain_text("can't be reached")


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
