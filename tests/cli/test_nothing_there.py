"""Commands on a store that isn't there: mistyped, or on a disk that isn't mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Churn


@pytest.mark.parametrize("switch", ["on", "off", "status"])
def test_a_switch_is_thrown_only_where_somebody_follows_it(
    churn: Churn, switch: str, tmp_path: Path
) -> None:
    """Why: it made the folders and said "the baseline is on"; every server went on as before."""
    place = tmp_path / "not-mounted/store"
    done = churn("baseline", switch, CHURN_STORE=str(place))
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


def test_a_mistyped_folder_of_a_bucket_switches_nothing(churn: Churn, emulator: str) -> None:
    done = churn("baseline", "on", CHURN_STORE="gs://churn-artifacts/mistyped")
    assert done.returncode == 1
    assert done.stderr.startswith("nothing of churn is at gs://churn-artifacts/mistyped: ")
