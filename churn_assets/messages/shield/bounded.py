"""How long a regular expression can take: bounded before it is used.

Patterns of a rules file are data, and one like `(a+)+$` would keep a server busy for ever. Python's
matcher tries one way to match after the other, so the number of ways bounds its time.
"""

from __future__ import annotations

# Python's own parser; there is no public door to it.
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MOST_CHARACTERS = 250
"""Longer text is never matched against a pattern of a rules file."""
MOST_WAYS = 250_000
"""Two unbounded repetitions in a row and some alternatives; not three, and none in another."""

_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def bounded(pattern: str) -> str:
    """The same pattern; raises ValueError when it is none or may take too long."""
    try:
        ways = _ways(_parser.parse(pattern))
    except RecursionError as error:
        raise ValueError(f"pattern is too deep: {pattern[:80]!r}") from error
    except _parser.error as error:
        raise ValueError(f"pattern {pattern[:80]!r} is no regular expression: {error}") from error
    if ways > MOST_WAYS:
        raise ValueError(
            f"pattern {pattern[:80]!r} may take too long: it can match {MOST_CHARACTERS} "
            f"characters in more than {MOST_WAYS:,} ways; use fewer repetitions"
        )
    return pattern


def _ways(parsed: Any) -> int:
    """At least the ways in which the parts match from one place on; cut off above the limit."""
    ways = 1
    for part, argument in parsed:
        ways = min(ways * _ways_of(part, argument), MOST_WAYS + 1)
    return ways


def _ways_of(part: Any, argument: Any) -> int:
    if part in _REPEATS:
        least, most, body = argument
        within, most = _ways(body), min(int(most), MOST_CHARACTERS)
        if within == 1 and body.getwidth() == (1, 1):
            return most - least + 1
        # Every repetition of a body of many ways, or many lengths, multiplies them.
        choices = within + (body.getwidth()[0] != body.getwidth()[1])
        return sum(_power(choices, count) for count in range(least, most + 1))
    if part is sre.BRANCH:
        return sum(_ways(choice) for choice in argument[1])
    if part in (sre.SUBPATTERN, sre.ATOMIC_GROUP):
        return _ways(argument[-1] if part is sre.SUBPATTERN else argument)
    if part in (sre.ASSERT, sre.ASSERT_NOT):
        return _ways(argument[1])
    if part is sre.GROUPREF_EXISTS:
        return sum(_ways(choice) for choice in argument[1:] if choice is not None)
    return 1


def _power(base: int, exponent: int) -> int:
    """`base ** exponent`, cut off above the limit."""
    return 1 if base <= 1 else min(base ** min(exponent, 20), MOST_WAYS + 1)
