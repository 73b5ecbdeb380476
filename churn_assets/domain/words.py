"""Numbers of things, for people."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 event`, `2,000 events`.

    Args:
        one: what there is one of.
        many: what there are several of, or none; by default `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
