"""`churn outcomes` and `churn experiment` as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.serving.decision_log import parts
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from tests.outcomes.test_joining import decision
from tests.serving.test_decision_log import COLUMNS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    load_settings.cache_clear()
    yield tmp_path
    load_settings.cache_clear()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_experiment_is_switched_and_says_by_whom(home: Path) -> None:
    assert "is off (the settings)" in run("experiment")[1]
    assert "is on (" in run("experiment", "on")[1]
    assert "10.0% of the customers" in run("experiment", "status")[1]
    code, said = run("experiment", "off")
    assert code == 0
    assert f"is off ({home / 'store'}/pointers/switches/experiment)" in said


def test_one_customers_records_are_erased(home: Path) -> None:
    """From the decisions and from the events; nobody else's, and no byte is left in the files."""
    store = LocalArtifactStore(home / "store")
    rows = [
        decision(1, "CUSTOMER-AAAA"),
        decision(2, "CUSTOMER-BBBB"),
        decision(3, "CUSTOMER-AAAA"),
    ]
    parts.append(store, [tuple(row.get(name) for name in COLUMNS) for row in rows])
    with closing(open_feedback_log(store, home)) as log:
        for identity in ("CUSTOMER-AAAA", "CUSTOMER-BBBB"):
            log.record(f"e-{identity[-4:].lower()}", json.dumps({"customer_id": identity}))
    code, said = run("outcomes", "erase", "CUSTOMER-AAAA")
    assert code == 0
    assert "2 decisions and 1 events" in said
    assert parts.read(store)["customer_id"].to_pylist() == ["CUSTOMER-BBBB"]
    left = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"CUSTOMER-AAAA" not in left
    assert b"CUSTOMER-BBBB" in left


def test_refused_rows_are_named_and_the_others_kept(home: Path) -> None:
    file = home / "events.csv"
    file.write_text(
        "id,customer_id,kind,occurred_at\n"
        "e1,C1,delivered,2026-01-05T10:00:00+00:00\n"
        "e2,C2,delivered,9999-01-05T10:00:00+00:00\n"
    )
    code, said = run("outcomes", "import", str(file), "--column", "event_id=id")
    assert code == 1
    assert "1 events added" in said
    assert "row 2: occurred_at:" in said


def test_a_file_without_the_column_says_so(home: Path) -> None:
    file = home / "events.csv"
    file.write_text("id\ne1\n")
    code, said = run("outcomes", "import", str(file), "--column", "event_id=key")
    assert code == 1
    assert f"{file} has no column key" in said.replace("\n", "")
