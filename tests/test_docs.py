"""Generated pages say what the code does; one written by hand is wrong after the next change."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from churn_assets.environment import variables_of
from churn_assets.release.gate import COMPONENT_GATES
from churn_assets.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
BUILD = runpy.run_path(str(DOCS / "build.py"))
PAGES: dict[str, str] = BUILD["pages"]()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_codes(name: str) -> None:
    """`python docs/build.py` renews all of them."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]


def test_every_setting_has_its_row() -> None:
    """Sections of sections too; each once."""
    rows = [line.split("`")[1] for line in PAGES["settings.md"].splitlines() if "| `CHURN_" in line]
    assert len(rows) == len(set(rows))
    known = variables_of(Settings)
    assert set(rows) == {v for v in known if not any(k.startswith(f"{v}__") for k in known)}


def test_every_room_has_its_row() -> None:
    """Outcomes and campaign, 65 files together, once had none."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = sorted((DOCS.parent / "churn_assets").glob("*/__init__.py"))
    assert len(rooms) > 10
    assert [room for room in rooms if f"| `churn_assets/{room.parent.name}/` |" not in page] == []


def test_every_gate_of_a_component_is_on_the_page() -> None:
    """Who reads that a policy was replaced looks the gate up."""
    for gate in set().union(*COMPONENT_GATES.values()):
        asset, _, check = gate.partition(": ")
        assert f"| {asset} | `{check}` |" in PAGES["gates.md"]


def test_the_picture_has_no_arrow_that_runs_back_up() -> None:
    """A circle between rooms would show as one."""
    arrows = [
        line.split(" --> ") for line in BUILD["rooms_picture"]().splitlines() if "-->" in line
    ]
    below: dict[str, set[str]] = {}
    for upper, lower in arrows:
        below.setdefault(upper.strip().partition("[")[0], set()).add(lower.partition("[")[0])
    while leaves := {room for rooms in below.values() for room in rooms if room not in below}:
        below = {upper: rooms - leaves for upper, rooms in below.items()}
        below = {upper: rooms for upper, rooms in below.items() if rooms}
    assert below == {}


def test_papers_are_where_the_page_says() -> None:
    """Whoever looks for a method's code finds it by file and name."""
    page = (DOCS / "papers.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_/]+\.py)(?::(\w+))?`", page)
    assert len(named) > 60
    root, missing = DOCS.parent, []
    for path, name in named:
        file = root / path if path.startswith("benchmarks/") else root / "churn_assets" / path
        wanted = rf"^\s*(def|class) {name}\b|^{name} ?[:=]" if name else ""
        if not file.exists() or not re.search(wanted, file.read_text("utf-8"), re.MULTILINE):
            missing.append((path, name))
    assert missing == []
