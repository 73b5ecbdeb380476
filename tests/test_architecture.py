"""What the folder names promise: size, light imports, loadable definitions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scheduling import GRAPH, LONGEST, WITH_GRAPH, rank, unit

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("churn_assets", "modal_jobs", "api", "checks", "tests", "benchmarks")
TRAINING = ("torch", "transformers", "trl", "peft", "sklearn", "xgboost", "matplotlib", "datasets")
HEAVY = (*TRAINING, "dagster")
COMMANDS = (*HEAVY, "numpy", "pandas", "pyarrow", "sqlalchemy", "httpx")


def test_no_file_outgrows_its_room() -> None:
    """A file over 400 lines is two files."""
    sizes = {
        str(path.relative_to(PROJECT)): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*.py")
    }
    assert {name: size for name, size in sizes.items() if size > 400} == {}


@pytest.mark.parametrize(
    ("module", "left_out"),
    [
        ("api.main", (*HEAVY, "pandas", "pyarrow", "sqlalchemy")),
        ("churn_assets.settings", HEAVY),
        ("churn_assets.definitions", TRAINING),
        ("churn_assets.cli", COMMANDS),
    ],
)
def test_importing_it_stays_light(module: str, left_out: tuple[str, ...]) -> None:
    """A cold start pays for every import: none of the training libraries may come along, and a
    small command waits for no library at all that only others need."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(left_out)


def test_importing_the_service_opens_nothing(tmp_path: Path) -> None:
    """A deployment, a test or an editor imports it without a store, a key or a right setting."""
    done = subprocess.run(
        [sys.executable, "-c", "import api.main"],
        cwd=PROJECT,
        env={"CHURN_HOME": str(tmp_path / "home"), "CHURN_STORE": "s3://nowhere", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "home").exists()


def test_dagster_accepts_the_definitions() -> None:
    """`workspace.yaml` must load in a process that knows nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_longest_tests_are_where_the_order_says() -> None:
    """Renamed, they would be begun last, and a core would wait for them."""
    assert [name for name in LONGEST if not (PROJECT / name).exists()] == []
    assert unit("tests/messages/test_bank.py::test_a[b::c]") == "tests/messages/"
    assert unit("tests/api/test_live.py::test_a") == "tests/api/test_live.py"
    place, _ = rank(f"{LONGEST[4]}::test_a")
    assert place == 4 < rank("tests/api/test_live.py::test_a")[0]
    # A single test would be joined by a unit that waits for it.
    behind = f"{WITH_GRAPH}test_statistics.py::test_a"
    assert unit(behind) == unit(f"{GRAPH}::test_a")
    assert rank(f"{GRAPH}::test_a") < rank(behind) < rank("tests/messages/test_bank.py::test_a")
    assert (PROJECT / WITH_GRAPH).is_dir()
