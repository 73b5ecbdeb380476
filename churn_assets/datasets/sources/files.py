"""Raw files, plain or gzip: their bytes, and the digest of their uncompressed bytes."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from churn_assets.datasets.config import SourceKind
from churn_assets.datasets.errors import CorruptFileError, DigestMismatchError

MOST_BYTES = 1 << 30
"""Of one file that is read into memory, uncompressed: several times the largest data set's."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class RawFile:
    """A data set's raw files as its source has them.

    `sha256` is of the uncompressed bytes, so that a file and its gzip are the same data; of
    several files it is the digest of their digests and names. `revision` is the hub's commit, or
    several joined by a comma. `passed_over` says why earlier sources were not used.
    """

    files: tuple[Path, ...]
    source: SourceKind
    sha256: str
    revision: str | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file, or the folder of several."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent


def blocks(path: Path) -> Iterator[bytes]:
    """The uncompressed bytes of a plain or `.gz` file, block by block."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(path, str(error)) from error


def content(path: Path) -> bytes:
    """All uncompressed bytes of a plain or `.gz` file of at most `MOST_BYTES`."""
    return b"".join(bounded(blocks(path), MOST_BYTES, path))


def bounded(blocks: Iterable[bytes], most: int, what: Path | str) -> Iterator[bytes]:
    """The blocks, as long as they are no more than `most` bytes in all (else CorruptFileError)."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > most:
            raise CorruptFileError(what, f"its uncompressed content exceeds {most:,} bytes")
        yield block


def unix_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks with plain newlines in place of Windows' line ends."""
    held = b""  # a carriage return at a block's end: what it is, the next block tells
    for block in blocks:
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""
        yield block.removesuffix(held).replace(b"\r\n", b"\n")
    yield held


def sha256_of(path: Path) -> str:
    """Hex sha256 of the uncompressed bytes."""
    return sha256_of_blocks(blocks(path))


def sha256_of_blocks(blocks: Iterable[bytes]) -> str:
    """Hex sha256 of the blocks together."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def sha256_of_all(files: Sequence[Path]) -> str:
    """Hex sha256 of one file, or of `digest  name` lines of several in order of name."""
    if len(files) == 1:
        return sha256_of(files[0])
    lines = sorted(f"{sha256_of(file)}  {file.name.removesuffix('.gz')}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(path: Path, expected: str) -> str:
    """The expected digest, after checking that it is the file's.

    A copy with Windows' line ends is the same table and passes: some publishers and editors write
    them.

    Raises:
        DigestMismatchError: the file differs in more than its line ends.
        CorruptFileError: it cannot be read to its end.
    """
    found = sha256_of(path)
    if found != expected and sha256_of_blocks(unix_lines(blocks(path))) != expected:
        raise DigestMismatchError(path, expected, found)
    return expected
