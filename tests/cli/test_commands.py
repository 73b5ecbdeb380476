"""The command line as a person uses it: separate processes on a small real release."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.routes.feedback import FeedbackEvent
from churn_assets.datasets.cells import read_cells
from churn_assets.datasets.tables import read_any_table
from churn_assets.decision.config import DecisionConfig
from churn_assets.decision.evaluation.simulation import compare
from churn_assets.decision.mdp.worlds import save_offers, served_world
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import NeverContact, PricedGreedy
from churn_assets.domain.offers import Offers
from churn_assets.predictors.training.campaign_log import COLUMNS
from churn_assets.release.registry import HISTORY, ReleaseRegistry
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictResponse
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions
from tests.cli.conftest import Churn
from tests.decision.conftest import synthetic_customers


def test_report_prints_the_serving_releases_metrics(churn: Churn) -> None:
    """`churn report --json` is what other programs read."""
    done = churn("report", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) >= {"release_id", "risk", "checks"}


def test_predict_answers_the_sample(churn: Churn) -> None:
    """The sample customer gets an answer of the specification's shape without a server."""
    done = churn("predict", "--sample")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == ["decision", "message", "safety", "metadata"]
    PredictResponse.model_validate(answer)


def test_predict_over_http_gives_the_same_decision(churn: Churn) -> None:
    """What `make demo` prints comes from a real server and agrees with the engine in process."""
    over_http = churn("predict", "--sample", "--over-http")
    assert over_http.returncode == 0, over_http.stderr
    in_process = churn("predict", "--sample")
    assert json.loads(over_http.stdout)["decision"] == json.loads(in_process.stdout)["decision"]


def test_the_kill_switch_reaches_this_command_too(churn: Churn) -> None:
    """An emergency must not depend on who asks: one command throws the switch for all."""

    def answered() -> dict[str, object]:
        metadata: dict[str, object] = json.loads(churn("predict", "--sample").stdout)["metadata"]
        return metadata

    assert "is off" in churn("baseline").stdout
    assert "switches/force_baseline" in churn("baseline", "on").stdout
    assert "is on" in churn("baseline", "status").stdout
    assert (answered()["baseline"], answered()["policy"]) == (True, "priced_greedy")
    assert "is off" in churn("baseline", "off").stdout
    assert answered()["baseline"] is False


@pytest.mark.parametrize("variable", ["FORCE_BASELINE", "CHURN_API__FORCE_BASELINE"])
def test_predict_obeys_the_environment(churn: Churn, variable: str) -> None:
    """The same variables as for the API."""
    done = churn("predict", "--sample", **{variable: "1"})
    assert json.loads(done.stdout)["metadata"]["baseline"] is True


def test_predict_says_that_a_release_is_damaged(home: Path, tmp_path: Path, churn: Churn) -> None:
    """A damaged file is a message that names it, not a traceback."""
    broken = tmp_path / "home"
    shutil.copytree(home, broken)
    for model in broken.rglob("risk/model.ubj"):
        model.write_bytes(b"")
    done = churn("predict", "--sample", home=broken)
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_predict_over_http_sends_its_key(churn: Churn) -> None:
    """Where the settings ask for a key, the command's own server does too."""
    digest = hashlib.sha256(b"the-key").hexdigest()
    keys = {"CHURN_API__KEY_HASHES": f'["desk:{digest}"]'}
    keyless = churn("predict", "--sample", "--over-http", **keys)
    assert "401: the settings ask callers for a key; put one" in keyless.stderr
    assert "CHURN_API_KEY" in keyless.stderr
    wrong = churn("predict", "--sample", "--over-http", **keys, CHURN_API_KEY="another")
    assert "401: the key in CHURN_API_KEY is none that the settings name" in wrong.stderr
    done = churn("predict", "--sample", "--over-http", **keys, CHURN_API_KEY="the-key")
    assert done.returncode == 0, done.stderr


def test_predict_names_the_wrong_field(churn: Churn) -> None:
    """A wrong request must say what is wrong with it, not show a traceback."""
    done = churn("predict", "-", text=json.dumps(SAMPLE_REQUEST | {"tenure": -1}))
    assert done.returncode == 1
    assert "tenure" in done.stderr
    assert "Traceback" not in done.stderr


def test_feedback_becomes_a_campaign_log(home: Path, tmp_path: Path, churn: Churn) -> None:
    """What was reported over HTTP goes where the accept model can learn from it."""
    publish_predictions(home, tmp_path / "predictions")
    log = SqliteFeedbackLog(home / "feedback.sqlite3")
    for number, kind in enumerate(("sent", "delivered", "accepted", "unsubscribed")):
        event = FeedbackEvent.model_validate(
            {
                "event_id": f"e{number}",
                "customer_id": "T00003",
                "kind": kind,
                "occurred_at": f"2026-01-0{number + 1}T12:00:00Z",
                "offer_percentage": 15,
            }
        )
        log.record(event.event_id, event.model_dump_json())
        misdated = event.model_dump(mode="json") | {"occurred_at": "9999-01-01T00:00:00Z"}
        log.record(f"m{number}", json.dumps(misdated | {"event_id": f"m{number}"}))
        earlier = event.model_dump(mode="json") | {"customer_id": "T00004", "offer_percentage": 20}
        log.record(f"x{number}", json.dumps(earlier | {"event_id": f"x{number}"}))
    log.close()
    for name in ("log.parquet", "log.csv"):
        done = churn("feedback", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        assert "4 events left out" in done.stderr
        assert "1 answer left out: to 20 %, which none of the present offers is" in done.stderr
        table = read_any_table(tmp_path / name, [*COLUMNS, "monthly_charges"])
        [row] = read_cells(table, COLUMNS, name).to_dict("records")
        assert (row["offer_level"], row["accepted"]) == (3, True)
        [charge] = table["monthly_charges"]
        assert float(charge) > 0
    done = churn("feedback", str(tmp_path / "log.xlsx"))
    assert done.returncode == 1
    assert "has to end in .csv, .csv.gz or .parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_torn_event_is_one_line(home: Path, tmp_path: Path, churn: Churn) -> None:
    """Why: the traceback of `churn feedback` didn't say which event."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    publish_predictions(copy, tmp_path / "predictions")
    log = SqliteFeedbackLog(copy / "feedback.sqlite3")
    log.record("torn", '{"customer_id": "T00003", "kind": "se')
    log.close()
    done = churn("feedback", str(tmp_path / "log.csv"), home=copy)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("the feedback log's event torn is damaged: Invalid JSON: EOF while ")
    assert line.endswith("at line 1 column 37; restore it, or move it away")


def test_a_refusal_that_names_its_decision_is_to_what_that_offered(
    home: Path, tmp_path: Path, churn: Churn
) -> None:
    """A decision of this release is logged, its contact reported, and refused without a word of
    the offer. Another contact is of yesterday."""
    publish_predictions(home, tmp_path / "predictions")
    answer = json.loads(churn("predict", "--sample").stdout)
    log = SqliteFeedbackLog(home / "feedback.sqlite3")
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}T12:00:00Z"
    mine = answer["metadata"]["decision_id"]
    reported = [
        ("sent", "2026-01-01T12:00:00Z", mine),
        ("refused", "2026-01-02T12:00:00Z", mine),
        ("sent", yesterday, "another"),
    ]
    for number, (kind, when, decision) in enumerate(reported):
        event = FeedbackEvent.model_validate(
            {
                "event_id": f"d{number}",
                "customer_id": "T00005",
                "kind": kind,
                "occurred_at": when,
                "decision_id": decision,
            }
        )
        log.record(event.event_id, event.model_dump_json())
    log.close()
    done = churn("feedback", str(tmp_path / "log.csv"))
    assert done.returncode == 0, done.stderr
    assert "1 contact of the last 30 days left out" in done.stderr
    table = read_any_table(tmp_path / "log.csv", list(COLUMNS))
    rows = read_cells(table, COLUMNS, "log.csv").to_dict("records")  # another test's, too
    [row] = [row for row in rows if not row["accepted"]]
    assert row["offer_level"] == answer["decision"]["offer_level"]


def test_rollback_and_promote_move_what_serves(churn: Churn) -> None:
    """One command back to the last good release, one forward again."""
    newer = json.loads(churn("report", "--json").stdout)["release_id"]
    [_, then] = churn("rollback").stdout.splitlines()
    assert "`churn materialize --job score_customers`, then plan again" in then
    older = json.loads(churn("report", "--json").stdout)["release_id"]
    assert older != newer
    listing = churn("releases").stdout
    assert older in listing
    assert newer in listing
    assert churn("promote", newer).returncode == 0
    assert json.loads(churn("report", "--json").stdout)["release_id"] == newer


@pytest.mark.parametrize("columns", ["80", "30"])
def test_an_id_of_the_list_is_one_that_promote_knows(churn: Churn, columns: str) -> None:
    """Why: on 80 columns, and in a pipe, the list cut the ids that promote asks for whole. How one
    begins will do, where only one begins so."""
    newer = json.loads(churn("report", "--json").stdout)["release_id"]
    assert newer in churn("releases", COLUMNS=columns).stdout
    assert churn("promote", newer[:14]).returncode == 0
    of_both = churn("promote", newer[:4])
    assert of_both.returncode == 1
    assert f"no release '{newer[:4]}'" in of_both.stderr


def test_without_a_release_it_says_what_to_do(churn: Churn, tmp_path: Path) -> None:
    """The first command a newcomer types in the wrong order must point the way."""
    for command in (
        ("report",),
        ("predict", "--sample"),
        ("rollback",),
        ("feedback", "x"),
        ("arena", "ppo", "never"),
    ):
        done = churn(*command, home=tmp_path)
        assert done.returncode == 1
        assert "churn materialize" in done.stderr or "no release" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_damaged_release_is_one_line(churn: Churn, home: Path, tmp_path: Path) -> None:
    """The store's own words say what to do; a traceback would bury them."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    for golden in copy.rglob("golden.json"):
        golden.write_text("{}")
    for command in (("report",), ("predict", "--sample"), ("rollback",)):
        done = churn(*command, home=copy)
        assert done.returncode == 1
        assert "is damaged" in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


def test_the_good_release_answers_for_a_damaged_one(
    churn: Churn, home: Path, tmp_path: Path
) -> None:
    """report and predict show what a server would serve and say why; rollback makes it official."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    older, newer = ReleaseRegistry(LocalArtifactStore(copy / "store")).records()
    churn("promote", newer.release_id, home=copy)
    (copy / "store" / newer.artifact.path / "golden.json").write_text("{}")
    for command in (("report", "--json"), ("predict", "--sample")):
        done = churn(*command, home=copy)
        assert done.returncode == 0, done.stderr
        assert older.release_id in done.stdout
        assert "is damaged" in done.stderr
        assert f"{older.release_id} stands in" in done.stderr
    assert f"{older.release_id} serves" in churn("rollback", home=copy).stdout
    assert churn("report", "--json", home=copy).stderr == ""


def test_every_kept_release_can_be_verified(churn: Churn, home: Path, tmp_path: Path) -> None:
    """Why: else the one to go back to is found damaged when it is needed."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    older, newer = ReleaseRegistry(LocalArtifactStore(copy / "store")).records()
    whole = churn("releases", "--verify", home=copy)
    assert whole.returncode == 0, whole.stderr
    for record in (older, newer):
        assert f"{record.release_id}: every file is sound" in whole.stdout
    (copy / "store" / older.artifact.path / "golden.json").write_text("{}")
    done = churn("releases", "--verify", home=copy)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"{older.artifact.path} is damaged" in line
    assert f"{older.release_id}: every" not in done.stdout
    assert f"{newer.release_id}: every file is sound" in done.stdout
    assert churn("releases", home=copy).returncode == 0


def test_a_damaged_history_is_one_line(churn: Churn, home: Path, tmp_path: Path) -> None:
    """Whichever command meets it."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    (copy / "store/pointers" / HISTORY).write_bytes(b"[{")
    for command in (("releases",), ("rollback",), ("promote", "20260101-000000000000")):
        done = churn(*command, home=copy)
        assert done.returncode == 1
        assert "history.json is damaged" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unreadable_switch_counts_as_on(churn: Churn, home: Path, tmp_path: Path) -> None:
    """Here too; the command that looks at the switch says that it can't."""
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    (copy / "store/pointers/switches/force_baseline").unlink(missing_ok=True)
    (copy / "store/pointers/switches/force_baseline").mkdir(parents=True)
    done = churn("predict", "--sample", home=copy)
    assert json.loads(done.stdout)["metadata"]["baseline"] is True
    assert "counts as on" in done.stderr
    status = churn("baseline", home=copy)
    assert status.returncode == 1
    assert "can't be read" in status.stderr
    assert "Traceback" not in status.stderr


def test_unknown_names_list_the_known_ones(churn: Churn) -> None:
    """A typing error should cost one look, not a search."""
    assert "predictors" in churn("materialize", "--job", "nothing").stderr
    assert "ibm_telco" in churn("data", "pull", "nothing").stderr


def test_upload_needs_a_bucket(churn: Churn) -> None:
    """Without a target nothing is copied anywhere."""
    done = churn("data", "upload")
    assert done.returncode == 2
    assert "CHURN_STORE" in done.stderr


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with what the arena needs: customers, a learned policy and two baselines."""
    home, made = tmp_path_factory.mktemp("arena"), tmp_path_factory.mktemp("made")
    save_rule(PricedGreedy(price=1.0), made / "decision_policy" / "policy")
    for rule in (PricedGreedy(price=1.5), NeverContact()):
        save_rule(rule, made / "baseline_policies" / "moderate" / rule.name)
    (made / "retention_environment").mkdir()
    synthetic_customers(60, 0).save(made / "retention_environment" / "test.safetensors")
    store = LocalArtifactStore(home / "store")
    for folder in made.iterdir():
        artifact = store.put(folder.name, folder)
        store.write_pointer(asset_pointer(folder.name), artifact.model_dump_json().encode())
    return home


def test_the_arena_compares_two_policies(churn: Churn, policies: Path) -> None:
    """The figures are the ones that other programs read with --json."""
    done = churn("arena", "ppo", "never", "--episodes", "400", "--json", home=policies)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["episodes"] == 400
    assert found["b"]["contacts_per_1000"]["value"] == 0
    assert found["difference"].keys() == found["a"].keys() - {"name"}
    shown = churn("arena", "ppo", "never", "--episodes", "400", home=policies)
    assert shown.returncode == 0, shown.stderr
    assert "net revenue per customer" in shown.stdout
    assert f"{found['a']['contacts_per_1000']['value']:.4g}" in shown.stdout


def test_the_arena_is_the_world_that_is_served(churn: Churn, policies: Path) -> None:
    """A company's own offers cost what they cost, what outcomes have measured counts, and everybody
    begins with a clean sheet, as in the period that the budget is for."""
    store = LocalArtifactStore(policies / "store")
    pointer = asset_pointer("retention_environment")
    before = store.read_pointer(pointer)
    assert before is not None
    folder = policies / "own"
    folder.mkdir()
    customers = synthetic_customers(60, 0)
    customers.save(folder / "test.safetensors")
    save_offers(Offers(percent=(0, 10, 20, 30)), folder)
    own = store.put("retention_environment", folder)
    store.write_pointer(pointer, own.model_dump_json().encode())
    try:
        done = churn("arena", "ppo", "never", "--episodes", "400", "--json", home=policies)
    finally:
        store.write_pointer(pointer, before)
    world = served_world(folder, DecisionConfig().environment).clean
    assert world.discounts == (0.0, 0.1, 0.2, 0.3)
    expected = compare(PricedGreedy(price=1.0), NeverContact(), customers, world, 400)
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))


def test_the_arena_names_what_it_lacks(churn: Churn, policies: Path) -> None:
    """A policy's misspelt name, or a preset that no baseline was tuned for, costs one look."""
    unknown = churn("arena", "ppo", "greedy", home=policies)
    assert unknown.returncode == 2
    assert "ppo, never, priced_greedy" in " ".join(unknown.stderr.split())
    other = churn("arena", "ppo", "never", home=policies, CHURN_DECISION__PRESET="harsh")
    assert other.returncode == 2
    assert "'harsh'" in other.stderr
    assert "Traceback" not in other.stderr
