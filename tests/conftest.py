"""What all tests share."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole graph takes longest: it begins first, so that the other tests run beside it."""
    items.sort(key=lambda item: item.get_closest_marker("graph") is None)
