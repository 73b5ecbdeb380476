"""Words of tables that nobody has described yet: columns' names, and cells that mean yes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.domain.cells import as_word

LEFT = ("churned", "attrited customer", "left", "exited", "cancelled", "canceled", "former")
_YES = (*LEFT, "yes", "true", "1", "y", "t")


def plain(name: str) -> str:
    """A column's name in lower case, its words apart."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+", " ", name).lower().split())


def means_yes(cell: str) -> bool:
    """Whether a cell is a word for yes, or of somebody who left: `True.` is true."""
    return as_word(cell).rstrip(".") in _YES


def yes_of(column: ColumnProfile) -> str:
    """Which of a column's cells means yes: by its word, else the rarer one."""
    found = [cell for cell, _ in column.top]
    words = [cell for cell in found if means_yes(cell)]
    return words[0] if len(words) == 1 else found[-1]


def named(pattern: re.Pattern[str], columns: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """The columns whose names fit, the best first: the whole of a name before a part."""
    fitting = [c for c in columns if pattern.search(plain(c.name))]
    return sorted(fitting, key=lambda c: not pattern.fullmatch(plain(c.name)))
