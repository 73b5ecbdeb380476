"""What the documents name is there: links, commands, files of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from churn_assets.cli import app
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
