"""The console of a company's own contract: its money, and its own tables as `churn predict` reads
them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from churn_assets.cli.customers.files import read_customers
from churn_assets.customers.contract.tables import DateOrder, Format
from churn_assets.customers.fields import schema_of
from churn_assets.customers.reading.dates import months_since
from churn_assets.customers.reading.numbers import doubt_of, marks_by_column
from churn_assets.customers.schema import load_schema
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.forms import form_of, load_form
from churn_assets.storage.local import LocalArtifactStore
from tests.api import reports
from tests.api.browser import open_console
from tests.api.server import Server, running, wait_for, zone_where_it_is_noon
from tests.api.test_console import browser, picture
from tests.cli.test_own_files import contract_since
from tests.customers.conftest import CONTRACT
from tests.customers.own_company import Company, make_company, make_home
from tests.customers.test_own_release import predicted

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser

CHANNELS = '{"email": {"contacts_a_day": 6}, "call": {"contacts_a_day": 2, "cost": 1}}'
HEADER = "Account|Plan|Months|Monthly Fee|Calls|Paperless|Cancelled\n"
FOUND = (
    HEADER
    + """\
A1|Plus|12|74,20|3|yes|no
A2|Basic|30|98,00|n/a|no|no
A3|Max|7|1.250|2|yes|no
A4|NA|7|64,125|2|yes|no
A5|basic|7|64,125|2|yes|no
A6|"Plus"!|7|20,00|2|yes|no
A7|Plus|7|20,00|2|yes|no|more

A8|Plus|"7|20,00|2|yes|no
A9|Plus|9|20,00|-1|1|no
A10|Plus|9|1e999|1|1|no
A11|Plus|9|+35,5|1.0|0|no
A12|Gold|9|20,00|1|0|no
"A13"|"Max"|9|20|1|"yes"|"n|o"
"""
)
"""Nothing is agreed on how it is written: decimal commas, by the cells that can't be anything else,
but points in the calls."""
AGREED = (
    HEADER.replace("|", ";")
    + """\
A1;Plus;12;1.250;-1;yes;no
A2;Plus;12;1.250,50;-1.0;yes;no
A3;unknown;12;74,20;2;yes;no
A4;Plus;12;74.20;2;yes;no
A5;Plus;1.2;74,20;2;no;no
A6;Plus;12;4.999,9;n/a;no;no
A7;Plus;12;850;-2;no;no
"""
)
"""The contract says how: 1.250 is 1250, and -1 and Unknown say that nobody knows."""
REFUSED = {"found": {3, 4, 6, 7, 8, 9, 10, 12}, "agreed": {3, 4, 5, 7}}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    words = CONTRACT.replace("range: [0, 500]", "range: [0, 5000]")
    return make_company(tmp_path_factory.mktemp("company"), words)


@pytest.fixture(scope="module")
def home(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(company, tmp_path_factory)


@pytest.fixture(scope="module")
def releases(
    company: Company, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Two of the company's: nothing is agreed on how its files are written, or something is."""
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    serving = registry.serving()
    schema = load_schema(company.root / "history")
    assert serving is not None
    assert schema is not None
    written = Format(delimiter=";", decimal=",", thousands=".")
    agreed = schema.model_copy(update={"written": written, "missing": ("-1", "Unknown")})
    agreed.save(company.root / "history")
    bundle = tmp_path_factory.mktemp("agreed")
    company.release(bundle)
    return {"found": serving.release_id, "agreed": registry.publish(bundle).release_id}


@pytest.fixture(scope="module")
def server(company: Company, home: Path) -> Iterator[Server]:
    given = {
        "CHURN_CUSTOMERS": str(company.root / "customers.yaml"),
        "CHURN_CAMPAIGN__BUDGET": "900",
        "CHURN_CAMPAIGN__CHANNELS": CHANNELS,
        "CHURN_EXPERIMENT__ENABLED": "false",  # `churn predict` isn't told of the contract
        "CHURN_API__DEFAULT_TIME_ZONE": zone_where_it_is_noon(),
        "CHURN_API__POLL_SECONDS": "0.1",
        "CHURN_API__REQUESTS_PER_SECOND": "0",
    }
    with running(home, **given) as process:
        wait_for(process.url + "/campaign", process)
        yield process


def money_of(page: Page, *places: str) -> None:
    """There is money in each of the places, in euros, and nowhere on the page is another."""
    for place in places:
        expect(page.locator(place).first).to_contain_text("€")
    assert "$" not in page.content()


def test_amounts_are_in_the_contract_s_currency(
    browser: Browser, server: Server, home: Path
) -> None:
    """Why: a company that bills in euros has no budget of dollars."""
    reports.publish(home, "lift_report", reports.lift_of(-0.12))
    with open_console(browser, server.url) as page:
        page.locator("#picks button").first.click()
        page.keyboard.press("Enter")
        page.locator("#field-months").fill("1")
        expect(page.locator("#what-if-rows tr")).to_have_count(4)
        money_of(page, "#picks .worth", "#facts", "#alternatives", "#what-if-rows")
        expect(page.locator("#checks .spared")).to_have_text("Names nobody")  # no name was given
        picture(page, "own-euros")
        page.get_by_role("tab", name="Campaign").click()
        page.get_by_role("button", name="Make a plan").click()
        expect(page.locator("#plan-title")).to_contain_text("is a draft")
        expect(page.locator("#plan-rows tr")).to_have_count(12)
        expect(page.locator("#plan-sums")).to_contain_text("€1 more to spend brings")
        places = ("#budget-value", "#plan-rows", "#plan-total", "#curve-money", "#tiles", "#pareto")
        money_of(page, *places)
        picture(page, "own-campaign")
        page.get_by_role("tab", name="Results").click()
        expect(page.locator("#results-measures tr")).to_have_count(4)
        money_of(page, "#results-measures", "#results-chart")


def test_without_a_currency_an_amount_has_no_sign(browser: Browser, server: Server) -> None:
    """No currency is better than a wrong one."""

    def unknown(route: Route) -> None:
        document = route.fetch().json()
        document["components"]["schemas"]["PredictRequest"]["x-currency"] = None
        route.fulfill(json=document)

    page = browser.new_page()
    page.route("**/openapi.json", unknown)
    page.goto(server.url)
    expect(page.locator("#picks .worth").first).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    page.close()


@pytest.mark.parametrize(("which", "table"), [("found", FOUND), ("agreed", AGREED)])
def test_a_list_is_read_as_churn_predict_reads_it(
    browser: Browser,
    server: Server,
    home: Path,
    releases: dict[str, str],
    tmp_path: Path,
    which: str,
    table: str,
) -> None:
    """The same rows, cells, answers and refusals, with the same reasons: a fee that is read
    otherwise decides otherwise, and nobody sees it."""
    file = tmp_path / "mine.csv"
    file.write_text(table, encoding="utf-8")
    known = read_customers(file, load_form(serve(server, home, releases[which])))
    done = predicted(home, tmp_path, "json")
    reasons = dict(re.findall(r"^row (\d+): (.*)$", done.stderr, re.MULTILINE))
    with open_console(browser, server.url) as page:
        with page.expect_request("**/predict/batch") as asked:
            page.get_by_label("CSV file").set_input_files(file)
        answers = downloaded(page, "Download the decisions")
        refused = downloaded(page, "Download the refused rows")
        expect(page.locator("#rows-state")).to_contain_text("The answers are in the decision log.")
        picture(page, f"own-list-{which}")
        page.get_by_label("Keep the answers in the decision log").uncheck()
        with page.expect_request("**/predict/batch") as looked:
            page.get_by_label("CSV file").set_input_files(file)
        expect(page.locator("#rows-state")).to_contain_text("Nothing was kept.")
        looked_at = downloaded(page, "Download the decisions")
    assert (asked.value.post_data_json["record"], looked.value.post_data_json["record"]) == (
        True,
        False,
    )
    assert all(row["decision_id"] for row in answers)
    assert not any(row["decision_id"] for row in looked_at)
    sent = asked.value.post_data_json["customers"]
    assert sent == [row.customer for row in known.rows if not row.problem]
    assert {int(number) for number in reasons} == REFUSED[which]
    assert {int(row["row"]) for row in refused} == REFUSED[which]
    assert all(row["why"] in reasons[row["row"]] for row in refused)
    figures = ("churn_risk", "accept_prob", "expected_value")
    assert [
        (row["row"], row["customer_id"], *(float(row[f]) for f in figures)) for row in answers
    ] == [
        (str(row["row"]), row["customer_id"], *(row["metadata"][f] for f in figures))
        for row in json.loads(done.stdout)
    ]


DATES = (
    *("2020-01-31", "2020-02-29", "2021-02-29", "31.01.2020", "1.2.2020", "31.04.2020", "1.2.20"),
    *("2020-01-31T23:59:59Z", "2020-01-31 08:00", "2020-01-31T08:00:00.5+02:00", "2020-01-31x"),
    *("2025-03-14", "2025-03-15", "2025-03-16", "2025-02-13", "2025-02-12", "01/02/2020", "12", ""),
    *("13/02/2020", "2/13/2020", "29-02-2020", "1-2/2020", "1/2/20", "31/04/2020", "00/01/2020"),
    *("9/1/2020 12:00:00 AM", "01/09/2020 14:30", "01/09/2020 25:30", "01/09/2020x", "2020/09/01"),
    *(
        "31.01.2020 00:00",
        "1.2.2020, 8:30:00",
        "31.01.2020 24:00",
        "31.04.2020 08:00",
        "1.2.20 8:30",
    ),
)


@pytest.mark.parametrize("written", [None, "dd/mm/yyyy", "mm/dd/yyyy"])
def test_months_are_counted_as_churn_predict_counts_them(
    browser: Browser, server: Server, written: DateOrder | None
) -> None:
    """To the day, by what the contract says, and what isn't certainly a date is none."""
    today = date(2025, 3, 15)
    with open_console(browser, server.url) as page:
        counted = page.evaluate(
            """async ([cells, today, written]) => {
              const { monthsSince } = await import("/dates.js");
              return cells.map((cell) => monthsSince(cell, today, written) ?? cell);
            }""",
            [DATES, (today - date(1970, 1, 1)).days, written],
        )
    assert counted == [months_since(cell, today, written=written) for cell in DATES]


@pytest.mark.parametrize("written", [{}, {"decimal": ","}, {"decimal": "."}, {"thousands": "."}])
def test_a_number_that_may_be_two_is_told_as_churn_predict_tells_it(
    browser: Browser, server: Server, written: dict[str, str]
) -> None:
    """In the same words; a column that tells nothing is as all of them are."""
    columns = (("1.034", "850", "EUR 2.100"), ("1,034", "7"), ("1.034", "34.90"), ("1.034", "3,5"))
    with open_console(browser, server.url) as page:
        told = page.evaluate(
            """async ([columns, given]) => {
              const { readersOf } = await import("/numbers.js");
              return columns.map((cells) => cells.map(readersOf([cells], given)[0].doubt));
            }""",
            [columns, written],
        )
    for cells, doubts in zip(columns, told, strict=True):
        [marks] = marks_by_column([[cell] for cell in cells], 1, Format.model_validate(written))
        assert doubts == [doubt_of(cell, marks) for cell in cells]
    # With a point said to stand between thousands nothing may be two numbers any more.
    assert any(map(any, told)) == (written != {"thousands": "."})


@pytest.mark.parametrize("columns", ["Joined", "Joined|tenure"])
def test_a_list_with_the_date_since_when_needs_no_months(
    browser: Browser, server: Server, tmp_path: Path, columns: str
) -> None:
    """Why: the company's file has the date that its contract names, as `churn predict` takes it;
    months that are there go before it."""
    form = form_of(schema_of(contract_since("Joined")))
    # A thousand days are 32.85 months, whichever of two days it is.
    joined = (datetime.now(UTC) - timedelta(days=1_000)).date()
    cells = [f"{joined:%d.%m.%Y}", str(joined), "9999-01-01", "12", ""]
    more = "|7" if "tenure" in columns else ""
    lines = [f"A{i}|Plus|74,20|3|yes|{cell}{more}" for i, cell in enumerate(cells)]
    file = tmp_path / "mine.csv"
    header = f"Account|Plan|Monthly Fee|Calls|Paperless|{columns}"
    file.write_text("\n".join([header, *lines, ""]), encoding="utf-8")

    def dated(route: Route) -> None:
        document, told = route.fetch().json(), form.model.model_json_schema()
        schema = document["components"]["schemas"]["PredictRequest"]
        schema |= {name: value for name, value in told.items() if name.startswith("x-")}
        schema["required"] = told["required"]
        schema["properties"] |= {"tenure": told["properties"]["tenure"]}
        route.fulfill(json=document)

    page = browser.new_page()
    page.route("**/openapi.json", dated)
    page.goto(server.url)
    expect(page.locator("#field-tenure")).to_be_visible()
    with page.expect_request("**/predict/batch") as asked:
        page.get_by_label("CSV file").set_input_files(file)
    sent = asked.value.post_data_json["customers"]
    page.close()
    assert sent == [row.customer for row in read_customers(file, form).rows]
    assert [row.get("tenure") for row in sent] == (
        [7] * 5 if more else [32, 32, "9999-01-01", "12", None]
    )


@pytest.mark.parametrize(
    ("which", "written", "calls"),
    [
        ("found", {}, []),
        ("agreed", {"delimiter": ";", "decimal": ",", "thousands": "."}, ["-1", "unknown"]),
    ],
)
def test_the_document_says_how_tables_are_read(
    server: Server,
    home: Path,
    releases: dict[str, str],
    which: str,
    written: dict[str, str],
    calls: list[str],
) -> None:
    """A level is never unknown, whatever it is called; of other fields only the contract's words
    say that nobody knows."""
    serve(server, home, releases[which])
    document = httpx.get(f"{server.url}/openapi.json", timeout=60).json()
    form = document["components"]["schemas"]["PredictRequest"]
    assert (form["x-currency"], form["x-format"]) == ("€", written)
    assert form["x-missing"][""] == calls
    assert {"", "n/a", *calls} <= set(form["x-missing"]["calls"])


def serve(server: Server, home: Path, release_id: str) -> Path:
    """Let the release serve; returns its folder."""
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    registry.promote(release_id, "test")
    while httpx.get(f"{server.url}/readyz", timeout=60).json()["release_id"] != release_id:
        assert server.process.poll() is None
    return registry.folder()


def downloaded(page: Page, button: str) -> list[dict[str, str]]:
    """The rows of the file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
