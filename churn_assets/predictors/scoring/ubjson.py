"""Read XGBoost's UBJSON model files without XGBoost.

The subset of Universal Binary JSON (draft 12, big-endian) that XGBoost writes: objects, counted
arrays, typed arrays, strings, integers and 32/64-bit floats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_NUMBERS: dict[bytes, np.dtype[Any]] = {
    b"i": np.dtype(">i1"),
    b"U": np.dtype(">u1"),
    b"I": np.dtype(">i2"),
    b"l": np.dtype(">i4"),
    b"L": np.dtype(">i8"),
    b"d": np.dtype(">f4"),
    b"D": np.dtype(">f8"),
}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, count: int) -> bytes:
        piece = self.content[self.at : self.at + count]
        if len(piece) != count:
            raise ValueError(f"ends at byte {len(self.content)} inside a value")
        self.at += count
        return piece

    def skip(self, marker: bytes) -> bool:
        found = self.content.startswith(marker, self.at)
        self.at += len(marker) * found
        return found

    def number(self, marker: bytes) -> Any:
        kind = _NUMBERS[marker]
        return np.frombuffer(self.take(kind.itemsize), kind)[0].item()

    def text(self) -> str:
        return self.take(self.number(self.take(1))).decode()

    def array(self) -> Any:
        kind = self.take(1) if self.skip(b"$") else None
        if not self.skip(b"#"):
            raise ValueError(f"array without a count at byte {self.at}")
        count = self.number(self.take(1))
        if kind is None:
            return [self.value() for _ in range(count)]
        values = np.frombuffer(self.take(count * _NUMBERS[kind].itemsize), _NUMBERS[kind])
        return values.astype(values.dtype.newbyteorder("="))

    def value(self) -> Any:
        marker = self.take(1)
        if marker in _NUMBERS:
            return self.number(marker)
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == b"S":
            return self.text()
        if marker == b"[":
            return self.array()
        if marker == b"{":
            members = {}
            while not self.skip(b"}"):
                key = self.text()
                members[key] = self.value()
            return members
        raise ValueError(f"unknown marker {marker!r} at byte {self.at - 1}")


def load_ubjson(path: Path) -> Any:
    """The document in `path`; typed arrays become numpy arrays.

    Raises:
        ValueError: the file is truncated or not of XGBoost's subset; names file and byte.
    """
    try:
        return _Reader(path.read_bytes()).value()
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is not an XGBoost UBJSON model: {error}") from error
