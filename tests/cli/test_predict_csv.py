"""The CSV of `churn predict`: what an outcome is reported and judged by is in it, as in JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from churn_assets.cli.answers import COLUMNS, Answers, Format
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.cli.conftest import Churn


def test_an_outcome_can_name_the_decision_of_a_csv(churn: Churn, tmp_path: Path) -> None:
    """Why: `decision_id`, `group` and `action_probability` were in JSON alone."""
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps([SAMPLE_REQUEST]), encoding="utf-8")
    running = {"CHURN_EXPERIMENT__ENABLED": "true"}
    done = churn("predict", str(asked), "--format", "csv", **running)
    (row,) = csv.DictReader(done.stdout.splitlines())
    (whole,) = json.loads(churn("predict", str(asked), "--format", "json", **running).stdout)
    told = whole["metadata"]
    assert row["group"] == told["group"]
    assert float(row["action_probability"]) == told["action_probability"]
    assert len(row["decision_id"]) == len(told["decision_id"]) == 32
    assert row["decision_id"] != told["decision_id"]  # each answer is another decision


def test_what_is_not_told_is_empty() -> None:
    """Where nothing is recorded and no experiment runs; columns that were there stay in place."""
    untold = {"decision_id", "group", "excluded"}
    metadata = {name: None for name in COLUMNS if name not in untold} | {"warnings": []}
    answer = {"row": 1, "customer_id": "C1", "message": None, "decision": {}, "metadata": metadata}
    written: list[str] = []
    Answers(Format.CSV, written.append).add([answer])
    (row,) = csv.DictReader("".join(written).splitlines())
    assert (row["decision_id"], row["group"]) == ("", "")
    assert list(row)[-4:] == ["excluded", "decision_id", "group", "action_probability"]
