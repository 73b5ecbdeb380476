"""Folders as content: their digests, copies of them, and files that are written whole or not."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from churn_assets.domain.plain_errors import FULL

UNFLUSHED = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def tree_files(folder: Path) -> dict[str, str]:
    """Relative POSIX path -> SHA-256 of every file below `folder`, sorted by path.

    Raises:
        OSError: part of it can't be read (`rglob` would pass over a private folder in silence).
    """

    def refuse(error: OSError) -> None:
        raise error

    places = os.walk(folder, onerror=refuse)
    files = sorted(p for place, _, names in places for p in map(Path(place).joinpath, names))
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in files if p.is_file()}


def tree_sha256(files: dict[str, str]) -> str:
    """One digest for a tree: SHA-256 over the sorted lines `<sha256>  <path>` of `sha256sum`."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def copy_tree(source: Path, target: Path) -> Path:
    """Copy a folder's files to `target`, which must be new, with the modes that the umask gives,
    and flush them to disk: what is named later must not be lost where its name isn't.

    What comes from a temporary folder is private to its maker; what is stored need not be.
    """
    target.mkdir()
    for path in tree_files(source):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        with named_where_full(target / path):
            shutil.copyfile(source / path, target / path)
    for place, _, names in os.walk(target):  # after all are copied: the system writes meanwhile
        for each in (*map(Path(place).joinpath, names), Path(place)):
            with named_where_full(each):
                flush(each)
    return target


def flush(path: Path) -> None:
    """Flush a file to disk, or which files a folder has: what was renamed into it, flushed itself,
    may be gone after a power cut without that.

    A folder that can't be flushed stays as it is: it may be somebody else's, to be written to and
    not to be read, or on a file system that flushes files alone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in UNFLUSHED or not path.is_dir():
            raise


@contextmanager
def named_where_full(place: Path) -> Iterator[None]:
    """For want of room a write or a flush fails without the name of its file: within the block such
    an error has the place's."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            error.filename = str(place)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, flush it to disk, rename it over `path`, and
    flush that, too.

    The file's mode is what the umask makes it: another user's process may have to read it.
    """
    with written_atomically(path) as handle:
        handle.write(content)


@contextmanager
def written_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to piece by piece, which is there whole after the block, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".writing-{path.name}-{uuid.uuid4().hex}"
    try:
        with named_where_full(path), temporary.open("xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
