"""HTTP only: the app, its routes, security and the console page.

Asks `churn_assets.serving` for every answer; nothing in `churn_assets` imports it.
"""

import gc
import os

COLLECTED_AFTER = (50_000, 20, 20)
"""The collector's thresholds: at the usual ones it takes a tenth of the start, and finds nothing in
modules that are being loaded."""
gc.set_threshold(*COLLECTED_AFTER)

# Arrow's own allocator keeps eight megabytes for a table of two. It is chosen as Arrow is loaded,
# for all that its libraries do: `pyarrow.set_memory_pool` would be heard by a part of them only.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
