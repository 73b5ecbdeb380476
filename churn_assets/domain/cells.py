"""Words that table cells have for yes, no and unknown, whatever their case."""

import re

TRUTHS = {
    **dict.fromkeys(("yes", "y", "true", "1", "1.0"), True),
    **dict.fromkeys(("no", "n", "false", "0", "0.0"), False),
}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def as_word(cell: str) -> str:
    """The cell as words are compared: without blanks around it, in lower case, 3.0 as 3."""
    return re.sub(r"^([+-]?[0-9]+)[.]0+$", r"\1", cell.strip().lower())
