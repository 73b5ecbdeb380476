"""What the shield says of a message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CHECKS = (
    "banned_phrase",
    "invalid_length",
    "missing_name",
    "missing_offer",
    "promised_discount",
    "misused_slot",
    "link",
    "phone_or_card_number",
    "other_name",
    "wrong_service",
    "wrong_contract",
    "wrong_tenure_band",
    "wrong_tone",
    "negated_kindness",
    "unfinished",
    "unexpected_character",
    "shouting",
    "repetition",
    "doubled_stop",
    "unfilled_slot",
    "quiet_hours",
    "wrong_value",
    "ill_formed",
)
"""What a filled text is judged by: the violations that `Shield.check_text` can name."""


@dataclass(frozen=True)
class Verdict:
    """`passed` is true exactly when `violations` is empty."""

    passed: bool
    violations: tuple[str, ...]

    @classmethod
    def of(cls, violations: Iterator[str]) -> Verdict:
        """Passed where there are no violations; each is named once, in the order found."""
        found = tuple(dict.fromkeys(violations))
        return cls(passed=not found, violations=found)

    def as_dict(self) -> dict[str, bool | list[str]]:
        """The specification's `{"passed": ..., "violations": [...]}`."""
        return {"passed": self.passed, "violations": list(self.violations)}
