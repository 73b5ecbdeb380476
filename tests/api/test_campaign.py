"""The campaign and the contact ledger over real HTTP."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import Server, running, wait_for

KEY = "the-key-of-ana"
LATER = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small release and predictions for 90 customers."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server whose one API key is Ana's."""
    hashed = f"ana:{hashlib.sha256(KEY.encode()).hexdigest()}"
    channels = json.dumps({"email": {"contacts_a_day": 6}, "call": {"contacts_a_day": 2}})
    with running(
        home,
        CHURN_API__KEY_HASHES=hashed,
        CHURN_CAMPAIGN__BUDGET="900",
        CHURN_CAMPAIGN__CHANNELS=channels,
    ) as process:
        wait_for(process.url + "/readyz", process)
        yield process


@pytest.fixture
def client(server: Server, home: Path) -> Iterator[httpx.Client]:
    """Ana, and a ledger in which nothing is yet."""
    for file in home.glob("ledger.sqlite3*"):
        file.unlink()
    headers = {"x-api-key": KEY}
    with httpx.Client(base_url=server.url, timeout=30, headers=headers) as session:
        yield session


def posted(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """The answer to a POST that succeeds."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    for row in [found, *(row["answer"] or {} for row in found.get("results", []))]:
        row.get("metadata", {}).pop("decision_id", None)  # each answer's own
    return found


def sent(customer: str, days: float, kind: Any = "sent") -> Event:
    """Something that happened so many days ago."""
    return Event(
        event_key=f"{customer}-{kind}-{days}",
        customer_id=customer,
        kind=kind,
        occurred_at=datetime.now(UTC) - timedelta(days=days),
    )


def told(home: Path, *events: Event) -> None:
    """Put events into the server's ledger, as another process would."""
    ledger = Ledger.open("", home)
    ledger.record(events)
    ledger.close()


def test_a_day_of_a_campaign(client: httpx.Client) -> None:
    """Planned, looked at, approved by the key's owner, exported and handed over, once."""
    plan = posted(client, "/campaign/plan")
    assert (plan["status"], plan["contacts"] > 8) == ("draft", True)
    page = client.get("/campaign/plan/contacts", params={"sort": "expected_value"}).json()
    assert page["total"] == plan["contacts"]
    assert page["expected_value"] == pytest.approx(plan["expected_value"], abs=0.02)
    refused = client.get("/campaign/plan/list", params={"day": LATER})
    assert refused.status_code == 409
    assert "approve it first" in refused.json()["detail"][0]["msg"]
    approved = posted(client, "/campaign/plan/approve")
    assert approved["status"] == "approved"
    assert "contacts of later days lapse" in approved["lapses"]
    listed = client.get("/campaign/plan/list", params={"day": LATER})
    assert listed.headers["content-type"].startswith("text/csv")
    assert f"{LATER}.csv" in listed.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(listed.text, newline="")))
    assert len(rows) == 8
    lines = client.get("/campaign/plan/list", params={"day": LATER, "format": "jsonl"}).text
    assert [json.loads(x)["customer_id"] for x in lines.splitlines()] == [
        row["customer_id"] for row in rows
    ]
    done = posted(client, "/campaign/plan/handed-over", day=LATER)
    assert done == {
        "new": 8,
        "already": 0,
        "dropped": {},
        "cancelled": None,
        "not_in_newest_list": 0,
    }
    assert posted(client, "/campaign/plan/handed-over", day=LATER)["already"] == 8
    steps = client.get("/campaign/plan").json()["steps"]
    assert [(s["step"], s["who"]) for s in steps] == [
        ("planned", "ana"),
        ("approved", "ana"),
        (f"handed over {LATER}", "ana"),
    ]
    assert posted(client, "/campaign/plan/cancel", plan_id=plan["plan_id"])["status"] == "cancelled"


def test_an_empty_day_is_a_list_without_rows(client: httpx.Client) -> None:
    """A plan that contacts nobody is approved and listed as any other."""
    plan = posted(client, "/campaign/plan", contacts_a_day={"email": 0, "call": 0})
    assert plan["contacts"] == 0
    posted(client, "/campaign/plan/approve", plan_id=plan["plan_id"])
    listed = client.get("/campaign/plan/list", params={"day": LATER})
    assert (listed.status_code, listed.text.splitlines()[1:]) == (200, [])
    assert listed.text.startswith("customer_id,")
    lines = client.get("/campaign/plan/list", params={"day": LATER, "format": "jsonl"})
    assert (lines.status_code, lines.text) == (200, "")
    posted(client, "/campaign/plan/cancel", plan_id=plan["plan_id"])


def test_limits_move_a_plan_without_keeping_one(client: httpx.Client) -> None:
    """What the console's sliders ask."""
    narrow = posted(client, "/campaign/replan", budget=300)
    wide = posted(client, "/campaign/replan", budget=900, contacts_a_day={"email": 9})
    assert narrow["expected_cost"] <= 300
    assert narrow["expected_value"] < wide["expected_value"] <= wide["bound"]
    assert max(day["email"] for day in wide["by_day"]) == 9
    assert client.get("/campaign/plan").status_code == 409


def test_who_is_left_out_is_listed_and_searched(client: httpx.Client, home: Path) -> None:
    """Each with the rule that did it."""
    gone = sent("T00001", 1, "opted_out")
    told(home, gone, sent("T00002", 1), sent("T00012", 2))
    plan = posted(client, "/campaign/plan", days=2)
    assert plan["excluded"] == {"opt_out": 1, "cooldown": 2}
    path = "/campaign/plan/excluded"
    everybody = client.get(path).json()
    assert everybody["total"] == 3
    assert {c["customer_id"]: c["rule"] for c in everybody["customers"]} == {
        "T00001": "opt_out",
        "T00002": "cooldown",
        "T00012": "cooldown",
    }
    found = client.get(path, params={"rule": "cooldown", "search": "T0001"}).json()
    assert found == {"total": 1, "customers": [{"customer_id": "T00012", "rule": "cooldown"}]}
    assert client.get(path, params={"start": 2}).json()["customers"] == everybody["customers"][2:]


def test_plans_are_listed_the_newest_first(client: httpx.Client) -> None:
    """So that yesterday's approved one is found beside the night's draft."""
    assert client.get("/campaign/plans").json() == {"plans": []}
    first = posted(client, "/campaign/plan", days=2)
    posted(client, "/campaign/plan/approve")
    second = posted(client, "/campaign/plan", days=3)
    plans = client.get("/campaign/plans").json()["plans"]
    assert [(p["plan_id"], p["status"], p["days"]) for p in plans] == [
        (second["plan_id"], "draft", second["days"]),
        (first["plan_id"], "approved", first["days"]),
    ]


def test_without_an_id_it_is_the_approved_plan(client: httpx.Client) -> None:
    """Not the night's draft; whoever takes it back is told what is still there."""
    plan = posted(client, "/campaign/plan", days=3)
    first, later = plan["plan_id"], plan["days"][2]
    posted(client, "/campaign/plan/approve")
    told = posted(client, "/campaign/plan", days=3)
    draft = told["plan_id"]
    assert (told["approved"], told["listed"]) == (first, [])
    listed = client.get("/campaign/plan/list", params={"day": later})
    assert f"contacts-{first}-" in listed.headers["content-disposition"]
    assert posted(client, "/campaign/plan/handed-over", day=later)["new"] == 8
    assert posted(client, "/campaign/plan/cancel", plan_id=draft)["still_there"] == [
        {"plan_id": first, "status": "approved"}
    ]
    last = posted(client, "/campaign/plan", days=3)["plan_id"]
    assert posted(client, "/campaign/plan/cancel") == {
        "plan_id": first,
        "status": "cancelled",
        "still_there": [{"plan_id": last, "status": "draft"}],
    }
    shown = client.get("/campaign/plan", params={"plan_id": first}).json()
    assert (shown["approved"], shown["listed"]) == (None, [later])
    assert posted(client, "/campaign/plan/cancel")["plan_id"] == last


def test_a_shorter_plan_is_replanned_as_short_as_it_is(client: httpx.Client) -> None:
    """Sliders move the plan that is looked at, not one of the settings' seven days."""
    plan = posted(client, "/campaign/plan", days=2)
    again = posted(client, "/campaign/replan", budget=plan["budget"], days=2)
    assert [day["day"] for day in again["by_day"]] == plan["days"]
    assert len(posted(client, "/campaign/replan")["by_day"]) == 7


def test_the_ledger_s_history_of_a_customer(client: httpx.Client, home: Path) -> None:
    """Newest contact first; of who was never contacted, nothing."""
    channel = {"channel": "email", "offer_percentage": 10}
    told(
        home,
        sent("A1", 20).model_copy(update=channel),
        sent("A1", 19, "accepted"),
        sent("A1", 3),
        sent("A1", 2, "complained"),
        sent("A1", 1, "opted_out"),
    )
    found = client.get("/customers/A1/contacts").json()
    assert (found["customer_id"], found["opted_out"]) == ("A1", True)
    assert found["complained"] is not None
    assert [(c["channel"], c["offer_percentage"], c["answer"]) for c in found["contacts"]] == [
        (None, None, None),
        ("email", 10, "accepted"),
    ]
    nobody = client.get("/customers/B2/contacts").json()
    never = {"opted_out": False, "opted_out_since": None, "churned": None, "complained": None}
    assert nobody == {"customer_id": "B2", **never, "contacts": []}
    assert client.get("/customers/no%09id/contacts").status_code == 422


@pytest.mark.parametrize(
    "customer", ["a.b@shop.example", "0042/7", "KD 123", "Müller-7", "+49176/"]
)
def test_an_id_is_the_company_s_own(client: httpx.Client, customer: str) -> None:
    """Whatever its table has: asked for, reported and looked up under the same id."""
    assert posted(client, "/predict", **SAMPLE_REQUEST | {"customer_id": customer})
    plan = f"20260310-0123456789ab:{customer}"
    event = {"event_id": f"out-{customer.encode().hex()}", "customer_id": customer}
    event |= {"kind": "unsubscribed", "occurred_at": "2026-03-10T12:00:00Z", "decision_id": plan}
    posted(client, "/feedback", **event)
    path = f"/customers/{quote(customer, safe='')}"
    found = client.get(f"{path}/contacts").json()
    assert (found["customer_id"], found["opted_out"]) == (customer, True)
    assert client.get(path).json()["detail"][0]["msg"] == "no prediction for this customer"


def test_a_channel_that_feedback_tells_is_in_the_ledger(client: httpx.Client) -> None:
    """A cap on calls counts the calls that the dialler reports."""
    event = {
        "event_id": "evt-call-1",
        "customer_id": "CALLED",
        "kind": "sent",
        "occurred_at": datetime.now(UTC).isoformat(),
        "channel": "call",
    }
    posted(client, "/feedback", **event)
    [contact] = client.get("/customers/CALLED/contacts").json()["contacts"]
    assert contact["channel"] == "call"


def test_contacts_are_searched_filtered_and_sorted(client: httpx.Client) -> None:
    """By id, channel and day."""
    posted(client, "/campaign/plan", days=2)

    def found(**query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = client.get("/campaign/plan/contacts", params=query).json()[
            "contacts"
        ]
        return rows

    everybody = found()
    one = everybody[3]
    assert found(search=one["customer_id"]) == [one]
    assert found(search=one["customer_id"].lower()) == [one]
    assert {row["channel"] for row in found(channel="call")} == {"call"}
    assert {row["day"] for row in found(day=one["day"])} == {one["day"]}
    values = [row["expected_value"] for row in found(sort="expected_value", descending=True)]
    assert values == sorted(values, reverse=True)
    assert found(start=2, count=1) == [everybody[2]]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/campaign/plan", {"budget": -1}, "budget"),
        ("/campaign/plan", {"contacts_a_day": {"pigeon": 1}}, "contacts_a_day"),
        ("/campaign/plan", {"surprise": 1}, "surprise"),
        ("/campaign/replan", {"budget": "much"}, "budget"),
        ("/campaign/plan/handed-over", {"day": "2026-02-30"}, "day"),
        ("/campaign/plan/approve", {"plan_id": "../x"}, "plan_id"),
    ],
)
def test_a_wrong_field_is_named(
    path: str, body: dict[str, Any], field: str, client: httpx.Client
) -> None:
    """422, as everywhere."""
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert field in answer.json()["detail"][0]["loc"]


def test_without_a_key_nothing_of_it_can_be_seen_or_done(server: Server) -> None:
    """The same gate as before every other route."""
    parts = ("", "/contacts", "/excluded", "/list")
    paths = ["/campaign/plans", "/customers/A/contacts", *(f"/campaign/plan{p}" for p in parts)]
    assert {httpx.get(server.url + path).status_code for path in paths} == {401}
    for path in ("", "/approve", "/cancel", "/handed-over"):
        assert httpx.post(f"{server.url}/campaign/plan{path}", json={}).status_code == 401
    assert httpx.post(f"{server.url}/campaign/replan", json={}).status_code == 401


def test_who_is_not_in_the_ledger_is_answered_as_ever(client: httpx.Client, home: Path) -> None:
    """The specification's sample, with an empty ledger and with one that knows others."""
    before = posted(client, "/predict", **SAMPLE_REQUEST)
    assert "contact_history" not in before["metadata"]
    told(home, sent("B1", 3))
    assert posted(client, "/predict", **SAMPLE_REQUEST) == before


def test_a_batch_is_filled_row_by_row(client: httpx.Client, home: Path) -> None:
    """Those whom the ledger knows, and nothing of the others or of rows that are refused."""
    told(home, sent("C2", 1))
    rows: list[Any] = [
        SAMPLE_REQUEST | {"customer_id": "C1"},
        SAMPLE_REQUEST | {"customer_id": "C2"},
        {"customer_id": "C2"},
        SAMPLE_REQUEST | {"customer_id": "\x00"},
        SAMPLE_REQUEST | {"customer_id": "\ud83d"},
        "no customer",
    ]
    body = json.dumps({"customers": rows})  # as no text that could be encoded
    answer = client.post(
        "/predict/batch", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    results[1]["answer"]["metadata"].pop("decision_id")
    assert "contact_history" not in results[0]["answer"]["metadata"]
    single = posted(client, "/predict", **rows[1])
    assert results[1]["answer"] == single
    assert [bool(row["errors"]) for row in results] == [False, False, True, True, True, True]


def test_feedback_is_a_contact_that_counts(client: httpx.Client) -> None:
    """Reported once or twice: one contact, of which `/predict` knows at once."""
    customer = SAMPLE_REQUEST["customer_id"]
    event = {
        "event_id": "evt-campaign-1",
        "customer_id": customer,
        "kind": "sent",
        "occurred_at": (datetime.now(UTC) - timedelta(days=1, hours=1)).isoformat(),
        "offer_percentage": 10,
    }
    posted(client, "/feedback", **event)
    assert posted(client, "/feedback", **event)["duplicate"]
    filled = posted(client, "/predict", **SAMPLE_REQUEST)
    given = posted(
        client, "/predict", **SAMPLE_REQUEST, days_since_contact=1, contacts_this_period=1
    )
    del filled["metadata"]["contact_history"], given["metadata"]["contact_history"]
    assert filled == given


def test_a_damaged_ledger_lets_no_contact_pass(client: httpx.Client, home: Path) -> None:
    """503, since neither opt-outs nor caps can be judged, whoever counted for themselves as well;
    it mends itself. Others' routes don't notice."""
    told(home, sent("B1", 1))
    file = home / "ledger.sqlite3"
    whole = file.read_bytes()
    file.write_bytes(b"no database at all, but longer than a header of a hundred bytes" * 9)
    refused = client.post("/predict", json=SAMPLE_REQUEST)
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert refused.json()["detail"][0]["type"] == "ledger_unavailable"
    counted = {"contacts_this_period": 0, "previous_contacts": 0, "days_since_contact": 3}
    assert client.post("/predict", json=SAMPLE_REQUEST | counted).status_code == 503
    assert "ledger can't be read" in client.get("/readyz").json()["contacts_problem"]
    assert client.get("/customers").status_code == 503  # it says who isn't to be contacted
    assert client.get("/campaign").status_code == 200
    file.write_bytes(whole)
    assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 200
    assert client.get("/readyz").json()["contacts_problem"] is None
