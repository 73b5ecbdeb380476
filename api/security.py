"""Who may call, for what, and how often. `python -m api.security NAME` makes a key."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from churn_assets.domain.plain_errors import WrongSettingError, describe
from churn_assets.serving.config import SCOPES, ApiConfig, ApiKey, parse_key_line

if TYPE_CHECKING:
    from churn_assets.settings import Settings

log = logging.getLogger("api.security")

ANONYMOUS = "anonymous"
THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
MAKE_A_KEY = (
    "make one with `python -m api.security NAME` "
    "and set CHURN_API__KEY_HASHES or CHURN_API__KEY_FILE"
)


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

    def find(self, key: str) -> ApiKey | None:
        """Which of the keys this is, or None; takes the same time for every wrong key."""
        self._follow_file()
        if not key:
            return None
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known in self._keys:
            if hmac.compare_digest(digest, known.digest):
                found = known
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
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        self._keys = [*self._fixed, *(parse_key_line(line) for line in lines)]
        log.info("keys read", extra={"keys": len(self._keys)})


def keyring_of(settings: Settings) -> Keyring:
    """The API keys; raises WrongSettingError where there is none and one is needed."""
    config = settings.api
    try:
        keyring = Keyring(config)
    except (OSError, ValueError) as error:
        raise WrongSettingError(f"CHURN_API__KEY_FILE: {describe(error)}") from error
    if not keyring.is_open:
        return keyring
    if settings.profile == "production":
        raise WrongSettingError(f"the production profile needs an API key: {MAKE_A_KEY}")
    if not (config.open_to_network or is_this_machine(config.host)):
        raise WrongSettingError(
            f"without an API key everybody who reaches {config.host} could read customers and "
            f"approve campaigns: {MAKE_A_KEY}, or allow it with CHURN_API__OPEN_TO_NETWORK=true"
        )
    return keyring


def is_this_machine(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def admitted_hosts(keyring: Keyring, config: ApiConfig) -> re.Pattern[bytes] | None:
    """What a request's `Host` has to be; None: anything.

    Where nobody is asked for a key, any page on the web could have its own name lead to this
    machine once a browser here has loaded it, and read our answers as its own (DNS rebinding). What
    it can't change is the `Host`, which still is that name. A proxy can: of what one passes on,
    only what it says by a header of its own is seen here.
    """
    if config.open_to_network or not keyring.is_open:
        return None
    own = f"[{config.host}]" if ":" in config.host else config.host
    names = "|".join(re.escape(name) for name in (*THIS_MACHINE, own))
    return re.compile(rf"(?:{names})(?::\d+)?".encode(), re.IGNORECASE)


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


def main() -> None:
    """Print a new key, once, and the line that configures it."""
    parser = argparse.ArgumentParser(prog="python -m api.security", description=main.__doc__)
    parser.add_argument("name", nargs="?", default="default", help="whose key it is")
    parser.add_argument(
        "--may", metavar="WHAT", help=f"some of {'+'.join(SCOPES)}, joined by +; without: all"
    )
    given = parser.parse_args()
    key = secrets.token_urlsafe(32)
    line = f"{given.name}:{hashlib.sha256(key.encode()).hexdigest()}"
    line += "" if given.may is None else f":{given.may}"
    try:
        parse_key_line(line)
    except ValueError as error:
        parser.error(str(error))
    print(f"key, for the caller (shown once): {key}")
    print(f"line, for CHURN_API__KEY_HASHES or the key file: {line}")


if __name__ == "__main__":
    main()
