"""What is said of ids in files that no customer has: what is told of them reaches nobody."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.release.small_release import publish


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def put_ids(home: Path, asset: str, *ids: str) -> None:
    """A current artifact whose customers have these ids."""
    store, folder = LocalArtifactStore(home / "store"), home / f"made-{asset}"
    folder.mkdir()
    pq.write_table(pa.table({"customer_id": list(ids)}), folder / f"{asset}.parquet")
    stored = store.put(asset, folder)
    store.write_pointer(asset_pointer(asset), stored.model_dump_json().encode())


@pytest.mark.parametrize("command", ["outcomes", "campaign"])
def test_a_refused_row_silences_no_warning(own_home: Path, command: str) -> None:
    """A line of totals made the import say nothing of an opt-out under an id without its zeros."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    put_ids(own_home, "predictions", "00000017", "00000020", "00000021")
    file, kind = own_home / "events.csv", "unsubscribed" if command == "outcomes" else "opted_out"
    file.write_text(
        "event_id;customer_id;kind;occurred_at;channel\n"
        f"e1;17;{kind};2026-01-05T10:00:00Z;Telefoon\n"
        f"e2;00000020;{kind};2026-01-05T10:00:00Z;email\n"
        f"e3;00000021;{kind};2026-01-05T10:00:00Z;email\n"
        "Totaal;;;;\n"
    )
    code, said = run(command, "import", str(file))
    assert code == 1
    assert "1 of 3 ids are of no customer in the latest predictions or the history, as '17'" in said
    assert "1 rows are of channels that campaigns don't have, as 'Telefoon'" in said
    assert f"1 rows of {file} are refused" in said


def test_a_history_that_cannot_be_read_fails_no_import(own_home: Path) -> None:
    """Why: the events were stored, and the command said that it had failed."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    put_ids(own_home, "predictions", "00000020")
    store = LocalArtifactStore(own_home / "store")
    lost = Artifact(name="customer_history", sha256="0" * 64)
    store.write_pointer(asset_pointer("customer_history"), lost.model_dump_json().encode())
    file = own_home / "events.csv"
    file.write_text(
        "event_id,customer_id,kind,occurred_at\ne1,17,unsubscribed,2026-01-05T10:00:00Z\n"
    )
    code, said = run("outcomes", "import", str(file))
    assert "1 events added" in said
    (line,) = [line for line in said.splitlines() if "looked up" in line]
    assert line.startswith("whether the ids are of customers couldn't be looked up: ")
    assert "customer_history" in line
    assert code == 0
