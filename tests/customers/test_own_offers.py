"""A company with its own offers and its own log: from the contract to what a server answers."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.log import campaign_rows
from churn_assets.campaign.contacts.tellings import Acceptance
from churn_assets.campaign.decided import decisions_of
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.planning.promises import CONTACTS
from churn_assets.campaign.spending import money_by_day
from churn_assets.customers.contract.model import ContractError, load_contract
from churn_assets.decision.config import PRESETS, EnvironmentParams
from churn_assets.decision.mdp.worlds import served_world
from churn_assets.decision.policy import load_params
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.offers import Offers
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.importing import record
from churn_assets.outcomes.joining import join
from churn_assets.outcomes.schemas import OUTCOMES, PERCENT, outcomes_of
from churn_assets.predictors.scoring.scorers import AcceptScorer
from churn_assets.release.config import ScoringConfig
from churn_assets.release.offers import offers_by_release, offers_in_service
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.scoring import run as run_predictions
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.local import LocalArtifactStore
from tests.api.server import START_SECONDS, running
from tests.customers.conftest import CONTRACT, Rows, as_csv, made_rows
from tests.customers.own_company import Company, company_of
from tests.customers.test_own_release import CUSTOMER

PERCENTAGES, MONTHS = (0, 10, 15, 30), 6
OWN = (
    CONTRACT
    + """\
offers: {percent: [0, 10, 15, 30], months: 6}
campaign:
  table: {path: log.csv}
  offer: {column: Rebate, levels: {none: 0, a tenth: 10, a bit: 15, a third: 30}}
  outcome: {column: Said, yes: yes}
  features:
    Plan: {kind: category, levels: [Basic, Plus, Max]}
    Months: {kind: number, range: [0, 600]}
    Paperless: {kind: flag}
    Clerk: {kind: number}
"""
)


def log_rows(count: int = 1_000, seed: int = 3) -> Rows:
    """Contacts of such customers: new ones accept more, and everybody more of a larger offer."""
    draw = random.Random(seed)
    rows = []
    for row in made_rows(count, seed):
        level, clerk = draw.randrange(4), draw.randrange(1, 5)
        accepts = 0.15 + 0.08 * level + 0.2 * (int(row["Months"]) < 24) + 0.03 * clerk
        rows.append(
            {name: row[name] for name in ("Plan", "Months", "Paperless")}
            | {"Rebate": ("none", "a tenth", "a bit", "a third")[level], "Clerk": str(clerk)}
            | {"Said": "yes" if draw.random() < accepts else ""}
        )
    return rows


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    root = tmp_path_factory.mktemp("company")
    (root / "history.csv").write_text(as_csv(made_rows(500)), encoding="utf-8")
    (root / "log.csv").write_text(as_csv(log_rows()), encoding="utf-8")
    (root / "customers.yaml").write_text(OWN, encoding="utf-8")
    return company_of(root / "customers.yaml", root)


@pytest.fixture(scope="module")
def home(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the company's release serves."""
    home, bundle = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("release") / "bundle"
    bundle.mkdir()
    manifest = company.release(bundle)
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    registry.publish(bundle)
    registry.promote(manifest.release_id, "test")
    return home


@pytest.fixture(scope="module")
def bundle(home: Path) -> Path:
    return ReleaseRegistry(LocalArtifactStore(home / "store")).folder()


def test_the_accept_model_learns_from_the_log_what_the_customers_have_too(
    company: Company,
) -> None:
    """The clerk's number is known of the log alone: left out, and the report says what that costs;
    the model answers for customers, by their own fields."""
    report = company.reports["accept"]
    assert report["source"] == "own"
    assert report["features"] == ["plan", "months", "paperless", "offer_level"]
    assert report["unshared"]["why"] == {"clerk": "isn't known of customers"}
    assert {"auc_with", "auc_without"} < report["unshared"].keys()
    assert report["gives"] == [*PERCENTAGES]
    assert report["customers_auc"] == pytest.approx(0.5, abs=0.1)
    scorer = AcceptScorer.load(company.root / "accept")
    row = {"plan": "Plus", "months": 5, "paperless": True, "monthly_charges": 40.0}
    new, old = scorer.predict([row, row | {"months": 60}])
    assert new.shape == (4,)
    assert (np.diff(new) >= 0).all()
    assert new.mean() > old.mean() + 0.05
    assert scorer.predict([row | {"plan": "Gold"}]).shape == (1, 4)  # another word is "other"


def test_the_environment_makes_the_company_s_offers(company: Company) -> None:
    """30 % for half a year is 15 % of the year's price; the allowance follows the largest offer."""
    world = company.root / "world"
    assert json.loads((world / "offers.json").read_text())["months"] == MONTHS
    params = served_world(world, PRESETS["moderate"])
    assert params.discounts == (0.0, 0.05, 0.075, 0.15)
    assert company.reports["world"]["params"]["discounts"] == params.discounts
    assert params.spend_unit == pytest.approx(0.025)
    assert params.budget_allowance == pytest.approx(0.20)
    assert params.budget_limit == PRESETS["moderate"].budget_limit


@pytest.mark.parametrize(
    ("percent", "months", "unit", "allowance"),
    [
        ((0, 5, 10, 15), 12, 0.05, 0.20),
        ((0, 10, 20, 40), 12, 0.10, 0.60),  # 4/3 of the largest, in whole units
        ((0, 5, 8, 20), 12, 0.01, 0.27),
        ((0, 25, 50, 100), 3, 0.0625, 0.375),
    ],
)
def test_any_rising_percentages_can_be_counted(
    percent: tuple[int, int, int, int], months: int, unit: float, allowance: float
) -> None:
    """The exact planner counts money in the largest part that all offers are whole numbers of."""
    params = EnvironmentParams().offering(Offers(percent=percent, months=months))
    assert params.spend_unit == pytest.approx(unit)
    assert params.budget_allowance == pytest.approx(allowance)
    assert EnvironmentParams.model_validate_json(params.model_dump_json()) == params


def test_the_built_in_offers_change_nothing() -> None:
    for params in PRESETS.values():
        assert params.offering(None) is params
        assert params.offering(Offers()) is params
        assert params.spend_unit == 0.05


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        ("{percent: [5, 10, 15, 20]}", "has to rise from 0"),
        ("{percent: [0, 10, 10, 20]}", "has to rise from 0"),
        ("{percent: [0, 10, 20]}", "offers.percent"),
        ("{percent: [0, 10, 20, 120]}", "over a year.s price"),
        ("{percent: [0, 10, 20, 60], months: 24}", "over a year.s price"),
        ("{percent: [0, 10, 20, 40]}", "the campaign's levels give 0, 10, 15, 30"),
    ],
)
def test_offers_that_can_t_be_made_are_a_line(tmp_path: Path, offers: str, said: str) -> None:
    file = tmp_path / "customers.yaml"
    file.write_text(OWN.replace("{percent: [0, 10, 15, 30], months: 6}", offers))
    with pytest.raises(ContractError, match=said):
        load_contract(file)


def test_a_log_of_offers_that_aren_t_made_is_refused_with_what_to_say(tmp_path: Path) -> None:
    """Without `offers` a contract makes the built-in ones, which such a log knows nothing of."""
    file = tmp_path / "customers.yaml"
    file.write_text(OWN.replace("offers: {percent: [0, 10, 15, 30], months: 6}\n", ""))
    with pytest.raises(ContractError, match=r"say offers: \{percent: \[0, 10, 15, 30\]\}"):
        load_contract(file)


def answers(engine: RetentionEngine, **options: Any) -> list[dict[str, Any]]:
    form = engine.form.model
    people = [form.model_validate(CUSTOMER | {"months": months}) for months in (2, 7, 40)]
    return engine.predict_many(people, **options)


def test_decisions_and_messages_make_the_company_s_offers(bundle: Path, home: Path) -> None:
    """The rule offers the third level to everybody: 15 % for 6 months, in figures and in words."""
    engine = RetentionEngine.load(bundle)
    assert load_params(bundle / "policy").discounts == (0.0, 0.05, 0.075, 0.15)
    for answer in answers(engine):
        decision, metadata = answer["decision"], answer["metadata"]
        assert (decision["offer_level"], decision["offer_percentage"]) == (2, 15)
        made = [other["offer_percentage"] for other in metadata["alternatives"]]
        assert made == [0, *PERCENTAGES]
        paid = 12 * CUSTOMER["monthly_fee"] * 0.075 * metadata["accept_prob"]
        assert metadata["alternatives"][3]["expected_cost"] == pytest.approx(paid, abs=0.05)
        assert "15%" in answer["message"]
        assert answer["safety"]["violations"] in ([], ["quiet_hours"])
    assert any("6 months" in answer["message"] for answer in answers(engine))


def test_predictions_have_the_company_s_percentages(
    bundle: Path, company: Company, tmp_path: Path
) -> None:
    inputs = {"release": bundle, "active_customers": company.root / "active"}
    run_predictions(inputs, tmp_path, ScoringConfig())
    table = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    assert set(table["offer_percentage"]) == {15}
    plan = Plan(
        "p1",
        CONTACTS.empty_table().from_pylist(
            [
                {
                    "decision_id": "p1:x",
                    "customer_id": table["customer_id"][0],
                    "offer_percentage": 30,
                    "expected_value": 1.0,
                    "expected_cost": 1.0,
                }
            ],
            schema=CONTACTS,
        ),
        pq.read_table(tmp_path / "predictions.parquet")
        .slice(0, 0)
        .select([])
        .append_column("customer_id", [[]])
        .append_column("rule", [[]]),
        {},
    )
    now = pd.Timestamp("2026-05-04T09:00Z").to_pydatetime()
    records = decisions_of(
        plan,
        pq.read_table(tmp_path / "predictions.parquet"),
        ExperimentConfig(),
        now,
        PERCENTAGES,
    )
    assert sum(3 in record for record in records) >= 1


def test_what_was_given_is_counted_by_the_release_that_gave_it(home: Path) -> None:
    """15 % for half a year of 480 a year are 36; a release with built-in offers gave 10 % of it."""
    store = LocalArtifactStore(home / "store")
    offers = offers_by_release(store)
    [own] = offers
    assert offers_in_service(store).percent == PERCENTAGES
    decisions = pd.DataFrame(
        {
            "decision_id": ["a", "b"],
            "time": pd.to_datetime(["2026-01-05T10:00Z", "2026-01-05T11:00Z"]),
            "customer_id": ["A1", "A2"],
            "source": ["campaign", "api"],
            "group": ["treated", None],
            "release_id": [own, "20250101-0123456789ab"],
            "contact": [True, True],
            "offer_level": [2, 2],
            "customer_value": [480.0, 480.0],
        }
    )
    events = [
        {
            "event_id": f"e{name}",
            "decision_id": name,
            "customer_id": customer,
            "kind": "accepted",
            "occurred_at": "2026-01-06T10:00:00+00:00",
            "offer_percentage": None,
        }
        for name, customer in (("a", "A1"), ("b", "A2"))
    ]
    now = pd.Timestamp("2026-06-01T00:00Z").to_pydatetime()
    table = join(decisions, events, OutcomesConfig(), now, offers).table
    assert table["given_percentage"].tolist() == [15.0, 10.0]
    assert table["spend"].tolist() == pytest.approx([36.0, 48.0])
    history = History(acceptances=(Acceptance(datetime(2026, 1, 6, 10, tzinfo=UTC), 15, None),))
    ledger = money_by_day({"A1": history}, {"A1": 480.0}, {}, UTC, now, MONTHS)
    assert [day.cost for day in ledger.values()] == pytest.approx([36.0])
    own_check, built_in = outcomes_of(offers.values()).columns[PERCENT], OUTCOMES.columns[PERCENT]
    given = pd.DataFrame({PERCENT: [30.0]})
    assert own_check.validate(given) is not None
    with pytest.raises(Exception, match="isin"):
        built_in.validate(given)


def test_a_log_of_answers_has_the_company_s_levels() -> None:
    """30 % is the third level of this company; 5 % is none, as no contact made it."""
    said = [("sent", 30), ("accepted", None), ("sent", 5), ("accepted", None)]
    events = [
        {
            "event_id": str(i),
            "customer_id": "A1",
            "kind": kind,
            "occurred_at": f"2026-01-{10 + i:02d}T10:00:00+00:00",
            "offer_percentage": percent,
        }
        for i, (kind, percent) in enumerate(said)
    ]
    now = pd.Timestamp("2026-06-01T00:00Z").to_pydatetime()
    rows = campaign_rows(events, {"A1": {"monthly_charges": 40.0}}, now, PERCENTAGES).rows
    assert [(row["offer_level"], row["partner"]) for row in rows] == [(3, None)]


def test_an_import_takes_the_offers_that_are_made(tmp_path: Path) -> None:
    event = {
        "customer_id": "A1",
        "kind": "accepted",
        "occurred_at": "2026-01-06T10:00:00+00:00",
    }
    rows = [event | {"event_id": str(p), "offer_percentage": p} for p in (30, 5)]
    log = open_feedback_log(LocalArtifactStore(tmp_path / "store"), tmp_path)
    try:
        found = record(rows, log, PERCENTAGES)
    finally:
        log.close()
    assert found.stored == 1
    [(row, why)] = found.refused
    assert (row, why[:16]) == (2, "offer_percentage")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    with (
        running(home, CHURN_API__REQUESTS_PER_SECOND="0") as process,
        httpx.Client(base_url=process.url, timeout=20, trust_env=False) as session,
    ):
        yield session


def test_half_a_year_of_a_discount_takes_half_of_the_allowance(client: httpx.Client) -> None:
    """15 % for six months are 7.5 % of a year, of 20 % that may be given: it can be given again."""
    event = {"event_id": "given", "customer_id": "GIVEN", "kind": "accepted"}
    event |= {"occurred_at": (datetime.now(UTC) - timedelta(days=10)).isoformat()}
    assert client.post("/feedback", json=event | {"offer_percentage": 15}).is_success
    asked = CUSTOMER | {"customer_id": "GIVEN", "contacts_this_period": 0}
    deadline = time.monotonic() + START_SECONDS
    while "budget_remaining" not in (said := client.post("/predict", json=asked)).text:  # ledger's
        assert time.monotonic() < deadline
    assert said.json()["decision"]["offer_percentage"] == 15


def test_the_api_speaks_of_the_company_s_offers(client: httpx.Client) -> None:
    """Answers, the feedback that is taken, and the document say the same percentages."""
    answer = client.post("/predict", json=CUSTOMER).json()
    assert answer["decision"]["offer_percentage"] == 15
    event = {
        "customer_id": "A10001",
        "kind": "accepted",
        "occurred_at": "2026-01-06T10:00:00+00:00",
    }
    taken = client.post("/feedback", json=event | {"event_id": "e1", "offer_percentage": 30})
    assert taken.status_code == 200, taken.text
    refused = client.post("/feedback", json=event | {"event_id": "e2", "offer_percentage": 5})
    assert refused.status_code == 422
    assert "0, 10, 15 or 30" in refused.text
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for part in ("Decision", "Alternative"):
        assert schemas[part]["properties"]["offer_percentage"]["enum"] == [*PERCENTAGES]
    [example] = schemas["PredictResponse"]["examples"]
    assert example["decision"]["offer_percentage"] == PERCENTAGES[2]
    told = json.dumps(schemas["FeedbackEvent"]["properties"]["offer_percentage"])
    assert "[0, 10, 15, 30]" in told


@pytest.mark.parametrize("field", ["plan", "paperless", "monthly_fee"])
def test_a_number_that_is_too_long_is_refused(client: httpx.Client, field: str) -> None:
    answer = client.post("/predict", json=CUSTOMER | {field: 10**400})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", field])
