"""Who may call, and how often. `python -m api.security NAME` makes a key."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from churn_assets.serving.config import ApiConfig, parse_key_line

log = logging.getLogger("api.security")

ANONYMOUS = "anonymous"


class Keyring:
    """The accepted API keys, known only by their SHA-256 digests.

    A key is 256 random bits, so a fast digest is enough: there is nothing to guess.

    Raises:
        ValueError, OSError: a key line is malformed, or the key file can't be read, at the start.
            Later, a broken file leaves the keys as they were and is reported in the log.
    """

    def __init__(self, config: ApiConfig) -> None:
        self._fixed = [parse_key_line(line) for line in config.key_hashes]
        self._file = config.key_file
        self._changed = 0
        self._keys = list(self._fixed)
        if self._file is not None:
            self._changed = self._file.stat().st_mtime_ns
            self._read(self._file)

    @property
    def is_open(self) -> bool:
        """No key is configured: everybody may call."""
        return not self._keys and self._file is None

    def name_of(self, key: str) -> str | None:
        """The name of the key's owner, or None; takes the same time for every wrong key."""
        self._follow_file()
        if not key:
            return None
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self._keys:
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _follow_file(self) -> None:
        if self._file is None:
            return
        try:
            changed = self._file.stat().st_mtime_ns
        except OSError:
            changed = 0
        if changed == self._changed:
            return
        self._changed = changed  # whatever it holds, it is read and complained about once
        try:
            self._read(self._file)
        except (OSError, ValueError) as error:
            log.error("the key file is not usable, the keys stay as they were: %s", error)

    def _read(self, file: Path) -> None:
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        self._keys = [*self._fixed, *(parse_key_line(line) for line in lines)]
        log.info("keys read", extra={"keys": len(self._keys)})


@dataclass
class _Bucket:
    tokens: float
    when: float


@dataclass
class RateLimiter:
    """A token bucket for each caller: `burst` at once, then `rate` a second (0: no limit).

    Each process counts for itself: N workers or containers let N times as much through.
    """

    rate: float
    burst: int
    _buckets: dict[str, _Bucket] = field(default_factory=dict, repr=False)

    def wait_of(self, caller: str) -> float:
        """Take a token; 0, or the seconds until there is one."""
        if self.rate == 0:
            return 0.0
        now = time.monotonic()
        bucket = self._buckets.get(caller)
        if bucket is None:
            self._forget_full(now)
            bucket = self._buckets[caller] = _Bucket(float(self.burst), now)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.when) * self.rate)
        bucket.when = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self.rate

    def _forget_full(self, now: float) -> None:
        """Drop buckets that have filled up again, so that passing callers leave nothing behind."""
        if len(self._buckets) < 10_000:
            return
        idle = self.burst / self.rate
        self._buckets = {k: b for k, b in self._buckets.items() if now - b.when < idle}


def main(name: str) -> None:
    """Print a new key, once, and the line that configures it."""
    key = secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    print(f"key, for the caller (shown once): {key}")
    print(f"line, for CHURN_API__KEY_HASHES or the key file: {name}:{digest}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "default")
