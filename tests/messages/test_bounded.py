"""Patterns of a rules file are data: none may keep a server busy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from churn_assets.messages.shield.bounded import MOST_CHARACTERS, bounded
from churn_assets.messages.shield.rules import RULES_PATH, PhraseMatcher, default_rules
from churn_assets.messages.shield.validation import Shield
from tests.messages.briefs import SAM, judged


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a|a)*$", "(a|aa)+$", "(?:a*)*", "(x+x+)+y", "(?:a{1,50}){1,50}b",
        "a?" * 30 + "a", r"\s*\s*\s*x", "(.*)(.*)(.*)x", "((a{0,9})){0,9}z", "(?=(a+)+$)",
        r"(?<!a)(\w+\s?)*$",
    ],
)  # fmt: skip
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    """Why: the matcher tries one way after the other, and these have more than it can try."""
    with pytest.raises(ValueError, match="may take too long"):
        bounded(pattern)


@pytest.mark.parametrize("pattern", ["(", "a**", "(?P<n>a)(?P<n>b)", "(" * 5_000 + ")" * 5_000])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """Why: a rules file is refused by one line, not by a traceback."""
    with pytest.raises(ValueError, match="pattern"):
        bounded(pattern)


@pytest.mark.parametrize(
    "change",
    [
        {"link_patterns": ["(\\w+\\s?)+$"]},
        {"slot_contexts": {"name": ["(?:hi\\s*)*{name}"]}},
        {"slot_contexts": {"name": ["{name} and {name}"]}},
        {"slot_contexts": {"name": ["hello"]}},
        {"length": [50, 100_000]},
        {"confusables": {"a": "a" * 1_000}},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_sealed_rules_file_with_such_a_rule_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Why: whoever may seal a release could freeze every server that loads it."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(json.loads(RULES_PATH.read_text(encoding="utf-8")) | change))
    with pytest.raises(ValueError, match=r"rules\.json is no valid shield rules file"):
        Shield.load(path)


@pytest.mark.parametrize("text", ["a" * 240, "a-" * 120, "s" * 240, "ﷺ" * 240, "a " * 120])
def test_a_phrase_of_one_letter_takes_no_exponential_time(text: str) -> None:
    """Why: `a+a+a+...` for a phrase "aaa..." would never end on these."""
    assert PhraseMatcher(["a" * 30 + "b", "s" * 30 + "b"], {}).finds(text) is False
    rules = default_rules().model_copy(update={"gift_words": ("a" * 30 + "b",)})
    assert not judged(Shield(rules), text, SAM).passed


def test_overlong_text_is_refused_before_it_is_searched() -> None:
    """Why: the bound of a pattern's time is one for texts of this length."""
    text = "Hi {name}, " + "we value you. " * MOST_CHARACTERS
    assert Shield.load().check_template(text, SAM).violations == ("invalid_length",)
    assert judged(Shield.load(), text, SAM).violations == ("invalid_length",)
