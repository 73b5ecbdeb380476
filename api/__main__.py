"""`python -m api`: the HTTP service in a server of its own, with limits on every connection.

uvicorn's own command would serve the same app, but trust `X-Forwarded-For` from this machine and
wait for ever for a request that never becomes whole.
"""

from __future__ import annotations

import argparse
import os
import resource
from collections.abc import Callable

import uvicorn
from uvicorn.config import LOG_LEVELS

from api.connections import GuardedProtocol
from api.security import keyring_of
from churn_assets.domain.plain_errors import one_line_exit
from churn_assets.serving.config import ApiConfig
from churn_assets.settings import load_settings

SPARE_FILES = 512  # open files beside connections: libraries, the store, feedback, the log


def serve(
    config: ApiConfig, host: str, port: int, workers: int | None = None, log_level: str = "info"
) -> None:
    """Serve until interrupted.

    Args:
        workers: processes; each has its own limits. None: one, or what $WEB_CONCURRENCY says.
    """
    allow_files(config.max_connections + SPARE_FILES)
    uvicorn.run(
        "api.main:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_level=log_level,
        http=GuardedProtocol,
        ws="none",
        limit_concurrency=config.max_connections + 1,
        backlog=config.max_connections,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
        server_header=False,
    )


def allow_files(wanted: int) -> None:
    """Let this process open that many files, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Reads a whole number in these bounds, as an argument."""

    def read(text: str) -> int:
        number = int(text)
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{number} isn't {bounds}")
        return number

    read.__name__ = "whole number"  # argparse says so of what is none
    return read


def main() -> None:
    """Read the arguments; settings are their defaults."""
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve until interrupted.")
    parser.add_argument("--host", help="default: CHURN_API__HOST")
    parser.add_argument("--port", type=_whole(0, 65_535), help="default: CHURN_API__PORT")
    parser.add_argument("--workers", type=_whole(1), help="processes; default: $WEB_CONCURRENCY")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info")
    given = parser.parse_args()
    if given.host is not None:  # the app, in whatever process, has to know where it is reached
        os.environ["CHURN_API__HOST"] = given.host
    with one_line_exit():
        settings = load_settings()
        keyring_of(settings)  # here, not in workers that would end one after the other
    config = settings.api
    port = config.port if given.port is None else given.port
    serve(config, config.host, port, given.workers, given.log_level)


if __name__ == "__main__":
    main()
