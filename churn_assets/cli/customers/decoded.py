"""Text of JSON files: UTF-8, or UTF-16 with its mark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def lines_of(file: Path) -> Iterator[str]:
    """The lines of a file, one at a time; raises ValueError as `text_of`."""
    with file.open("rb") as raw:
        encoding = _encoding(raw.read(2))
    with file.open(encoding=encoding, newline="\n") as text:  # JSON may hold other ends of lines
        try:
            yield from text
        except UnicodeDecodeError:
            text_of(file.read_bytes())  # which says at which byte
            raise


def _encoding(start: bytes) -> str:
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def text_of(content: bytes) -> str:
    """The text of a file's content; raises ValueError: it is in another encoding."""
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"is not UTF-8 (byte {error.start}); Latin-1 or Windows-1252? Save it as UTF-8"
        ) from error
