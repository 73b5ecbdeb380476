"""The console in a real browser, as the tests of its tabs open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

PATIENCE = 120_000  # milliseconds: a busy machine may take its time
expect.set_options(timeout=PATIENCE)


@contextmanager
def open_console(browser: Browser, url: str) -> Iterator[Page]:
    """The page with its list of customers; afterwards no error on it, nothing that its content
    security policy forbids, and no request to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    trouble: list[str] = []
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("console", lambda m: trouble.append(m.text) if "Content Security" in m.text else None)
    tab.on(
        "request",
        lambda r: None if r.url.startswith((url, "data:")) else trouble.append(r.url),
    )
    tab.goto(url)
    expect(tab.locator("#picks li")).to_have_count(8)
    yield tab
    context.close()
    assert trouble == []
