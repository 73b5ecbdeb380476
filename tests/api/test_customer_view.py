"""The console's Customer tab in headless Chromium: search, what if, history, lists of customers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.browser import open_console
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import Server, running, wait_for
from tests.api.test_console import CONTRAST, browser, picture

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser

HEADER = ",".join(SAMPLE_REQUEST)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small release, predictions for 90 customers, and a contact of one of them."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    ledger = Ledger.open("", home)
    contact = Event(
        event_key="plan:P:T00040",
        customer_id="T00040",
        kind="sent",
        occurred_at=datetime.now(UTC) - timedelta(days=40),
        channel="email",
        offer_percentage=10,
    )
    answer = {"event_key": "crm-1", "kind": "accepted", "occurred_at": datetime.now(UTC)}
    ledger.record([contact, contact.model_copy(update=answer)])
    ledger.close()
    return home


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Server]:
    """A server that takes few customers at a time, so that a list comes in parts."""
    limits = {"CHURN_API__REQUESTS_PER_SECOND": "0", "CHURN_API__MAX_BATCH_SIZE": "7"}
    with running(home, **limits) as server:
        wait_for(server.url + "/campaign", server)
        yield server


@pytest.fixture
def page(browser: Browser, desk: Server) -> Iterator[Page]:
    """The open page; afterwards, nothing wrong on it."""
    with open_console(browser, desk.url) as tab:
        yield tab


def customers(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows of a list."""
    return [
        SAMPLE_REQUEST | {"customer_id": f"L{i:03}", "tenure": i} | changes for i in range(count)
    ]


def written(file: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    """The rows as a spreadsheet saves them."""
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return file


def dropped(page: Page, file: Path) -> None:
    """Drop the file onto the tab, as a mouse would."""
    data = page.evaluate_handle(
        """([name, text]) => {
          const data = new DataTransfer();
          data.items.add(new File([text], name, { type: "text/csv" }));
          return data;
        }""",
        [file.name, file.read_text(encoding="utf-8")],
    )
    page.dispatch_event("#panel-customer", "drop", {"dataTransfer": data})


def test_a_customer_is_found_by_a_part_of_the_id(page: Page) -> None:
    """Whatever the case; nobody found is said; an empty search shows the most valuable again."""
    search = page.get_by_role("searchbox", name="Search by id")
    search.fill("t0004")
    expect(page.locator("#page")).to_have_text("1–8 of 10")
    search.fill("T00040")
    expect(page.locator("#picks .who")).to_have_text(["T00040"])
    search.fill("nobody")
    expect(page.locator("#pick-hint")).to_have_text("The latest predictions know no such customer.")
    expect(page.locator("#page")).to_have_text("none")
    search.fill("")
    expect(page.locator("#page")).to_have_text("1–8 of 90")


def test_the_contact_history_is_the_ledger_s(page: Page) -> None:
    """Of a customer who was picked, and of one whom nobody knows."""
    page.get_by_role("searchbox", name="Search by id").fill("T00040")
    expect(page.locator("#picks .who")).to_have_text(["T00040"])
    page.locator("#picks button").click()
    expect(page.locator("#history li")).to_have_count(1)
    expect(page.locator("#history li")).to_contain_text(
        re.compile(r"UTC · email · 10 % off · accepted · by a campaign$")
    )
    page.locator("#field-name").fill("Zoë")
    page.locator("#field-customer_id").fill("NOBODY")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#history-hint")).to_contain_text("Nobody has contacted NOBODY")
    expect(page.locator("#history li")).to_have_count(0)


def test_who_opted_out_is_not_to_be_contacted_and_it_is_said_why(page: Page, home: Path) -> None:
    """The verdict has the plan's words, the history since when, and the what-if asks no more."""
    no = Event(
        event_key="crm-2",
        customer_id="SAID-NO",
        kind="opted_out",
        occurred_at=datetime(2026, 2, 1, 9, tzinfo=UTC),
    )
    ledger = Ledger.open("", home)
    ledger.record([no, no.model_copy(update={"event_key": "crm-3", "customer_id": "T00041"})])
    ledger.close()
    page.get_by_role("searchbox", name="Search by id").fill("T00041")
    expect(page.locator("#picks .who")).to_have_text(["T00041"])
    expect(page.locator("#picks .what")).to_contain_text(", doesn't want to be contacted")
    page.locator("#field-customer_id").fill("SAID-NO")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#verdict")).to_have_text(
        "Do not contact. Look again in 8 days. This customer doesn't want to be contacted."
    )
    expect(page.locator("#not-largest")).to_have_text("")
    expect(page.locator("#message-block")).to_be_hidden()
    expect(page.locator("#history-hint")).to_contain_text(
        "Doesn't want to be contacted since 2026-02-01."
    )


def test_what_if_moves_risk_value_and_decision(page: Page, desk: Server, home: Path) -> None:
    """A changed field shows what it would change, and the way back; no log keeps the question."""
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#what-if-hint")).to_be_visible()
    verdict = page.locator("#verdict").inner_text()
    risk = page.locator("#gauge svg").get_attribute("aria-label")
    with page.expect_request("**/predict/batch") as asked:
        page.locator("#field-contract").select_option("Two year")
    assert asked.value.post_data_json["record"] is False
    expect(page.locator("#what-if-changed")).to_have_text("Contract: Month-to-month → Two year")
    expect(page.locator("#what-if-rows tr")).to_have_count(4)
    line = page.locator("#what-if-rows tr").first
    expect(line.locator("td").first).to_have_text(str(risk).removeprefix("Churn risk "))
    expect(line.locator("td").last).to_contain_text("▼")
    expect(page.locator("#what-if-verdict")).to_contain_text("The decision")
    assert page.locator("#verdict").inner_text() == verdict
    picture(page, "what-if")
    page.get_by_role("button", name="Back to the customer").click()
    expect(page.locator("#field-contract")).to_have_value('"Month-to-month"')
    expect(page.locator("#what-if-result")).to_be_hidden()
    page.locator("#field-customer_id").fill("SOMEBODY-ELSE")
    expect(page.locator("#what-if")).to_be_hidden()


def test_an_option_of_larger_value_that_is_not_chosen_is_explained(page: Page) -> None:
    """Why: "Do not contact" beside larger bars looks like a mistake. In one sentence, with what the
    request says of past contacts; nothing where the largest was chosen, or nobody is contacted."""
    told: dict[str, Any] = {}
    options = [2]  # chosen, the last one counts; the third has the largest value

    def changed(route: Route) -> None:
        answer = route.fetch().json()
        answer["metadata"] |= told
        for i, other in enumerate(answer["metadata"]["alternatives"]):
            other |= {"chosen": i == options[-1], "expected_value": [0, 200, 457, 399, 12][i]}
        route.fulfill(json=answer)

    def said() -> str:
        with page.expect_response("**/contacts"):  # asked for once the answer is shown
            page.get_by_role("button", name="Decide").click()
        return page.locator("#not-largest").inner_text()

    page.route("**/predict", changed)
    assert said() == ""
    options.append(0)
    assert said().endswith("the policy spares the budget and the customer's attention, too.")
    page.locator("#customer summary").click()
    page.locator("#field-days_since_contact").fill("1")
    page.locator("#field-contacts_this_period").fill("2")
    page.locator("#field-budget_remaining").fill("0.4")
    assert said() == (
        "Another option has a larger value: these are the values of this one contact alone, and "
        "the policy spares the budget and the customer's attention, too "
        "(contacted 1 day ago, 2 contacts in this period, 40.0 % of the allowance left)."
    )
    picture(page, "not-the-largest")
    told["baseline"] = True
    assert "the rules spare the budget" in said()
    told["action_probability"] = 0.05
    assert said().endswith("this one is tried for the experiment, to learn from it.")
    told["group"] = "control"
    assert said() == ""


def test_what_if_says_what_cannot_be(page: Page) -> None:
    """A value that is refused is named at its field, which keeps the focus of whoever types."""
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#what-if")).to_be_visible()
    page.locator("#field-tenure").focus()
    page.locator("#field-tenure").fill("-1")
    expect(page.locator("#problem-tenure")).to_contain_text("greater than or equal to 0")
    expect(page.locator("#field-tenure")).to_be_focused()
    page.locator("#field-tenure").fill("60")
    expect(page.locator("#problem-tenure")).to_be_hidden()
    expect(page.locator("#what-if-changed")).to_have_text("Months with us: 12 → 60")


def test_a_dropped_list_is_answered_and_can_be_taken_away(page: Page, tmp_path: Path) -> None:
    """In parts of what the service takes; refused rows by row, column and value."""
    rows = customers(30)
    rows[3]["tenure"] = "-1"
    rows[17]["contract"] = "Weekly, or so"
    rows[17]["monthly_charges"] = "much"
    dropped(page, written(tmp_path / "spring.csv", rows))
    expect(page.locator("#rows-state")).to_contain_text("28 answered, 2 refused")
    expect(page.locator("#rows-page")).to_have_text("1–12 of 28")
    cells = [tr.locator("td").all_inner_texts() for tr in page.locator("#rows-refusals tr").all()]
    assert [c[:3] for c in cells] == [
        ["4", "tenure", "-1"],
        ["18", "monthly_charges", "much"],
        ["18", "contract", "Weekly, or so"],
    ]
    assert all(c[3] for c in cells)
    picture(page, "list")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the decisions").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert download.value.suggested_filename == "spring-decisions.csv"
    assert [r["customer_id"] for r in found] == [
        r["customer_id"] for i, r in enumerate(rows) if i not in (3, 17)
    ]
    assert {r["contact"] for r in found} <= {"true", "false"}
    assert all(0 <= float(r["churn_risk"]) <= 1 for r in found)
    assert all(r["decision_id"] for r in found)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the refused rows").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        refused = list(csv.DictReader(file))
    assert [r["value"] for r in refused] == ["'-1", "much", "Weekly, or so"]  # no formula


def test_a_list_by_keyboard_in_another_dialect(page: Page, tmp_path: Path) -> None:
    """Chosen, not dropped: semicolons, decimal commas, quoted line breaks, an empty last line."""
    rows = customers(2, monthly_charges="89,99", name='Zoë "Z"\nSam')
    rows[0]["name"] = "Sam"
    file = written(tmp_path / "liste.csv", rows, delimiter=";")
    file.write_text(file.read_text(encoding="utf-8-sig") + "\n", encoding="utf-8")
    page.get_by_label("CSV file").set_input_files(file)
    expect(page.locator("#rows-state")).to_contain_text("1 answered, 1 refused")
    expect(page.locator("#rows-answers td").nth(1)).to_have_text("L000")
    cells = page.locator("#rows-refusals td").all_inner_texts()
    assert cells[:2] == ["2", "name"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"customer_id,name\nA,Sam\n", "The columns tenure, monthly_charges"),
        (f"{HEADER},shoe_size\n{'1,' * 7}\n".encode(), "No customer has a field shoe_size"),
        (f"{HEADER},tenure\n".encode() + b"A,Sam,1,2,x,y,1\n", "The column tenure is there twice"),
        (f"{HEADER}\n".encode(), "There are no customers in it"),
        ("customer_id;näme\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_said(
    page: Page, tmp_path: Path, content: bytes, said: str
) -> None:
    """In words, with the file's name, and nothing is asked."""
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    page.get_by_label("CSV file").set_input_files(file)
    expect(page.locator("#rows-problem")).to_contain_text(said)
    expect(page.locator("#rows-problem")).to_contain_text("odd.csv")
    assert sent == []


def test_a_row_of_another_width_is_refused_alone(page: Page, tmp_path: Path) -> None:
    """And a connection that breaks leaves what was answered until then."""
    rows = customers(12)
    file = written(tmp_path / "wide.csv", rows)
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[2] += ",more"
    file.write_text("\n".join(lines), encoding="utf-8")
    dropped(page, file)
    expect(page.locator("#rows-state")).to_contain_text("11 answered, 1 refused")
    expect(page.locator("#rows-refusals")).to_contain_text("7 cells where the header has 6")
    page.route("**/predict/batch", lambda route: route.abort())
    dropped(page, file)
    expect(page.locator("#rows-problem")).to_contain_text("can't be reached")
    expect(page.locator("#rows-found")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_is_in_reach(page: Page, tmp_path: Path, scheme: str) -> None:
    """Tables scroll by themselves, the page doesn't; text contrasts enough."""
    page.set_viewport_size({"width": 375, "height": 740})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.get_by_role("button", name="Decide").click()
    page.locator("#field-tenure").fill("60")
    expect(page.locator("#what-if-rows tr")).to_have_count(4)
    rows = customers(3)
    rows[1]["tenure"] = "many"
    page.get_by_label("CSV file").set_input_files(written(tmp_path / "three.csv", rows))
    expect(page.locator("#rows-answers tr")).to_have_count(2)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    for selector in ("#what-if-rows td", "#what-if-rows th", "#rows-refusals td", "#rows-state"):
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector
    picture(page, f"customer-phone-{scheme}")
