"""The console with keys that are for some of it only, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.browser import PATIENCE
from tests.api.conftest import small_server
from tests.api.server import Server, wait_for
from tests.api.test_console import browser, picture
from tests.api.test_security import line

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a shop's key, a call centre's, and one for everything."""
    keys = [f"{line('shop', 'shop')}:decide", f"{line('calls', 'calls')}:decide+customers"]
    keys.append(line("ana", "ana"))
    with small_server(tmp_path_factory, CHURN_API__KEY_HASHES=",".join(keys)) as server:
        wait_for(server.url + "/readyz", server)
        yield server


@pytest.fixture
def page(browser: Browser, desk: Server) -> Iterator[Page]:
    """The page, which asks for a key."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    tab.goto(desk.url)
    expect(tab.locator("#key")).to_be_focused()
    yield tab
    context.close()


def given(page: Page, key: str) -> None:
    page.locator("#key").fill(key)
    page.locator("#key").press("Enter")


def test_a_key_for_decisions_only_does_not_lock_the_page(page: Page) -> None:
    """Why: the form went away, the key stayed, and a reload sent it again. It says what the key is
    for, which goes on, and takes another one, a reload later too."""
    given(page, "shop")
    hint = page.locator("#key-hint")
    expect(hint).to_contain_text("isn't for all of this page. Another one can be given")
    expect(page.locator("#status")).to_have_text(
        "the API key shop is for decide; this takes one for watch"
    )
    expect(page.locator("#key-form")).to_be_visible()
    picture(page, "key-for-a-part")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#verdict")).to_contain_text("Look again")
    page.reload()
    expect(hint).to_be_visible()
    given(page, "nobody-s")
    expect(page.locator("#status")).to_have_text("That is no valid API key.")
    expect(hint).to_be_hidden()
    given(page, "ana")
    expect(page.locator("#picks li")).to_have_count(8)
    expect(page.locator("#status")).to_contain_text("Release")
    expect(page.locator("#key-form")).to_be_hidden()


def test_a_key_for_customers_shows_them(page: Page) -> None:
    """Whatever else it isn't for; a tab that it isn't for says so, and another key opens it."""
    given(page, "calls")
    expect(page.locator("#picks li")).to_have_count(8)
    page.get_by_role("tab", name="Results").click()
    expect(page.locator("#results-hint")).to_contain_text("this takes one for watch")
    expect(page.locator("#key-hint")).to_be_visible()
    given(page, "ana")
    expect(page.locator("#results-hint")).to_contain_text("measure_outcomes")
    expect(page.locator("#key-form")).to_be_hidden()
