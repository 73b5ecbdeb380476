"""HTTP only: the app, its routes, security and the console page.

Asks `churn_assets.serving` for every answer; nothing in `churn_assets` imports it.
"""

import os

# Arrow's own allocator keeps eight megabytes for a table of two. It is chosen as Arrow is loaded,
# for all that its libraries do: `pyarrow.set_memory_pool` would be heard by a part of them only.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
