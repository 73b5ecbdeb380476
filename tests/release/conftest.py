"""What the tests of a release share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.small_release import build_release


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed release's folder, for a test to copy."""
    root = tmp_path_factory.mktemp("base")
    build_release(root)
    return root / "bundle"
