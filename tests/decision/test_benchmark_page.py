"""The benchmark's page is written by hand around generated tables."""

from pathlib import Path

import pytest

from benchmarks.decision_tables import interval, replace_section


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
