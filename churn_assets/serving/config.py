"""Settings of the HTTP service. Composed into `churn_assets.settings` as `settings.api`."""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from churn_assets.domain.addresses import browser_origin, listening, network
from churn_assets.domain.paths import AbsolutePath
from churn_assets.serving.zones import known_zone

EMPTY_KEY = hashlib.sha256(b"").hexdigest()  # what `sha256sum` says of a variable that was not set

Scope = Literal["decide", "feedback", "customers", "campaign", "watch"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may be for: `/predict` and `/predict/batch`; `/feedback`; the latest predictions, one
by one and summed, and contact histories; plans and contact lists; `/release`, `/results` and
`/metrics`."""


class ApiConfig(BaseModel):
    """How the service answers, protects itself and follows new releases.

    Attributes:
        host: address to listen on; loopback unless somebody opens it on purpose.
        port: TCP port.
        default_time_zone: IANA zone used for quiet hours when a request names none.
        key_hashes: accepted API keys as `name:sha256-of-the-key`, or
            `name:sha256-of-the-key:decide+feedback` for one that may do no more than that (of
            decide, feedback, customers, campaign, watch); several at once, so that a key can be
            rotated without a gap. Empty: this machine alone is answered, and the production profile
            refuses it.
        key_file: a file with further such lines, read again whenever it changes (a mounted
            secret), so that a key can be withdrawn without a restart.
        open_to_network: without a key, listen on an address that others reach, too, and answer
            under any `Host`; off, a service without a key is for this machine only.
        requests_per_second: sustained rate that one process allows to one key (N workers or
            containers: N times as much); 0 switches the limit off.
        burst: requests a key may send at once before the rate counts.
        max_body_bytes: largest body of a single-customer request.
        max_batch_body_bytes: largest body of `POST /predict/batch`.
        max_batch_size: customers in one batch request.
        max_connections: connections that one process keeps. For a new one beyond them, the one that
            has waited longest for a request is closed, or, if none waits, for its answer to be
            read.
        max_header_bytes: largest request line and headers together.
        header_seconds: a request's headers must be whole in this time, else 408.
        body_seconds: the body likewise; also how long a caller may take to read an answer.
        trusted_proxies: addresses or networks of the reverse proxies whose `X-Forwarded-For` says
            who calls; none unless listed.
        cors_origins: browser origins allowed to call the API; none unless listed.
        poll_seconds: how often the `latest` pointer and the kill switch are looked at.
        decision_log: keep a record of every decision (no name, no text), so that its outcome can be
            judged; `metadata.decision_id` is its key.
        decision_log_seconds: what has been answered is in the artifact store after so many seconds
            and the time of one write, whatever happens to the process then.
        force_baseline: answer with the rule-based policy and reviewed templates only. The bare
            environment variable FORCE_BASELINE does the same.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    default_time_zone: str = "America/New_York"
    key_hashes: tuple[str, ...] = ()
    key_file: AbsolutePath | None = None
    open_to_network: bool = False
    requests_per_second: float = Field(default=200.0, ge=0)
    burst: int = Field(default=400, ge=1)
    max_body_bytes: int = Field(default=65_536, ge=1_024)
    max_batch_body_bytes: int = Field(default=2_097_152, ge=1_024)
    max_batch_size: int = Field(default=1_000, ge=1)
    max_connections: int = Field(default=500, ge=1, le=100_000)
    max_header_bytes: int = Field(default=32_768, ge=1_024)
    header_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=30.0, gt=0)
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    poll_seconds: float = Field(default=1.0, gt=0)
    decision_log: bool = True
    decision_log_seconds: float = Field(default=1.0, gt=0)
    force_baseline: bool = False

    @field_validator("default_time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return known_zone(zone)

    @field_validator("host")
    @classmethod
    def _can_be_listened_on(cls, host: str) -> str:
        return listening(host)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(network, proxies))

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(browser_origin, origins))

    @field_validator("key_hashes")
    @classmethod
    def _name_and_hash(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            parse_key_line(line)
        return lines


class ApiKey(NamedTuple):
    """An accepted key: whose it is, its SHA-256 digest (32 bytes), and what it may be used for."""

    name: str
    digest: bytes
    may: frozenset[str]


def parse_key_line(line: str) -> ApiKey:
    """The key that `name:sha256` or `name:sha256:decide+feedback` stands for.

    Raises:
        ValueError: the line has another form, its key is the empty one, or may do what there isn't.
            The message never repeats the line: somebody may have pasted the key itself.
    """
    name, separator, rest = line.strip().partition(":")
    digest, limited, words = rest.partition(":")
    if digest == EMPTY_KEY:
        raise ValueError(
            f"the digest of the API key {name!r} is that of an empty key: make "
            "a key with `python -m api.security NAME`"
        )
    if not (separator and name and len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
        raise ValueError(
            "an API key is configured as name:sha256 (64 lower-case hex digits); "
            "make one with `python -m api.security NAME`"
        )
    may = frozenset(words.split("+") if limited else SCOPES)
    if not may <= frozenset(SCOPES):
        raise ValueError(
            f"the API key {name!r} is for something that there isn't: behind name:sha256: stand "
            f"some of {'+'.join(SCOPES)}, or nothing and no colon for all of them"
        )
    return ApiKey(name, bytes.fromhex(digest), may)
