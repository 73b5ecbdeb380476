"""PostgreSQL's driver is an extra of the project: who lacks it is told the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from churn_assets.campaign.contacts.database import engine_of as engine_of_ledger
from churn_assets.campaign.errors import LedgerError
from churn_assets.customers.reading.database import engine_of as engine_of_table
from churn_assets.datasets.errors import DataError
from churn_assets.settings import PROJECT

PASSWORD = "not-to-be-shown"
INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[sql]'"
PAGES = ("docs/own-data.md", "docs/campaign.md", "modal_jobs/deploy/README.md")


@pytest.mark.parametrize(
    ("opened", "error"), [(engine_of_ledger, LedgerError), (engine_of_table, DataError)]
)
def test_the_command_that_installs_it_is_told(
    opened: Callable[[str], Any], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told that there is no module `psycopg2`, which another package than ours has."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(error, match="psycopg2 isn't installed") as told:
        opened(f"postgresql+psycopg2://me:{PASSWORD}@host/db")
    assert str(told.value).endswith(INSTALL)
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize("page", PAGES)
def test_pages_install_the_checkouts_own_extra(page: str) -> None:
    """By the project's name an index is asked, and what that has may be somebody else's."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    assert INSTALL in text
    assert "churn-retention[" not in text
