"""Names of fields in errors, as a reader can use them and no log is harmed by them."""

from __future__ import annotations

import json

import pytest

from churn_assets.serving.problems import LONGEST_KEY, problem


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("månedspris", "månedspris"),  # was m\xe5nedspris
        ("Größe, été, ключ", "Größe, été, ключ"),
        ("a\nb\x07", r"a\nb\x07"),
        ("a\u202eb\u200b", r"a\u202eb\u200b"),  # turns the line around; a blank that isn't seen
        ("\ud800", r"\ud800"),  # half a character can't be sent
        ("å" * 200, "å" * LONGEST_KEY),
        ("\x07" * 200, (r"\x07" * 100)[:LONGEST_KEY]),
    ],
)
def test_a_field_is_named_as_its_reader_wrote_it(key: str, shown: str) -> None:
    """Printable characters of any language stay; others are escaped."""
    said = problem("missing", ["body", key, 3], "Field required")
    assert said["loc"] == ["body", shown, 3]
    json.dumps(said, ensure_ascii=False).encode()
