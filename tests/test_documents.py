"""What the documents name is there: links, commands, files of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from churn_assets import automation
from churn_assets.cli import app
from churn_assets.customers.built_in import BUILT_IN_CONTRACT
from churn_assets.decision.evaluation.gates import NEAR_THE_BEST
from churn_assets.settings import PROJECT

PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])


def name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """A moved page must not leave a dead end for whoever is in a hurry."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    """An operator types what the page says."""
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)churn ([a-z][a-z-]*)", text, re.M))
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_of_the_code_exist(page: Path) -> None:
    """A path in a page is where a reader goes next."""
    tops = ("churn_assets", "checks", "api", "modal_jobs", "benchmarks", "tests", "docs")
    text = page.read_text(encoding="utf-8")
    paths = re.findall(rf"`((?:{'|'.join(tops)})/[\w./-]*)", text)
    paths += [f"churn_assets/{p}" for p in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)", text)]
    missing = [
        path
        for path in paths
        if not (PROJECT / path).exists()
        and not (PROJECT / path.removeprefix("churn_assets/")).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_names_in_files_of_the_code_exist(page: Path) -> None:
    """`file.py:name` promises that the name is there."""
    named = re.findall(r"`(?:churn_assets/)?([\w/]+\.py):(\w+)`", page.read_text(encoding="utf-8"))
    for path, what in named:
        file = next(f for f in (PROJECT / "churn_assets" / path, PROJECT / path) if f.exists())
        assert re.search(rf"\b(?:def|class) {what}\b", file.read_text(encoding="utf-8")), what


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_can_be_pasted_is_one_command(page: Path) -> None:
    """`on | off` of a synopsis, pasted, is a pipe that switches something on."""
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert [line for block in blocks for line in block.splitlines() if " | " in line] == []


def test_what_starts_by_itself_and_by_name_is_told() -> None:
    """Nobody switches on, or starts, what no page names."""
    page = (PROJECT / "modal_jobs/deploy/README.md").read_text(encoding="utf-8")
    names = [one.name for one in (*automation.schedules("UTC"), *automation.sensors)]
    assert [name for name in names if f"| `{name}` |" not in page] == []
    asked = CliRunner().invoke(app, ["materialize", "--help"], env={"COLUMNS": "300"})
    assert [job.name for job in automation.jobs if job.name not in asked.output] == []


def test_training_again_is_with_another_seed() -> None:
    """By the same inputs, settings and code nothing is trained: what was made is found."""
    page = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
    _, _, part = page.partition("## A component is on a fall-back")
    asked = part.partition("\n## ")[0]
    for variable in ("DECISION__SEEDS", "MESSAGES__SFT__SEED", "MESSAGES__PPO__SEED"):
        assert f"CHURN_{variable}=" in asked


def test_model_cards_say_what_is_so() -> None:
    """A card is what somebody reads who answers for the model."""
    cards = PROJECT / "docs/model-cards"
    risk, policy = ((cards / f"{of}.md").read_text(encoding="utf-8") for of in ("risk", "policy"))
    left_out = BUILT_IN_CONTRACT.left_out
    assert left_out
    for column in left_out:
        assert f"{column} is left out" in risk
    assert NEAR_THE_BEST == 0.005
    assert "half a point less than the best rule" in policy.replace("\n", " ")
