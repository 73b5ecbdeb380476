"""Who may be contacted, by a row of the company's own table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churn_assets.customers.people import rule_of
from churn_assets.customers.schema import CustomerSchema
from churn_assets.domain.cells import cell_text


class Permissions:
    """The columns of a file that say who may be contacted; a contract's that it lacks say nothing.

    Attributes:
        columns: their indices.
    """

    def __init__(
        self, columns: Sequence[str], schema: CustomerSchema, channels: Sequence[str]
    ) -> None:
        named = [" ".join(name.split()) for name in columns]
        self._channels = channels
        self._placed = [
            (said, i)
            for said in schema.permissions
            for i, c in enumerate(named)
            if c == said.column
        ]
        self.columns = frozenset(i for _, i in self._placed)

    def rule(self, cells: Sequence[Any]) -> str | None:
        """The rule (`domain.contact_rules.RULES`) by which a row forbids to contact its customer;
        None: it forbids nothing.

        Args:
            cells: the row's, as text or as Parquet has them.
        """
        said: dict[str, bool | None] = {}
        for permission, i in self._placed:
            if said.get(permission.name) is not permission.unclear:  # of two columns a no counts
                said[permission.name] = permission.says(cell_text(cells[i]))
        return rule_of(said, self._channels)
