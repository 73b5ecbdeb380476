"""Commands on a store that isn't there: mistyped, or on a disk that isn't mounted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.campaign.contacts.ledger import Ledger
from tests.cli.conftest import Churn


@pytest.mark.parametrize("command", ["baseline", "experiment"])
@pytest.mark.parametrize("switch", ["on", "off", "status"])
def test_a_switch_is_thrown_only_where_somebody_follows_it(
    churn: Churn, command: str, switch: str, tmp_path: Path
) -> None:
    """Why: it made the folders and said "the baseline is on"; every server went on as before. And
    where the experiment had made them, the baseline's own guard found a store."""
    place = tmp_path / "not-mounted/store"
    done = churn(command, switch, CHURN_STORE=str(place))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"nothing of churn is at {place}: is CHURN_STORE right, is the ")
    assert done.stderr.count("\n") == 1
    assert not place.parent.exists()


def test_the_list_of_releases_says_that_nothing_is_there(
    churn: Churn, home: Path, tmp_path: Path
) -> None:
    """A first installation looks the same, so it is no failure."""
    done = churn("releases", CHURN_STORE=str(tmp_path / "store"))
    assert done.returncode == 0
    assert done.stderr.startswith(f"nothing of churn is at {tmp_path / 'store'}: ")
    assert churn("releases", home=home).stderr == ""


@pytest.mark.parametrize("command", ["releases", "report", "baseline on", "baseline status"])
def test_a_bucket_that_is_none_is_said_in_a_line(churn: Churn, command: str, emulator: str) -> None:
    """Why: it looked like an empty installation, whose switch is off."""
    done = churn(*command.split(), CHURN_STORE="gs://no-such-bucket/x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("gs://no-such-bucket/x: no such bucket: ")
    assert done.stderr.count("\n") == 1


def test_a_mistyped_folder_of_a_bucket_switches_nothing(
    churn: Churn, emulator: str, tmp_path: Path
) -> None:
    """Nor does it take events, which no server, no report and no erasure would find there."""
    events = tmp_path / "events.csv"
    events.write_text("event_id,customer_id,kind,occurred_at\ne1,A1,opted_out,2026-01-05\n")
    told = {"CHURN_STORE": "gs://churn-artifacts/mistyped", "home": tmp_path}
    for command in ("experiment on", f"outcomes import {events}", "baseline on"):
        done = churn(*command.split(), **told)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("nothing of churn is at gs://churn-artifacts/mistyped: ")


def test_nothing_is_erased_from_a_store_that_is_not_there(churn: Churn, tmp_path: Path) -> None:
    """Why: it said "0 decisions are erased", of a mistyped folder that it made. What is not in the
    store is erased nonetheless."""
    file, home = tmp_path / "contacts.csv", tmp_path / "home"
    file.write_text("customer_id,occurred_at\nA1,2026-01-05\nB2,2026-01-05\n")
    assert churn("campaign", "import", str(file), home=home).returncode == 0
    place = tmp_path / "not-mounted/store"
    done = churn("outcomes", "erase", "A1", home=home, CHURN_STORE=str(place))
    assert done.returncode == 1
    assert done.stdout.endswith("of them; not all decisions are\n")
    assert done.stderr.startswith(f"nothing of churn is at {place}: ")
    assert not place.parent.exists()
    with closing(Ledger.open("", home)) as ledger:
        assert set(ledger.histories()) == {"B2"}


def test_an_upload_of_nothing_is_none(churn: Churn, emulator: str, tmp_path: Path) -> None:
    """Why: of a mistyped home it said "0 artifacts are now in gs://…", and the move looked done."""
    home = tmp_path / "not-mounted"
    done = churn("data", "upload", home=home, CHURN_STORE="gs://churn-artifacts/new")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"nothing of churn is at {home / 'store'}, so there is nothing ")
    assert done.stderr.count("\n") == 1
    assert not (home / "store").exists()
