"""Taking a day's list leaves a trace: only of who asked for it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.main import build_app
from churn_assets.serving.config import ApiConfig
from churn_assets.settings import Settings
from tests.api.server import HERE
from tests.api.test_campaign import LATER, client, home, posted, server

__all__ = ["client", "home", "server"]  # fixtures

LIST = "/campaign/plan/list"
APP = "https://app.example"
CROSS = {"sec-fetch-site": "cross-site"}


@pytest.fixture
def approved(client: httpx.Client) -> httpx.Client:
    """Ana, with an approved plan of which no list was taken."""
    posted(client, "/campaign/plan")
    posted(client, "/campaign/plan/approve")
    return client


def listed(client: httpx.Client) -> list[str]:
    """The days of which a list was taken."""
    days: list[str] = client.get("/campaign/plan").json()["listed"]
    return days


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "cross_site"),
        (CROSS | {"origin": "https://evil.example"}, "cross_site"),
        ({"sec-purpose": "prefetch;prerender", "sec-fetch-site": "none"}, "prefetch"),
        ({"purpose": "prefetch"}, "prefetch"),
        ({"purpose": "Prefetch"}, "prefetch"),
        ({"x-moz": "prefetch"}, "prefetch"),
    ],
)
def test_what_a_browser_asks_for_by_itself_is_refused(
    sent: dict[str, str], kind: str, approved: httpx.Client
) -> None:
    """Why: an image in any web page, on a machine whose service asks for no key, had today's list
    taken; a hand-over then wrote that all of it had been sent."""
    for method in ("GET", "HEAD"):
        refused = approved.request(method, LIST, params={"day": LATER}, headers=sent)
        assert refused.status_code == 403
    [problem] = approved.get(LIST, params={"day": LATER}, headers=sent).json()["detail"]
    assert problem["type"] == kind
    assert "who is in it would be noted: " in problem["msg"]
    assert listed(approved) == []


def test_a_look_at_the_header_takes_no_list(approved: httpx.Client) -> None:
    """Why: HEAD is served as GET, and noted everybody in a list that nobody got."""
    looked = approved.head(LIST, params={"day": LATER})
    assert (looked.status_code, looked.content) == (200, b"")
    assert f"{LATER}.csv" in looked.headers["content-disposition"]
    assert listed(approved) == []
    got = approved.get(LIST, params={"day": LATER})
    assert looked.headers["content-length"] == got.headers["content-length"]
    assert listed(approved) == [LATER]


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", None])
def test_the_console_and_the_address_line_take_it(site: str | None, approved: httpx.Client) -> None:
    """As does curl, which says nothing of sites."""
    sent = {"sec-fetch-site": site} if site else {}
    assert approved.get(LIST, params={"day": LATER}, headers=sent).status_code == 200
    assert listed(approved) == [LATER]


@pytest.mark.parametrize(
    ("listed", "origin", "admitted"),
    [
        (APP, {"origin": APP}, True),
        (APP, {"origin": "https://app.exampl"}, False),
        (APP, {}, False),  # a link: browsers say of which site in a fetch alone
        ("*", {"origin": APP}, False),
    ],
)
def test_a_site_that_may_call_may_take_it(
    listed: str, origin: dict[str, str], admitted: bool, tmp_path: Path
) -> None:
    """A company's own page before the API, under another name."""
    app = build_app(Settings(home=tmp_path, api=ApiConfig(cors_origins=(listed,))))
    with TestClient(app, base_url="http://localhost", client=HERE) as client:
        answer = client.get(LIST, headers=CROSS | origin)
    assert (answer.status_code != 403) is admitted
    advice = (
        "let that page fetch it, and list its site in CHURN_API__CORS_ORIGINS (`*` doesn't count)"
    )
    assert (advice in answer.text) is not admitted
