"""What tests of several areas share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resources.emulator import running_emulator


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """URL of a storage emulator that every client of this process talks to."""
    with running_emulator() as url:
        yield url
