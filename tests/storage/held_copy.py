"""Get artifacts of a bucket and read on until killed.

python -m tests.storage.held_copy URL CACHE ARTIFACT…
"""

import sys
import time
from pathlib import Path

from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.protocol import ARTIFACT
from tests.storage.emulator import strict_client

if __name__ == "__main__":
    url, cache, *artifacts = sys.argv[1:]
    store = GcsArtifactStore.from_url(url, Path(cache), strict_client())
    for artifact in artifacts:
        store.get(ARTIFACT.validate_json(artifact))
    print("held", flush=True)
    time.sleep(3_600)
