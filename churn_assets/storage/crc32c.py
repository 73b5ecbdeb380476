"""The checksum by which Google Cloud Storage knows a file's bytes."""

from __future__ import annotations

import base64
from pathlib import Path

import google_crc32c


def file_crc32c(path: Path) -> str:
    """A file's CRC32C as Google Cloud Storage writes it: big-endian, base64."""
    checksum = google_crc32c.Checksum()
    with path.open("rb") as handle:
        for _ in checksum.consume(handle, 2**20):
            pass
    return base64.b64encode(checksum.digest()).decode()
