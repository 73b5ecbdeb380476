"""What names and cells of columns say that nobody has described yet."""

from __future__ import annotations

from collections.abc import Sequence

from churn_assets.customers.departures import LEFT
from churn_assets.customers.headings import NO, YES, Meaning, folded, says
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.domain.cells import as_word

FEWEST_BLANKS = 0.05
"""Share of a column's cells: fewer are no answers, beside a word that all others have."""


def means_yes(cell: str) -> bool:
    """Whether a cell is a word for yes, or of somebody who left: `True.` is true."""
    return folded(as_word(cell)).rstrip(".") in YES | LEFT


def yes_of(column: ColumnProfile) -> str:
    """Which of a column's cells means yes: by its word, else the rarer one."""
    found = [cell for cell, _ in column.top]
    words = [cell for cell in found if means_yes(cell)]
    return words[0] if len(words) == 1 else found[-1]


def one_word(column: ColumnProfile) -> bool:
    """Whether a word stands in some of a column's cells and nothing in others: two values."""
    return column.distinct == 1 and column.missing_share >= FEWEST_BLANKS


def says_yes_or_no(column: ColumnProfile) -> bool:
    """Whether a column's cells are yes and no, in one of the languages of `headings`."""
    cells = {folded(cell) for cell, _ in column.top}
    return column.distinct == 2 and len(cells & YES) == len(cells & NO) == 1


def yes_and_no_of(column: ColumnProfile) -> tuple[str, str] | None:
    """The cells of a column that are the words for yes and no, whatever stands in others; None
    where there isn't one of each among the most frequent."""
    cells = [(cell, folded(as_word(cell))) for cell, _ in column.top]
    yes = [cell for cell, said in cells if said in YES]
    no = [cell for cell, said in cells if said in NO]
    return (yes[0], no[0]) if len(yes) == len(no) == 1 else None


def named(meaning: Meaning, columns: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """The columns whose names say this, the best first: the whole of a name before a part."""
    fitting = [c for c in columns if says(c.name, meaning)]
    return sorted(fitting, key=lambda c: not says(c.name, meaning, whole=True))
