"""What is noted of releases' accept models."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.outcomes.learning.releases import POINTER, accept_models
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import DamagedArtifactError


@pytest.mark.parametrize("damaged", [b"", b'{"20260101-000000000000": {"resp', b"[]"])
def test_a_half_written_note_is_named(tmp_path: Path, damaged: bytes) -> None:
    """Why: a traceback named neither the pointer nor what to do; an empty one passed for none, and
    what it had of releases that are gone was lost."""
    store = LocalArtifactStore(tmp_path)
    store.write_pointer(POINTER, damaged)
    with pytest.raises(DamagedArtifactError) as raised:
        accept_models(store)
    said = str(raised.value)
    assert said.startswith(f"{store.url}/pointers/{POINTER} is damaged: ")
    assert "; restore it, or delete it (" in said
    assert "\n" not in said
    assert store.read_pointer(POINTER) == damaged
