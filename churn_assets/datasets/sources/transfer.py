"""HTTP downloads: verified, resumable, retried, and never half-written under the final name."""

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
from tenacity import (
    before_sleep_log,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from churn_assets.datasets.config import DownloadConfig
from churn_assets.datasets.errors import DataError, SourceUnavailableError
from churn_assets.stages.spec import Progress, silent

logger = logging.getLogger(__name__)


class IncompleteDownloadError(DataError):
    """The host broke off every attempt. What arrived is kept, and the next download resumes it."""


class _ServerTroubleError(Exception):
    """The host answers, but not now (5xx, 429)."""


_PASSING = (
    _ServerTroubleError,
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.ReadTimeout,
)


def download(
    url: str,
    target: Path,
    config: DownloadConfig,
    progress: Progress = silent,
    check: Callable[[Path], object] = lambda part: None,
    auth: tuple[str, str] | None = None,
) -> Path:
    """Fetch `url` to `target`: whole, passed by `check`, and moved there in one step.

    An earlier attempt's `<target>.part` is resumed where the host says by its ETag that the file
    is still the same. `progress` counts bytes; its total is 0 where the host gives no length.

    Raises:
        SourceUnavailableError: the host cannot be reached, or does not have the file.
        IncompleteDownloadError: the transfer broke off in every attempt.
        DataError: more bytes than `config.most_bytes`, or whatever `check` raises; the partial
            file is then removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    attempt = retry(
        retry=retry_if_exception_type(_PASSING),
        stop=stop_after_attempt(config.attempts),
        wait=wait_exponential(config.backoff_initial, config.backoff_max),
        before_sleep=before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )(_attempt)
    with open_client(url, config, auth) as client:
        try:
            attempt(client, url, part, config.most_bytes, progress)
        except _ServerTroubleError as error:
            raise SourceUnavailableError(f"{url}: {error}") from error
        except _PASSING as error:
            received = part.stat().st_size if part.exists() else 0
            raise IncompleteDownloadError(
                f"{url} broke off after {received} bytes in each of {config.attempts} attempts "
                f"({error}); {part} is kept and the next download resumes it"
            ) from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise _unreachable(url, error) from error
        except DataError:
            _forget(part)
            raise
    try:
        check(part)
    except DataError:
        _forget(part)
        raise
    _etag_file(part).unlink(missing_ok=True)
    return part.replace(target)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)


def _unreachable(url: str, error: Exception) -> SourceUnavailableError:
    """Nothing listens, redirects lead in a circle, or an address is none."""
    return SourceUnavailableError(f"{url} cannot be reached: {error}")


def open_client(
    url: str, config: DownloadConfig, auth: tuple[str, str] | None = None
) -> httpx.Client:
    """A client for `url`'s host, after its name was resolved within the time for connecting.

    httpx cannot limit the time that the resolver takes, which without a network can be long.

    Raises:
        SourceUnavailableError: the host's name cannot be resolved in time, or the environment names
            a proxy that is none.
    """
    parts = urlsplit(url)
    if not getproxies().keys() & {parts.scheme, "all"}:  # else the proxy resolves it
        _resolve(parts.hostname or "", config.connect_timeout)
    timeout = httpx.Timeout(config.read_timeout, connect=config.connect_timeout)
    headers = {"Accept-Encoding": "identity"}  # a byte range must be of the file's own bytes
    try:
        return httpx.Client(timeout=timeout, auth=auth, headers=headers, follow_redirects=True)
    except (ValueError, httpx.InvalidURL) as error:
        raise SourceUnavailableError(f"the environment's proxy cannot be used: {error}") from error


def ensure_reachable(url: str, config: DownloadConfig) -> None:
    """Raise `SourceUnavailableError` unless the host answers anything at all."""
    with open_client(url, config) as client:
        try:
            client.head(url)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise _unreachable(url, error) from error


def _resolve(host: str, timeout: float) -> None:
    failures: list[str] = ["no answer in time"]

    def ask() -> None:
        try:
            socket.getaddrinfo(host, None)
            failures.clear()
        except OSError as error:
            failures[:] = [str(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if failures:
        raise SourceUnavailableError(f"{host} cannot be resolved: {failures[0]}")


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _attempt(
    client: httpx.Client, url: str, part: Path, most_bytes: int, progress: Progress
) -> None:
    """One request: the missing rest if the file is unchanged, otherwise the whole file."""
    have = part.stat().st_size if part.exists() else 0
    etag = _etag_file(part).read_text() if _etag_file(part).exists() else ""
    headers = {"Range": f"bytes={have}-", "If-Range": etag} if have and etag else {}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _ServerTroubleError("the host refused to resume; starting again")
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise _ServerTroubleError(f"the host answers {answer.status_code}")
        if not answer.is_success:
            raise SourceUnavailableError(f"{url}: the host answers {answer.status_code}")
        packing = answer.headers.get("Content-Encoding", "identity")
        if packing != "identity":  # unpacked, a little of it can be more than memory holds
            raise SourceUnavailableError(f"{url}: the host sends {packing} in place of the file")
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _ServerTroubleError("the host sent another range than asked; starting again")
        have = have if resumed else 0
        _remember_etag(part, answer.headers.get("ETag", ""))
        total = have + int(answer.headers.get("Content-Length", -have))
        with part.open("ab" if resumed else "wb") as file:
            for block in answer.iter_raw(1 << 16):
                have += len(block)
                if max(have, total) > most_bytes:
                    raise DataError(f"{url} is larger than {most_bytes:,} bytes: not the file")
                file.write(block)
                progress(have, total)


def _remember_etag(part: Path, etag: str) -> None:
    """Keep a strong ETag; a weak one does not promise equal bytes, so it cannot resume."""
    if etag and not etag.startswith("W/"):
        _etag_file(part).write_text(etag)
    else:
        _etag_file(part).unlink(missing_ok=True)
