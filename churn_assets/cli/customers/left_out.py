"""Rows of the company's own table that its contract leaves out of the active customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churn_assets.customers.contract.tables import LeftOutRows
from churn_assets.customers.quality.columns import one_spaced
from churn_assets.customers.reading.dates import date_in
from churn_assets.customers.schema import TENURE
from churn_assets.domain.cells import as_word, cell_text
from churn_assets.serving.forms import Form


class LeftOut:
    """The contract's rules of rows to leave out, as the check reads them; one whose column a file
    lacks leaves nobody out.

    Attributes:
        columns: their indices.
    """

    def __init__(self, columns: Sequence[str], fields: Sequence[str], form: Form) -> None:
        # The built-in form is the specification's: whoever asks by it is answered.
        rules = () if form.schema is None else form.schema.left_out_rows
        named = [one_spaced(name) for name in columns]
        self._written, self._zone = form.customers.written.date, form.customers.default_zone
        self._placed = [
            (rule, frozenset(map(as_word, rule.values)), i)
            for rule in rules
            for i, (column, field) in enumerate(zip(named, fields, strict=True))
            if column == one_spaced(rule.column) or _is_field_of(rule, field, form)
        ]
        self.columns = frozenset(i for *_, i in self._placed)

    def reason(self, cells: Sequence[Any]) -> str:
        """Why a row is left out, in the contract's words; empty where it isn't.

        Args:
            cells: the row's, as text or as Parquet has them.
        """
        for rule, words, i in self._placed:
            cell = cell_text(cells[i]) or ""
            if rule.before is None:
                if as_word(cell) in words:
                    return rule.reason
            else:
                day = date_in(_day(cells[i]), self._written, self._zone)
                if day is not None and day < rule.before:
                    return rule.reason
        return ""


def _day(cell: Any) -> Any:
    """What `date_in` reads: a text without blanks around it, or a typed value."""
    return cell.strip() if isinstance(cell, str) else cell


def _is_field_of(rule: LeftOutRows, field: str, form: Form) -> bool:
    """Whether a file has the rule's column by the name that requests have; months are no date."""
    return field not in ("", TENURE) and form.field_of.get(one_spaced(rule.column)) == field
