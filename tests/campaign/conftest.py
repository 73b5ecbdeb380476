"""Databases that the campaign's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
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


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalArtifactStore:
    """A store with a small release and its predictions for 90 customers."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return LocalArtifactStore(home / "store")
