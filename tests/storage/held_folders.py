"""Hold temporary folders and a half-written pointer of a store until killed.

TMPDIR=<folder> python -m tests.storage.held_folders <store>
"""

import sys
import time
from pathlib import Path

from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.scratch import scratch_folder


def hang(*_: object) -> None:
    """In place of the rename that would publish."""
    print("held", flush=True)
    time.sleep(3_600)


def main(store: LocalArtifactStore, what: str) -> None:
    """Stop in the middle of the work that `what` names."""
    with scratch_folder("release") as folder:
        (folder / "model").write_text("half a mod")
        if what == "artifact":
            Path.rename = hang  # type: ignore[method-assign, assignment]
            store.put("model", folder)
        elif what == "pointer":
            Path.replace = hang  # type: ignore[method-assign, assignment]
            store.write_pointer("releases/latest.json", b"half a poin")
        hang()


if __name__ == "__main__":
    main(LocalArtifactStore(Path(sys.argv[1])), sys.argv[2])
