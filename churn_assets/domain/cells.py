"""Words that table cells have for yes, no and unknown, whatever their case."""

TRUTHS = {
    **dict.fromkeys(("yes", "y", "true", "1", "1.0"), True),
    **dict.fromkeys(("no", "n", "false", "0", "0.0"), False),
}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
