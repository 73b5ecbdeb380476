"""`churn outcomes report` says what the comparison rests on, and what it doesn't."""

from __future__ import annotations

import json
from pathlib import Path

from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api import reports
from tests.outcomes.test_command import run

LEAVING = "Leaving has been reported up to 2027-01-31; outcomes that ended later aren't known yet."


def test_the_report_names_its_days_and_sources(own_home: Path) -> None:
    basis = {
        "from": "2027-01-04",
        "sources": {"campaign": 3_900, "api": 100},
        "looks": 4_000,
        "other_share": 12,
        "without_draw": 80,
        "control_decided": 8,
    }
    told = {"value": 9.5, "sentence": "Decisions foretold 9.50 a customer, less than it brought."}
    more = {"leaving": LEAVING, "basis": basis, "contaminated": 5, "foretold": told}
    reports.publish(own_home, "lift_report", reports.lift_of(-0.12) | more)
    reports.publish(own_home, "campaign_outcomes", {"events": 0, "left_out": {}})
    code, said = run("outcomes", "report")
    assert code == 0
    lines = said.splitlines()
    assert LEAVING in lines
    assert lines[1] == told["sentence"]
    [days] = [line for line in lines if line.startswith("Decisions count from 2027-01-04 on; ")]
    assert days.endswith("customers' first ones are: 3,900 of plans, 100 of the API")
    assert [line.split(",")[0].split(" ")[0] for line in lines[-4:]] == ["4", "12", "80", "5"]
    assert "they were looks" in said
    assert "8 of them to contact customers of the control group" in said


def test_an_earlier_version_s_report_is_told(own_home: Path) -> None:
    """It says nothing of all that."""
    reports.publish(own_home, "lift_report", reports.lift_of(-0.12))
    reports.publish(own_home, "campaign_outcomes", {"events": 0, "left_out": {}})
    code, said = run("outcomes", "report")
    assert code == 0
    assert "Decisions count from" not in said


def test_what_was_reported_after_it_was_made_is_told(own_home: Path) -> None:
    """Right after 915 leavings had been imported it said that nobody had left."""
    reports.publish(own_home, "lift_report", reports.lift_of(-0.12))
    reports.publish(own_home, "campaign_outcomes", {"events": 1, "left_out": {}})
    file = own_home / "left.csv"
    rows = [f"C{i},2026-01-05" for i in range(3)]
    file.write_text("\n".join(["customer_id,occurred_at", *rows]) + "\n")
    assert run("outcomes", "import", str(file), "--kind", "churned")[0] == 0
    code, said = run("outcomes", "report")
    assert code == 0
    assert said.splitlines()[0] == (
        "2 events were reported since this was made: `churn materialize --job measure_outcomes` "
        "takes them in"
    )


def test_a_table_of_before_it_was_counted_is_no_error(own_home: Path) -> None:
    """An earlier version left no report beside its table of outcomes: what was read into that one
    nobody knows, and the report on contacting is shown all the same."""
    reports.publish(own_home, "lift_report", reports.lift_of(-0.12))
    store, folder = LocalArtifactStore(own_home / "store"), own_home / "table"
    folder.mkdir()
    (folder / "outcomes.parquet").write_bytes(b"a table")
    artifact = store.put("campaign_outcomes", folder)
    pointer = json.dumps(artifact.model_dump()).encode()
    store.write_pointer(asset_pointer("campaign_outcomes"), pointer)
    code, said = run("outcomes", "report")
    assert code == 0
    assert "were reported since" not in said
