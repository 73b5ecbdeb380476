"""One file out of a zip, or out of a zip inside a zip, read piece by piece and within bounds."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from churn_assets.datasets.errors import CorruptFileError
from churn_assets.datasets.sources.files import bounded, verify

MOST_BYTES = 64 << 20
"""Of a member, unpacked: ten times the largest that is pinned. More is a wrong file or a bomb."""

_ENCRYPTED = 0x1  # of a member's flags
_BLOCK = 1 << 16
# What `zipfile` raises on damaged archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,  # no such member
    NotImplementedError,  # a compression that Python lacks
    lzma.LZMAError,
    ValueError,
    OSError,
)


@contextmanager
def open_member(archive: Path, members: Sequence[str]) -> Iterator[IO[bytes]]:
    """The content of `members[-1]` as a stream, each earlier member a zip that holds the next.

    Raises:
        CorruptFileError: the archive is damaged, a member is not in it, is encrypted, or is
            declared to be larger than `MOST_BYTES`.
    """
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(archive.open("rb"))
        inside = str(archive)
        for member in members:
            try:
                opened = stack.enter_context(zipfile.ZipFile(stream))
                _refuse(opened.getinfo(member), f"{inside}/{member}")
                stream = stack.enter_context(opened.open(member))
            except _DAMAGE as error:
                raise CorruptFileError(inside, f"{member}: {error}") from error
            inside = f"{inside}/{member}"
        yield stream


def _refuse(member: zipfile.ZipInfo, name: str) -> None:
    """Raise CorruptFileError for what is not to be unpacked."""
    if member.flag_bits & _ENCRYPTED:
        raise CorruptFileError(name, "it is encrypted; fetch the archive without a password")
    if member.file_size > MOST_BYTES:
        raise CorruptFileError(
            name, f"it would unpack to {member.file_size:,} bytes, more than {MOST_BYTES:,}"
        )


def _blocks(stream: IO[bytes], name: str) -> Iterator[bytes]:
    try:
        while block := stream.read(_BLOCK):
            yield block
    except _DAMAGE as error:
        raise CorruptFileError(name, str(error)) from error


def unpack(archive: Path, members: Sequence[str], target: Path, sha256: str) -> None:
    """Write the innermost member to `target` in one step, and remove the archive in any case.

    Raises:
        CorruptFileError: as `open_member`, or the member has more bytes than `MOST_BYTES`.
        DigestMismatchError: the member is not the pinned file.
    """
    name = f"{archive}/{'/'.join(members)}"
    part = target.with_name(target.name + ".part")
    try:
        with open_member(archive, members) as stream, part.open("wb") as file:
            file.writelines(bounded(_blocks(stream, name), MOST_BYTES, name))
        verify(part, sha256)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        archive.unlink()
