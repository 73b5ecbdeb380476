"""The nightly table is decided on like a request: with the answers of the running period."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.decision.policy import price_of
from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.predictors.scoring.forest import LARGE
from churn_assets.release.config import ScoringConfig
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.bulk import scoring
from churn_assets.serving.bulk.scoring import run
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import PredictRequest
from tests.release.small_release import made_up_rows

ANSWERED = {
    "contacts_this_period": 3,
    "days_since_contact": 2,
    "acceptances_this_period": 2,
    "refusals_this_period": 1,
    "acceptances_in_cooldown": 1,
}


def scored(bundle: Path, work: Path, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The predictions for a table with these rows."""
    table, out = work / "customers", work / "out"
    table.mkdir()
    out.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), table / "all.parquet")
    run({"release": bundle, "active_customers": table}, out, ScoringConfig(batch_rows=7))
    found: list[dict[str, object]] = pq.read_table(out / "predictions.parquet").to_pylist()
    return found


def test_answers_in_the_table_move_the_risk(
    bundle: Path, engine: RetentionEngine, tmp_path: Path
) -> None:
    """Why: a customer who accepted this morning must not be on tonight's list as if they hadn't."""
    plain = made_up_rows(20, seed=5)
    rows = [row | (ANSWERED if i % 2 else {}) for i, row in enumerate(plain)]
    rows[0] |= dict.fromkeys(ANSWERED)  # so that every column is in the table
    for row, found in zip(rows, scored(bundle, tmp_path, rows), strict=True):
        request = PredictRequest.model_validate({"name": "Sam", **row})
        answer = engine.predict(request, exact=True)
        metadata = answer["metadata"]
        assert found["churn_risk"] == pytest.approx(metadata["churn_risk"], abs=1e-12)
        assert found["expected_value"] == pytest.approx(metadata["expected_value"], abs=1e-9)
        assert found["contact"] == answer["decision"]["contact"]
        fresh = engine.assessor.risk.predict([row])[0]
        accepted = bool(row.get("acceptances_this_period"))
        assert found["churn_risk"] == fresh if not accepted else found["churn_risk"] < fresh / 2


def test_a_table_with_more_answers_than_contacts_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Why: a ledger that contradicts itself must not decide about customers overnight."""
    rows = [row | ANSWERED for row in made_up_rows(3, seed=5)]
    rows[1]["acceptances_this_period"] = 3
    with pytest.raises(ValueError, match="refusals_this_period"):
        scored(bundle, tmp_path, rows)


def test_neither_batches_nor_cores_make_a_difference(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: small batches are scored by numpy and large ones by XGBoost, one beside the other; a
    customer's row must not tell which, and whoever compares two nights compares files."""
    table = tmp_path / "customers"
    table.mkdir()
    rows = [
        row | (ANSWERED if i % 3 else {"budget_remaining": 0.5, "previous_outcome": "success"})
        for i, row in enumerate(made_up_rows(3 * LARGE, seed=6))
    ]
    pq.write_table(
        pa.Table.from_pylist([dict.fromkeys(ANSWERED) | row for row in rows]), table / "a.parquet"
    )
    inputs = {"release": bundle, "active_customers": table}
    found = []
    for cores, batch_rows in ((1, 101), (3, 101), (2, LARGE), (2, 10_000)):
        monkeypatch.setattr(scoring, "usable_cores", lambda cores=cores: cores)
        out = tmp_path / f"{cores}-{batch_rows}"
        out.mkdir()
        run(inputs, out, ScoringConfig(batch_rows=batch_rows))
        found.append(out / "predictions.parquet")
    written = pq.read_table(found[0])
    assert written["customer_id"].to_pylist() == [row["customer_id"] for row in rows]
    assert {file.read_bytes() for file in found} == {found[0].read_bytes()}


def test_one_bad_batch_fails_the_whole(bundle: Path, tmp_path: Path) -> None:
    """Why: batches are decided beside each other, and the table must not lose one in silence."""
    rows = made_up_rows(60, seed=5)
    rows[40]["contract"] = "Weekly"
    with pytest.raises(ValueError, match=r"contract: 'Weekly' is not one of .* \(row 5\)"):
        scored(bundle, tmp_path, rows)


def test_another_price_changes_nothing_but_the_price(engine: RetentionEngine) -> None:
    """Why: a company's own horizon and offers must not fall back to the built-in ones when its
    budget's price follows its spend."""
    of = engine.assessor
    company = Assessor(
        of.risk, of.accept, PricedGreedy(), of.baseline, of.params, 90.0, (0, 8, 9, 20)
    )
    dearer = company.priced(3.0)
    assert price_of(dearer.policy) == 3.0 != price_of(company.policy)
    assert (dearer.horizon_days, dearer.percent) == (90.0, (0, 8, 9, 20))
    assert dearer.reasons == company.reasons
