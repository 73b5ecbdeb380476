"""The benchmark's page is written by hand around generated tables."""

from pathlib import Path

import pytest

from benchmarks.decision.tables import interval, replace_section, side_by_side_table


def test_only_the_marked_section_is_replaced(tmp_path: Path) -> None:
    """Why: a new run must not wipe out what a person wrote about the last one."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- /tables -->\nafter\n")
    for text in ("new", "newer"):
        replace_section(page, "tables", text)
        assert page.read_text() == (
            f"before\n<!-- tables -->\n\n{text}\n\n<!-- /tables -->\nafter\n"
        )
    with pytest.raises(ValueError, match="library"):
        replace_section(page, "library", "text")


def test_intervals_are_per_cent() -> None:
    """Why: a share shown as a percentage twice would be noticed late."""
    assert interval({"value": 0.5, "lower": 0.25, "upper": 0.75}) == "**50.0** [25.0, 75.0]"


def test_network_and_planner_stand_side_by_side() -> None:
    """Why: what the network is for is the time of a decision; the reader must see its price too."""
    cost = {"captured_uplift": 0.9975, "to_make": 59.0, "another_budget": 2.04, "whole_base": 0.1}
    text = side_by_side_table({"ppo": cost}, {"ppo": {"median": 38.2, "p99": 90.6}})
    head, _, row = text.splitlines()
    assert head.count("|") == row.count("|")
    assert row == "| ppo | 99.75 | 38 | 91 | 0.1 | 2.0 | 59.0 |"
