"""Databases that the campaign's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.postgres import PASSWORD, running_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a running PostgreSQL, password included."""
    with running_postgres() as url:
        yield url.replace("${CHURN_TEST_PASSWORD}", PASSWORD)


@pytest.fixture
def postgresql(server: str) -> str:
    """The URL of an empty database on it."""
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return server
