"""A company's own contract from its table to the answers of a server, over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Route, expect

from churn_assets.predictors.scoring.features import encode
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.release.bundle import ReleaseError
from churn_assets.release.config import ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.scoring import run as run_predictions
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import check_golden
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.current import current_artifact
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running, wait_for
from tests.api.test_console import browser, picture
from tests.cli.conftest import clean_environment
from tests.customers.conftest import CONTRACT, as_csv, made_rows
from tests.customers.own_company import Company, make_company, make_home
from tests.release.small_release import write_dataset

CUSTOMER = {
    "customer_id": "A10001",
    "name": "Ana",
    "plan": "Plus",
    "months": 7,
    "monthly_fee": 39.9,
    "paperless": True,
}
__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    plans = "levels: [Basic, Plus, Max]"
    words = CONTRACT.replace(plans, f"{plans}, shown: {{Max: the largest}}")
    words = words.replace("unit: months,", "unit: months, direction: -1,")  # of trees alone
    return make_company(tmp_path_factory.mktemp("company"), words)


@pytest.fixture(scope="module")
def home(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(company, tmp_path_factory)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0") as process:
        wait_for(process.url + "/campaign", process)
        yield process


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as session:
        yield session


def ask(client: httpx.Client, **changes: Any) -> httpx.Response:
    body = {k: v for k, v in (CUSTOMER | changes).items() if v is not ...}
    return client.post("/predict", json=body)


def test_a_customer_of_the_company_gets_an_answer(client: httpx.Client) -> None:
    """The whole point: the company's own fields in, the specification's answer out, in its words;
    the message says nothing of contracts and services that it doesn't have."""
    answer = ask(client)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert set(found) == {"decision", "message", "safety", "metadata"}
    assert found["decision"]["contact"] is True
    assert "Ana" in found["message"]
    assert found["safety"]["passed"] or found["safety"]["violations"] == ["quiet_hours"]
    assert found["metadata"]["message_source"] == "template"
    texts = {reason["feature"]: reason["text"] for reason in found["metadata"]["reasons"]}
    assert texts["months"].startswith("Tenure: 7 months; ")
    assert texts.keys() <= {"plan", "months", "monthly_fee", "calls", "paperless"}


@pytest.mark.parametrize(
    ("changes", "zone", "source"),
    [
        ({}, "Asia/Tokyo", "customer"),
        ({"time_zone": "Europe/Lisbon"}, "Europe/Lisbon", "request"),
        ({"customer_id": "A10002"}, "America/New_York", "settings"),
        ({"customer_id": "new"}, "America/New_York", "settings"),
    ],
)
def test_the_answer_says_whose_clock_was_used(
    client: httpx.Client, changes: dict[str, str], zone: str, source: str
) -> None:
    """Quiet hours are the customer's: the request's word goes before the company's table, and that
    before a default. One by one and in a batch."""
    wait_for_zones(client)
    answer = ask(client, **changes).json()
    assert answer["message"]
    assert answer["metadata"]["time_zone"] == {"name": zone, "source": source}
    body = {"customers": [CUSTOMER | changes]}
    [row] = client.post("/predict/batch", json=body).json()["results"]
    assert row["answer"]["metadata"]["time_zone"] == {"name": zone, "source": source}


def wait_for_zones(client: httpx.Client) -> None:
    """Returns once the service has read the company's table of people."""
    deadline = time.monotonic() + 60
    while ask(client).json()["metadata"]["time_zone"]["source"] != "customer":
        assert time.monotonic() < deadline, "the service doesn't read the table of people"


@pytest.mark.parametrize(
    ("changes", "language"),
    [
        ({}, {"name": "en", "source": "settings"}),
        ({"language": "es"}, {"name": "es", "source": "request"}),
        ({"language": "de-AT"}, {"name": "en", "source": "request", "missing": "de-AT"}),
        ({"customer_id": "A10002"}, {"name": "es", "source": "customer"}),
        ({"customer_id": "A10002", "language": "en"}, {"name": "en", "source": "request"}),
        ({"customer_id": "A10003"}, {"name": "en", "source": "customer", "missing": "German"}),
    ],
)
def test_the_answer_says_in_which_language_it_is(
    client: httpx.Client, changes: dict[str, str], language: dict[str, str]
) -> None:
    """The request's word goes first, then the company's table; what nothing is reviewed in is told.
    One by one and in a batch."""
    wait_for_zones(client)
    answer = ask(client, **changes).json()
    batch = client.post("/predict/batch", json={"customers": [CUSTOMER | changes]}).json()
    for said in (answer, batch["results"][0]["answer"]):
        assert said["metadata"]["language"] == language
        assert said["message"].startswith(("Hola", "¡Hola")) is (language["name"] == "es")
        assert said["safety"]["violations"] in ([], ["quiet_hours"])


def test_no_prediction_holds_a_zone(home: Path) -> None:
    """It is personal: it lies in the table of people, and nowhere that is handed on."""
    store = LocalArtifactStore(home / "store")
    folder = store.get(current_artifact(store, "predictions"))
    assert "zone" not in " ".join(pq.read_schema(folder / "predictions.parquet").names)
    assert b"Asia/Tokyo" not in (folder / "predictions.parquet").read_bytes()


def test_who_came_lately_is_at_greater_risk(client: httpx.Client) -> None:
    """The answer depends on the company's fields, as its table does."""
    new, old = (ask(client, months=m).json()["metadata"]["churn_risk"] for m in (2, 70))
    assert new > 2 * old


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"plan": "Gold"}, "plan"),
        ({"plan": ...}, "plan"),
        ({"monthly_fee": 501}, "monthly_fee"),
        ({"months": "seven"}, "months"),
        ({"paperless": "perhaps"}, "paperless"),
        ({"tenure": 12}, "tenure"),
        ({"contract": "One year"}, "contract"),
        ({"acceptances_this_period": 1}, "acceptances_this_period"),
    ],
)
def test_what_the_contract_refuses_names_its_field(
    client: httpx.Client, changes: dict[str, Any], where: str
) -> None:
    """IBM's fields among them: this company has none of them."""
    answer = ask(client, **changes)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", where]]


def without_key(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the key of its decision, of which each has its own."""
    assert answer["metadata"].pop("decision_id")
    return answer


def test_words_may_be_written_as_in_the_table(client: httpx.Client) -> None:
    """A level in other capitals and the table's yes are the same customer."""
    plain = without_key(ask(client).json())
    assert without_key(ask(client, plan="plus", paperless="yes").json()) == plain


def test_the_document_has_the_company_s_form(client: httpx.Client) -> None:
    """Whoever generates a client, and the console's form, see this contract's fields and words."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    form = schemas["PredictRequest"]
    required = ["customer_id", "plan", "months", "monthly_fee", "paperless"]
    assert sorted(form["required"]) == sorted(required)
    assert "contract" not in form["properties"]
    assert form["properties"]["plan"]["enum"] == ["Basic", "Plus", "Max"]
    assert form["properties"]["monthly_fee"]["x-label"] == "monthly fee"
    assert form["x-columns"]["Monthly Fee"] == "monthly_fee"
    assert form["x-columns"]["Account"] == "customer_id"
    assert form["x-numbered"] is False
    [example] = form["examples"]
    assert client.post("/predict", json=example).status_code == 200
    assert schemas["BatchRequest"]["properties"]["customers"]["examples"] == [[example]]


def test_a_batch_has_the_company_s_customers(client: httpx.Client) -> None:
    """A customer of the built-in contract is refused among them, and nobody else."""
    body = {"customers": [CUSTOMER, SAMPLE_REQUEST, CUSTOMER | {"calls": 3}]}
    answer = client.post("/predict/batch", json=body).json()
    assert (answer["answered"], answer["refused"]) == (2, 1)
    assert without_key(answer["results"][0]["answer"]) == without_key(ask(client).json())


def test_only_active_customers_are_predicted_with_risk_out_of_fold(
    client: httpx.Client, company: Company, home: Path
) -> None:
    """Who has left is on no list; who was learnt from is scored by models that never saw them."""
    history = pd.concat(map(pd.read_parquet, sorted((company.root / "history").glob("*.parquet"))))
    page = client.get("/customers", params={"count": 500}).json()
    stayed = history.set_index("customer_id")
    assert page["total"] == int((~history["churn"]).sum())
    scorer = RiskScorer.load(company.root / "risk")
    known = scorer.held_out
    assert known is not None
    for customer in page["customers"]:
        assert not stayed.loc[customer["customer_id"], "churn"]
        [place] = known.find([customer["customer_id"]])
        month = 1 - (1 - known.unseen[place]) ** (1 / 3)  # of a horizon of three
        assert customer["churn_risk"] == pytest.approx(month, abs=1e-4)
        assert customer["features"]["monthly_charges"] == customer["features"]["monthly_fee"]
    rows = pq.read_table(company.root / "active" / "train.parquet").to_pylist()
    places = known.find(row["customer_id"] for row in rows)
    np.testing.assert_array_equal(known.seen[places], scorer.predict(rows))
    assert not np.allclose(known.seen[places], known.unseen[places], atol=1e-3)


def test_customers_of_another_contract_are_not_scored(
    company: Company, home: Path, tmp_path: Path
) -> None:
    """After a change of CHURN_CUSTOMERS, before the first release of the new contract."""
    folder = ReleaseRegistry(LocalArtifactStore(home / "store")).folder()
    write_dataset(tmp_path / "ibm", "telco_customers")
    inputs = {"release": folder, "active_customers": tmp_path / "ibm"}
    with pytest.raises(ReleaseError, match="of Lighthouse Broadband, the customers of IBM Telco"):
        run_predictions(inputs, tmp_path, ScoringConfig())


def test_the_release_names_no_customer(home: Path, company: Company) -> None:
    """It is handed on: neither the out-of-fold risks nor the golden requests name anybody."""
    folder = ReleaseRegistry(LocalArtifactStore(home / "store")).folder()
    history = map(pd.read_parquet, sorted((company.root / "history").glob("*.parquet")))
    ids = [identity.encode() for identity in pd.concat(history)["customer_id"]]
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert len(ids) > 1000
    assert not any(identity in content for identity in ids for content in files)
    assert check_golden(RetentionEngine.load(folder), folder) == 12


def test_releases_of_two_contracts_take_turns(company: Company, tmp_path: Path) -> None:
    """A server goes from the built-in contract to the company's and back without a restart, and
    reads each customer by the form of the release that serves."""
    first = publish_small_release(tmp_path / "home", tmp_path / "ibm")
    bundle = tmp_path / "own"
    bundle.mkdir()
    own = company.release(bundle).release_id
    registry = ReleaseRegistry(LocalArtifactStore(tmp_path / "home/store"))
    registry.publish(bundle)
    with (
        running(
            tmp_path / "home", CHURN_API__POLL_SECONDS="0.1", CHURN_API__REQUESTS_PER_SECOND="0"
        ) as server,
        httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client,
    ):
        for release_id, good, bad in (
            (first, SAMPLE_REQUEST, CUSTOMER),
            (own, CUSTOMER, SAMPLE_REQUEST),
            (first, SAMPLE_REQUEST, CUSTOMER),
        ):
            registry.promote(release_id, "test")
            while client.get("/readyz").json()["release_id"] != release_id:
                assert server.process.poll() is None
            answer = client.post("/predict", json=good)
            assert answer.json()["metadata"]["release_id"] == release_id
            assert client.post("/predict", json=bad).status_code == 422


def test_trees_agree_with_xgboost_to_the_last_bit(company: Company) -> None:
    """The numpy path on the company's features, missing values and unseen words among them."""
    import xgboost

    scorer = RiskScorer.load(company.root / "risk")
    rows = pq.read_table(company.root / "history" / "test.parquet").to_pylist()
    matrix = encode(rows, scorer.model.features)
    assert np.isnan(matrix).any()
    booster = xgboost.Booster(model_file=company.root / "risk" / "model.ubj")
    ours = scorer.model.forest.margins(matrix)
    np.testing.assert_array_equal(ours, booster.inplace_predict(matrix, predict_type="margin"))


def test_the_world_is_of_active_customers(company: Company) -> None:
    """Nobody who has left is trained for contact."""
    active = sum(
        pq.read_metadata(file).num_rows for file in (company.root / "active").glob("*.parquet")
    )
    world = company.reports["world"]
    assert sum(world[part]["customers"] for part in ("train", "valid", "test")) == active
    assert company.reports["risk"]["method"] == "boosted_trees"


def test_predict_takes_the_company_s_own_file(home: Path, tmp_path: Path) -> None:
    """The table as it lies there, with columns that no model reads and no names; a row that the
    contract refuses goes to a file, as ever."""
    rows = made_rows(6, seed=9)
    rows[2]["Plan"] = "Gold"
    table = as_csv(rows, delimiter=";").replace("Monthly Fee", "Monthly  Fee")  # as some export it
    (tmp_path / "mine.csv").write_text(table)
    done = predicted(home, tmp_path, "json")
    assert done.returncode == 1, done.stderr
    answers = json.loads(done.stdout)
    assert [a["customer_id"] for a in answers] == [r["Account"] for r in rows if r != rows[2]]
    assert all(a["message"] and "{" not in a["message"] for a in answers)
    assert "row 3: Plan: " in done.stderr
    assert "Gold" in (tmp_path / "mine.refused.csv").read_text()


@pytest.mark.parametrize("form", ["csv", "table", "json"])
def test_an_id_is_no_formula_and_no_markup(home: Path, tmp_path: Path, form: str) -> None:
    rows = made_rows(2, seed=9)
    rows[0]["Account"], rows[1]["Account"] = "=1+1", "[/b]"
    (tmp_path / "mine.csv").write_text(as_csv(rows))
    done = predicted(home, tmp_path, form)
    assert all(row["Account"] in done.stdout for row in rows), done.stderr
    assert ("'=1+1" in done.stdout) == (form == "csv")


def predicted(home: Path, folder: Path, form: str) -> subprocess.CompletedProcess[str]:
    """What `churn predict` says of the folder's `mine.csv`."""
    program = "from churn_assets.cli import app; app()"
    return subprocess.run(
        [sys.executable, "-c", program, "predict", "mine.csv", "--format", form],
        cwd=folder,
        env=clean_environment() | {"CHURN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.browser
def test_the_console_has_the_company_s_form_and_reads_its_tables(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    """Fields, words and choices of the contract; what if on its own field; its own table, dropped
    as it lies there, with columns that no model reads."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(server.url)
    expect(page.locator("#picks li")).to_have_count(8)
    expect(page.get_by_label("monthly fee")).to_have_attribute("required", "")
    assert page.locator("#field-plan option").all_inner_texts() == ["Basic", "Plus", "the largest"]
    assert page.locator("#field-contract").count() == 0
    page.locator("#picks button").first.click()
    expect(page.get_by_role("button", name="Decide")).to_be_focused()  # no name is needed
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).not_to_be_empty()
    page.locator("#field-months").fill("1")
    expect(page.locator("#what-if-changed")).to_contain_text("→ 1")
    expect(page.locator("#what-if-rows tr")).to_have_count(4)
    picture(page, "own-what-if")
    rows = made_rows(6, seed=9)
    rows[2]["Plan"] = "Gold"
    rows[4]["Monthly Fee"] = "1,250"  # the others have points: it isn't 1.25
    (tmp_path / "mine.csv").write_text(as_csv(rows, delimiter=";"), encoding="utf-8")
    page.get_by_label("CSV file").set_input_files(tmp_path / "mine.csv")
    expect(page.locator("#rows-state")).to_contain_text("4 answered, 2 refused")
    refused = page.locator("#rows-refusals td").all_inner_texts()
    assert refused[:3] == ["3", "Plan", "Gold"]
    assert refused[4:7] == ["5", "Monthly Fee", "1,250"]
    picture(page, "own-list")
    page.route("**/predict", as_of_the_control_group)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#verdict")).to_contain_text("in the control group, which nobody contacts")
    page.close()


def as_of_the_control_group(route: Route) -> None:
    """The answer that the service gives where an experiment leaves the customer alone."""
    answer = route.fetch().json()
    answer["metadata"]["group"] = "control"
    route.fulfill(json=answer)
