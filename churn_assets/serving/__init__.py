"""A request in, an answer out, for one release.

No HTTP, no Dagster, no torch, no pandas: a server starts in a second.
"""
