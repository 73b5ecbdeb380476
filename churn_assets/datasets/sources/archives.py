"""One file out of a zip, or out of a zip inside a zip."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from churn_assets.datasets.errors import CorruptFileError, DigestMismatchError
from churn_assets.datasets.sources.files import sha256_of_bytes
from churn_assets.resources.trees import write_atomically


def read_member(archive: Path, members: Sequence[str]) -> bytes:
    """The bytes of `members[-1]`, each earlier member being a zip that holds the next.

    Raises:
        CorruptFileError: the archive is damaged, or a member is not in it.
    """
    content = archive.read_bytes()
    inside = str(archive)
    for member in members:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as opened:
                content = opened.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
            raise CorruptFileError(inside, f"{member}: {error}") from error
        inside = f"{inside}/{member}"
    return content


def unpack(
    archive: Path, members: Sequence[str], target: Path, sha256: str, unix_lines: bool = False
) -> None:
    """Write the innermost member to `target` in one step, and remove the archive in any case.

    `unix_lines` turns line ends into plain newlines first, for a publisher whose copy differs from
    the pinned file in nothing else.

    Raises:
        CorruptFileError: the archive is damaged, or a member is not in it.
        DigestMismatchError: the member is not the pinned file.
    """
    try:
        content = read_member(archive, members)
    finally:
        archive.unlink()
    if unix_lines:
        content = content.replace(b"\r\n", b"\n")
    found = sha256_of_bytes(content)
    if found != sha256:
        raise DigestMismatchError(f"{archive}/{'/'.join(members)}", sha256, found)
    write_atomically(target, content)
