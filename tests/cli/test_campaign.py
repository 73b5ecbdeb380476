"""`churn campaign` as a team uses it: separate processes on a small real release."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.cli.campaign_plan import cost_of
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions
from tests.cli.conftest import Churn

LATER = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
LIMITS = ("--budget", "900", "--contacts", "email=6", "--contacts", "call=2")


@pytest.fixture(scope="module")
def ready(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home with predictions of its release."""
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture
def approved(ready: Path, churn: Churn) -> str:
    """The id of an approved plan, on a ledger in which nothing else is."""
    for file in ready.glob("ledger.sqlite3*"):
        file.unlink()
    made = churn("campaign", "plan", *LIMITS, "--by", "Ana", "--json")
    assert made.returncode == 0, made.stderr
    plan = json.loads(made.stdout)
    assert (plan["status"], plan["budget"]) == ("draft", 900)
    assert plan["contacts_a_day"] == {"email": 6, "call": 2}
    assert churn("campaign", "approve", "--by", "Eva").returncode == 0
    return str(plan["plan_id"])


def contacts(home: Path) -> list[int]:
    """How many contacts each customer of the ledger has."""
    ledger = Ledger.open("", home)
    found = [len(history.contacts) for history in ledger.histories().values()]
    ledger.close()
    return found


def test_a_day_from_draft_to_hand_over(
    approved: str, churn: Churn, ready: Path, tmp_path: Path
) -> None:
    """Export, hand over, show; a second hand-over and a second export have nothing to do."""
    file = tmp_path / "list.csv"
    done = churn("campaign", "export", str(file), "--day", LATER)
    assert done.stdout == f"8 contacts of plan {approved} for {LATER} are in {file}\n"
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert all("{{ customer.first_name }}" in row["message"] for row in rows)
    done = churn("campaign", "handed-over", "--day", LATER)
    assert done.stdout == "8 contacts are in the ledger now, 0 were there already\n"
    done = churn("campaign", "handed-over", "--day", LATER)
    assert done.stdout == "0 contacts are in the ledger now, 8 were there already\n"
    assert churn("campaign", "export", str(file), "--day", LATER).stdout.startswith("0 contacts")
    assert contacts(ready) == [1] * 8
    shown = churn("campaign", "show").stdout
    assert f"Plan {approved} (approved)" in shown
    assert "approved by Eva" in shown
    again = churn("campaign", "approve", "--by", "Max").stdout
    first, lapses = again.splitlines()
    assert first == f"plan {approved} is approved by Eva"
    assert lapses.startswith("Its lists can be taken until ")
    assert lapses.endswith(" contacts of later days lapse.")
    assert f"handed over {LATER}" in shown
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in shown.splitlines()]
    assert [LATER, "6", "2"] in cells  # as the table's head: day, email, call
    outside = churn("campaign", "export", str(file), "--day", "2020-01-01")
    assert (outside.returncode, "not for 2020-01-01" in outside.stderr) == (1, True)
    forgotten = churn("campaign", "forget", rows[0]["customer_id"])
    assert forgotten.stdout == (
        "1 decisions and 0 events about this customer are erased, and what the contact ledger had "
        "of them\n"
    )
    assert churn("campaign", "cancel").stdout == f"plan {approved} is cancelled\n"


def test_two_hand_overs_at_once_contact_everybody_once(
    approved: str, churn: Churn, ready: Path, tmp_path: Path
) -> None:
    """A night job and a person. One that is killed in the middle: tests/campaign/test_killed.py."""
    early = churn("campaign", "handed-over", "--day", LATER)
    assert (early.returncode, "no list of it was exported" in early.stderr) == (1, True)
    assert churn("campaign", "export", str(tmp_path / "list.csv"), "--day", LATER).returncode == 0

    def hand_over(_: int) -> int:
        return int(churn("campaign", "handed-over", "--day", LATER).stdout.split()[0])

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(hand_over, range(2))) == 8
    assert contacts(ready) == [1] * 8


def test_predict_knows_who_was_handed_over(approved: str, churn: Churn, tmp_path: Path) -> None:
    """The command reads the ledger as the API does."""
    file = tmp_path / "list.jsonl"
    churn("campaign", "export", str(file), "--day", LATER)
    customer = json.loads(file.read_text(encoding="utf-8").splitlines()[0])["customer_id"]
    asked = tmp_path / "asked.json"
    rows = [SAMPLE_REQUEST | {"customer_id": customer}, SAMPLE_REQUEST]
    asked.write_text(json.dumps(rows), encoding="utf-8")
    churn("campaign", "handed-over", "--day", LATER)
    done = churn("predict", str(asked), "--format", "json")
    known, other = (answer["metadata"] for answer in json.loads(done.stdout))
    assert "contacts_this_period" in known["contact_history"]["from_ledger"]
    assert "contact_history" not in other


def test_predict_leaves_out_who_opted_out_in_every_format(
    ready: Path, churn: Churn, tmp_path: Path
) -> None:
    """One customer and several, through the engine and over HTTP, and says by which rule."""
    table = tmp_path / "out.csv"
    gone = SAMPLE_REQUEST["customer_id"]
    table.write_text(f"customer_id,occurred_at,kind\n{gone},2026-03-01T10:00:00Z,opted_out\n")
    assert churn("campaign", "import", str(table)).returncode == 0  # a new customer's
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(SAMPLE_REQUEST), encoding="utf-8")
    alone = json.loads(churn("predict", str(asked), "--format", "json").stdout)
    assert not alone["decision"]["contact"]
    assert alone["metadata"]["excluded"]["rule"] == "opt_out"
    rows = [SAMPLE_REQUEST, SAMPLE_REQUEST | {"customer_id": "another"}]
    asked.write_text(json.dumps(rows), encoding="utf-8")
    for path in ((), ("--over-http",)):
        done = churn("predict", str(asked), "--format", "csv", *path)
        told = [
            (row["contact"], row["excluded"]) for row in csv.DictReader(done.stdout.splitlines())
        ]
        assert told == [("False", "opt_out"), ("True", "")], done.stderr
    shown = " ".join(churn("predict", str(asked), "--format", "table").stdout.split())
    assert shown.count("Not to be contacted:") == 1
    assert churn("campaign", "forget", gone).returncode == 0


def test_the_company_s_own_contacts_come_in(ready: Path, churn: Churn, tmp_path: Path) -> None:
    """Once, with the file's own column names; refused rows are named, and are the exit code."""
    for file in ready.glob("ledger.sqlite3*"):
        file.unlink()
    table = tmp_path / "dialler.csv"
    table.write_text(
        "account,at,channel,offer_percentage\n"
        "T00001,2026-03-01 10:00,call,10\nT00002,2026-03-01,call,\n",
        encoding="utf-8",
    )
    told = ("campaign", "import", str(table), "--column", "customer_id=account")
    told += ("--column", "occurred_at=at", "--zone", "Europe/Madrid")
    assert churn(*told).stdout == "2 contacts added, 0 were there already\n"
    assert churn(*told).stdout == "0 contacts added, 2 were there already\n"
    ledger = Ledger.open("", ready)
    [contact] = ledger.histories()["T00001"].contacts
    ledger.close()
    assert (contact.when.isoformat(), contact.channel, contact.offer_percentage) == (
        "2026-03-01T09:00:00+00:00",
        "call",
        10,
    )
    with table.open("a", encoding="utf-8") as more:
        more.write("T00003,some day,call,\n")
    done = churn(*told)
    assert done.returncode == 1
    assert "row 3: occurred_at: write date and time in ISO 8601" in done.stderr
    assert "1 rows of" in done.stderr
    assert churn(*told[:-1], "Mars/Base").returncode == 2


def test_ids_that_no_customer_has_are_named(ready: Path, churn: Churn, tmp_path: Path) -> None:
    """An opt-out under an id that lost its zero would reach nobody, and nobody would know. Who has
    left is in the history that models learnt from, and no stranger."""
    table = tmp_path / "opt-outs.csv"
    day = "2026-03-01"
    rows = [f"T00002,{day},opted_in", f"T2,{day},opted_out", f"T 00003,{day},opted_out"]
    table.write_text("\n".join(["customer_id,occurred_at,kind", *rows]), encoding="utf-8")
    done = churn("campaign", "import", str(table), "--force")
    assert done.stdout == "3 contacts added, 0 were there already\n"
    asked = "of no customer in the latest predictions or the history, as"
    assert f"2 of 3 ids are {asked} 'T 00003', 'T2': are" in done.stderr
    store, history = LocalArtifactStore(ready / "store"), tmp_path / "history"
    history.mkdir()
    for split, customer in (("train", "T00002"), ("valid", "T 00003"), ("test", "T00005")):
        pq.write_table(pa.table({"customer_id": [customer]}), history / f"{split}.parquet")
    pointer = store.put("customer_history", history).model_dump_json().encode()
    store.write_pointer(asset_pointer("customer_history"), pointer)
    done = churn("campaign", "import", str(table))
    assert f"1 of 3 ids are {asked} 'T2': are" in done.stderr
    store.delete_pointer(asset_pointer("customer_history"))
    churn("campaign", "forget", "T2", "T 00003")  # or each plan would name what looks misspelt


def test_a_plan_names_ids_of_the_suppression_list_that_no_customer_has(
    ready: Path, churn: Churn, tmp_path: Path
) -> None:
    """Most of a list may be right and the rest keep nobody out; where none is, the plan says so.
    Programs have it in the document, people on the screen, where an id isn't taken for markup."""
    rules = {"CHURN_CAMPAIGN__RULES__SUPPRESSION_LIST": str(tmp_path / "no.csv")}
    (tmp_path / "no.csv").write_text("customer_id\nT00002\nT3\nT00005\n", encoding="utf-8")
    done = churn("campaign", "plan", "--json", **rules)
    assert json.loads(done.stdout)["on_suppression_list"] == 2
    asked = "ids of the suppression list are of no customer in the latest predictions"
    said = f"1 of 3 {asked} or the history, as 'T3': are they written"
    assert said in done.stderr
    assert [line.startswith(said) for line in json.loads(done.stdout)["warnings"]] == [True]
    assert said in churn("campaign", "show").stdout
    (tmp_path / "no.csv").write_text("customer_id\nT00002\n[/b]\n", encoding="utf-8")
    assert "as '[/b]': are" in churn("campaign", "plan", **rules).stdout
    (tmp_path / "no.csv").write_text("customer_id\nT00002\n", encoding="utf-8")
    done = churn("campaign", "plan", **rules)
    assert "suppression list" not in done.stderr
    assert "of no customer" not in done.stdout
    (tmp_path / "no.csv").write_text("customer_id\nT2\n", encoding="utf-8")
    done = churn("campaign", "plan", **rules)
    assert "The suppression list names none of these customers" in done.stdout
    assert done.stderr == ""


def test_a_delivery_by_hand_is_the_schedule_s(approved: str, churn: Churn, tmp_path: Path) -> None:
    """Into the folder of the setting, and into the ledger; again, it does nothing."""
    place = {"CHURN_CAMPAIGN__DELIVER_TO": str(tmp_path / "out")}
    refused = churn("campaign", "deliver")
    assert refused.returncode == 1
    assert "set CHURN_CAMPAIGN__DELIVER_TO" in refused.stderr
    done = churn("campaign", "deliver", "--day", LATER, **place)
    file = tmp_path / "out" / f"contacts-{approved}-{LATER}.csv"
    assert done.stdout == (
        f"plan {approved}: {file}\n8 contacts are in the ledger now, 0 were there already\n"
    )
    assert file.is_file()
    again = churn("campaign", "deliver", "--day", LATER, **place)
    assert again.stdout.startswith(f"plan {approved}: nothing is left to send\n0 contacts")


def test_a_line_a_day_says_what_became_of_it(
    approved: str, churn: Churn, ready: Path, tmp_path: Path
) -> None:
    """On the screen and for programs; nothing is made by looking."""
    budget = {"CHURN_CAMPAIGN__MONTH_BUDGET": "900"}
    before = {f["day"]: f for f in json.loads(churn("campaign", "status", "--json").stdout)["days"]}
    assert (before[LATER]["planned"], before[LATER]["list"]) == (8, "to come")
    churn("campaign", "export", str(tmp_path / "list.csv"), "--day", LATER)
    churn("campaign", "handed-over", "--day", LATER)
    told = json.loads(churn("campaign", "status", "--days", "3", "--json", **budget).stdout)
    after = {line["day"]: line for line in told["days"]}[LATER]
    assert after == before[LATER] | {"handed_over": 8, "waiting": 0, "list": "handed over"}
    assert len(told["days"]) == len(before) - 11
    assert told["month"]["left"] <= told["month"]["budget"] == 900
    shown = churn("campaign", "status", "--days", "3", **budget).stdout
    [line] = [line.split() for line in shown.splitlines() if line.startswith(LATER)]
    assert line == [LATER, *"88000000", f"{after['expected']:,.2f}", "0.00"]
    assert "of 900.00 spent" in shown
    assert contacts(ready) == [1] * 8


def test_promises_above_the_budget_are_told_in_words() -> None:
    """Nobody understood "457.13 of 0.00"."""
    report = {"expected_cost": 457.13, "budget": 0.0, "promised": 8}
    assert cost_of(report) == (
        "cost 457.13, as promised already: more than the budget of 0.00, "
        "so nothing is added that costs money"
    )
    assert cost_of(report | {"budget": 900.0}) == "cost 457.13 of 900.00"


def test_an_empty_day_goes_through_every_command(ready: Path, churn: Churn, tmp_path: Path) -> None:
    """A plan that contacts nobody is exported and delivered as any other: a list without rows."""
    for file in ready.glob("ledger.sqlite3*"):
        file.unlink()
    none = ("--contacts", "email=0", "--contacts", "call=0")
    made = json.loads(churn("campaign", "plan", *none, "--json").stdout)
    assert made["contacts"] == 0
    assert churn("campaign", "approve").returncode == 0
    file = tmp_path / "list.csv"
    done = churn("campaign", "export", str(file), "--day", LATER)
    assert done.stdout == f"0 contacts of plan {made['plan_id']} for {LATER} are in {file}\n"
    [header] = file.read_text(encoding="utf-8").splitlines()
    assert header.startswith("customer_id,")
    done = churn("campaign", "handed-over", "--day", LATER)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 contacts are in the ledger now, 0 were there already\n"
    out = tmp_path / "out"
    done = churn("campaign", "deliver", "--day", LATER, CHURN_CAMPAIGN__DELIVER_TO=str(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"plan {made['plan_id']}: nothing is left to send\n"
        "0 contacts are in the ledger now, 0 were there already\n"
    )
    assert not out.exists()


def test_who_stops_a_campaign_stops_the_approved_one(approved: str, churn: Churn) -> None:
    """Whatever the night has planned since; and is told that this is still there."""
    draft = json.loads(churn("campaign", "plan", *LIMITS, "--json").stdout)["plan_id"]
    done = churn("campaign", "cancel", draft)
    assert done.stdout == (
        f"plan {draft} is cancelled\nplan {approved} is still there, approved: its lists go out\n"
    )
    draft = json.loads(churn("campaign", "plan", *LIMITS, "--json").stdout)["plan_id"]
    assert churn("campaign", "cancel").stdout == (
        f"plan {approved} is cancelled\n"
        f"plan {draft} is still there, a draft: nobody is contacted by it\n"
    )
    done = churn("campaign", "deliver", CHURN_CAMPAIGN__DELIVER_TO="lists")
    assert "no plan is approved" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--contacts", "pigeon=3"), "there is no channel 'pigeon'"),
        (("plan", "--contacts", "many"), "'many' is neither a number nor channel=number"),
        (("plan", "--contacts", "8", "--contacts", "email=3"), "'8' is for all channels"),
        (("plan", "--contacts", "9" * 5000), "is more than 100,000,000 a day"),
        (("plan", "--budget", "inf"), "Invalid value for '--budget'"),
        (("plan", "--budget", "nan"), "Invalid value for '--budget'"),
        (("plan", "--days", "0"), "Invalid value for '--days'"),
        (("approve", "--by", " "), "write a name of up to 128 letters"),
        (("export", "list.xlsx"), "name it .csv, .parquet or .jsonl"),
        (("approve", "no-such-plan"), "there is no plan no-such-plan"),
        (("handed-over", "--day", "2020-13-01"), "does not match the format"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    arguments: tuple[str, ...], said: str, ready: Path, churn: Churn
) -> None:
    """No traceback, and exit code 1 or 2."""
    done = churn("campaign", *arguments)
    assert done.returncode in (1, 2)
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_one_number_is_shared_among_the_channels(ready: Path, churn: Churn) -> None:
    """In proportion to the settings' 500 and 60."""
    made = churn("campaign", "plan", "--contacts", "56", "--days", "1", "--json")
    plan = json.loads(made.stdout)
    assert plan["contacts_a_day"] == {"email": 50, "call": 6}
    assert len(plan["days"]) == 1
