"""Several plans in the console's Campaign tab: which one's contacts are made, and what taking one
back stops."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.api.test_campaign_view import home, page, planned
from tests.api.test_console import browser, picture

__all__ = ["browser", "home", "page"]  # fixtures
pytestmark = pytest.mark.browser

PLAN = r"\d{8}-[0-9a-f]+"


def plan_of(page: Page) -> str:
    """The id of the plan that is shown."""
    found = re.search(PLAN, page.locator("#plan-title").inner_text())
    assert found is not None
    return found.group()


def approved(page: Page) -> str:
    """Make a plan and approve it; returns its id."""
    planned(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    return plan_of(page)


def another(page: Page, share: str = "50") -> str:
    """Keep a draft beside the plan that is shown, of other contacts a day; returns its id."""
    first = plan_of(page)
    page.get_by_label(re.compile("^Contacts a day")).fill(share)
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-title")).not_to_contain_text(first)
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    return plan_of(page)


def opened_again(page: Page) -> None:
    """The tab, as somebody opens it who comes to the page."""
    page.reload()
    expect(page.locator("#picks li")).to_have_count(8)
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#plan-title")).to_contain_text(re.compile(PLAN))


def test_taking_a_plan_back_says_whose_lists_still_go_out(page: Page) -> None:
    """Why: "Its contacts won't be made", and all of them stood in the approved plan beside it: who
    stops a campaign must not believe that it is stopped."""
    asked: list[str] = []

    def answered(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", answered)
    first = approved(page)
    expect(page.locator("#plan-approved")).to_be_hidden()
    draft = another(page)
    line = page.locator("#plan-approved-words")
    expect(line).to_have_text(f"Approved at present: plan {first}. Its lists go out.")
    picture(page, "plans-draft")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#plan-problem")).to_have_text(
        f"Plan {draft} was taken back. Plan {first} is still approved: its lists go out."
    )
    stays = f"This stops no contact: plan {first} stays approved, and its lists go out."
    assert asked == [f"Take plan {draft} back? Nobody is contacted by a draft. {stays}"]
    expect(page.locator("#plan-title")).to_contain_text("was cancelled")
    expect(line).to_contain_text(first)
    picture(page, "plans-taken-back")
    page.locator("#plan-approved-show").click()
    expect(page.locator("#plan-title")).to_contain_text(f"{first} is approved")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#plan-problem")).to_have_text(
        f"Plan {first} was taken back. No plan is approved: no list goes out."
    )
    assert "Its contacts won't be made; those handed over already stay" in asked[1]
    assert "This stops no contact" not in asked[1]
    expect(line).to_have_text("No plan is approved at present: no list goes out.")
    expect(page.locator("#plan-approved-show")).to_be_hidden()


def test_the_tab_opens_on_the_plan_in_force(page: Page) -> None:
    """Why: it opened on the newest, though that was cancelled, and nothing said that an older one
    was approved; a plan replaced by an older draft "was replaced by a later plan"."""
    planned(page)
    older = plan_of(page)
    newer = another(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text("is approved")
    told = page.locator("#plan-which option").nth(1)
    page.locator("#plan-which").select_option(value=older)
    expect(page.locator("#plan-title")).to_contain_text(f"{older} is a draft")
    expect(told).to_contain_text("draft")
    # What the draft didn't know of goes back, so that the older draft may be approved.
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#plan-approved-show").click()
    expect(page.locator("#plan-title")).to_contain_text(f"{newer} is approved")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#plan-title")).to_contain_text("was cancelled")
    expect(page.locator("#plan-problem")).to_contain_text("No plan is approved")
    page.locator("#plan-which").select_option(value=older)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text(f"{older} is approved")
    opened_again(page)  # the newest is cancelled
    expect(page.locator("#plan-title")).to_contain_text(f"{older} is approved")
    expect(page.locator("#plan-download")).to_be_enabled()
    last = another(page, "80")
    opened_again(page)  # a draft of the night is what there is to be decided on
    expect(page.locator("#plan-title")).to_contain_text(f"{last} is a draft")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#plan-title")).to_contain_text(f"{last} is approved")
    page.locator("#plan-which").select_option(value=older)
    expect(page.locator("#plan-title")).to_have_text(f"Plan {older} was replaced by another plan")
    for button in ("cancel", "approve", "download", "hand-over"):
        expect(page.locator(f"#plan-{button}")).to_be_disabled()


def test_only_a_list_that_was_taken_can_be_handed_over_of_a_cancelled_plan(page: Page) -> None:
    """Why: it asked whether the list had been taken, then said that the plan was cancelled. Why it
    isn't a rule that leaves somebody out, words say."""
    approved(page)
    day = page.locator("#plan-day")
    day.select_option(index=2)
    with page.expect_download():
        page.get_by_role("button", name="Download the list").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#plan-title")).to_contain_text("was cancelled")
    button = page.get_by_role("button", name="Handed over")
    expect(button).to_be_enabled()  # the day stays chosen
    day.select_option(index=3)
    expect(button).to_be_disabled()
    day.select_option(index=2)

    def left_out(route: Route) -> None:
        dropped = {"channel_closed": 1, "opt_out": 2}
        route.fulfill(json={"new": 0, "already": 0, "dropped": dropped, "cancelled": None})

    page.route("**/campaign/plan/handed-over", left_out)
    button.click()
    expect(page.locator("#plan-problem")).to_contain_text(
        "1 left out: can't be contacted by the planned channel any more on that day. "
        "2 left out: doesn't want to be contacted."
    )


def test_what_was_handed_over_before_is_a_figure_of_its_own(page: Page) -> None:
    """Why: beside its money, a plan cost less than that and had nothing left: what was paid already
    stood nowhere; and limits below it gave the same cost without a word."""
    approved(page)
    sums, hint = page.locator("#plan-sums"), page.locator("#plan-hint")
    expect(sums).not_to_contain_text("Already handed over")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Handed over").click()
    expect(page.locator("#plan-problem")).to_contain_text("8 contacts are in the ledger now")
    approved_plan = plan_of(page)
    page.get_by_role("button", name="Make a plan").click()
    expect(page.locator("#plan-title")).not_to_contain_text(approved_plan)
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    tile = sums.locator("div", has_text="Already handed over")
    expect(tile.locator("dd")).to_have_text(re.compile(r"^\$[1-9]\d*$"))
    expect(hint).not_to_contain_text("more than these limits allow")
    picture(page, "plans-paid")
    page.get_by_label(re.compile("^Money")).fill("0")
    expect(page.locator("#plan-save")).to_be_enabled()
    expect(hint).to_contain_text("promised and handed over before is more than these limits allow")
    expect(tile).to_be_visible()
    page.get_by_label(re.compile("^Money")).fill("100")
    expect(hint).not_to_contain_text("more than these limits allow")


def test_sliders_of_a_plan_without_money_or_contacts_can_be_moved(page: Page) -> None:
    """Why: from nothing they went to twice nothing, and no other draft could be made of it."""
    planned(page)
    money, contacts = (page.get_by_label(re.compile(f"^{n}")) for n in ("Money", "Contacts a day"))
    money.fill("0")
    contacts.fill("0")
    first = plan_of(page)
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-title")).not_to_contain_text(first)
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    for slider in (money, contacts):
        expect(slider).to_have_value("0")
    expect(page.locator("#plan-approve")).to_be_enabled()  # they stand at its own limits
    money.fill("50")
    expect(page.locator("#budget-value")).to_have_text("$450")
    contacts.fill("100")
    expect(page.locator("#contacts-value")).to_have_text("6 email, 2 call")
    expect(page.locator("#plan-approve")).to_be_disabled()
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator("#plan-rows tr")).to_have_count(12)
    expect(money).to_have_value("100")


@pytest.mark.parametrize(
    ("which", "path", "said"),
    [("plan", "contacts", "#plan-total"), ("out", "excluded", "#out-problem")],
)
def test_no_page_is_skipped_where_one_failed(page: Page, which: str, path: str, said: str) -> None:
    """Why: contacts 13 to 24 were never shown, and the error stayed though the service was back."""
    if which == "out":
        approved(page)
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Handed over").click()
        for index in (1, 2):
            page.locator("#plan-day").select_option(index=index)
            with page.expect_download():
                page.get_by_role("button", name="Download the list").click()
            page.get_by_role("button", name="Handed over").click()
            expect(page.locator("#plan-problem")).to_contain_text("8 contacts are in the ledger")
        page.get_by_role("button", name="Make a plan").click()
        expect(page.locator("#plan-title")).to_contain_text("is a draft")
    else:
        planned(page)
    place, following = page.locator(f"#{which}-page"), page.locator(f"#{which}-next")
    expect(place).to_contain_text("1–12 of")
    page.route(f"**/campaign/plan/{path}?*", lambda route: route.abort())
    following.click()
    expect(page.locator(said)).to_contain_text("can't be reached")
    expect(page.locator(said)).to_have_class("error")
    expect(place).to_contain_text("1–12 of")
    page.unroute(f"**/campaign/plan/{path}?*")
    following.click()
    expect(place).to_contain_text("13–24 of")
    expect(page.locator(said)).not_to_contain_text("can't be reached")
    expect(page.locator(said)).to_have_class("hint")


def test_what_is_waited_for_is_said(page: Page) -> None:
    """Why: a heading and nothing else, for as long as somebody else's plan was made."""
    planned(page)
    held: list[Route] = []
    page.route(re.compile(r"/campaign(/plan)?$"), lambda route: held.append(route))
    page.reload()
    expect(page.locator("#picks li")).to_have_count(8)
    page.get_by_role("tab", name="Campaign").click()
    expect(page.locator("#plan-problem")).to_have_text("Loading…")
    expect(page.locator("#campaign-hint")).to_have_text("Loading…")
    picture(page, "plans-loading")
    for route in held:
        route.continue_()
    expect(page.locator("#plan-title")).to_contain_text("is a draft")
    expect(page.locator("#plan-problem")).to_have_text("")
    expect(page.locator("#campaign-hint")).to_contain_text("90 customers")
