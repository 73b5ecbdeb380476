"""Arrow without what a service has no use for: pandas, and other people's file systems."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

FILE_SYSTEMS = ("pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs")


class _NotHere(MetaPathFinder):
    """Finds none of these modules, wherever they are installed."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in self._names:
            raise ModuleNotFoundError(fullname, name=fullname)


@contextmanager
def _without(*names: str) -> Iterator[None]:
    nowhere = _NotHere(names)
    sys.meta_path.insert(0, nowhere)
    try:
        yield
    finally:
        sys.meta_path.remove(nowhere)


def load_slim_arrow() -> None:
    """Load Arrow, and have it work without pandas and its clients of clouds from now on; before
    anybody else loads its file systems, and before it makes its first array.

    It loads those clients with its file systems, for all that a store is a folder or has a client
    of its own: four megabytes. And it looks for pandas when it is first given values of Python or
    numpy, whatever they are, and imports it if it can: half a second, and 40 MB. It takes either
    for missing if it is missing then. pandas stays at hand for who imports it.
    """
    with _without("pandas", *FILE_SYSTEMS):
        import pyarrow as pa
        import pyarrow.fs

        pa.array([0])


def return_memory() -> None:
    """Give back to the system what this process has freed, after work that took much at once: the
    C library keeps it for the thread that had it, for as long as the process lives."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
