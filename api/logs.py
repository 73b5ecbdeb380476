"""JSON log lines with a request id, and nothing personal: no names, messages, keys or bodies."""

from __future__ import annotations

import logging
import sys
import time
from contextvars import ContextVar
from typing import Any

import orjson

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_access = logging.getLogger("api.access")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id, and the record's extras."""

    def format(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            extra["exception"] = self.formatException(record.exc_info)
        return _line(record.created, record.levelname, record.name, record.getMessage(), extra)


def _line(when: float, level: str, logger: str, message: str, extra: dict[str, Any]) -> str:
    entry = {
        "time": when,
        "level": level,
        "logger": logger,
        "message": message,
        "request_id": request_id.get(),
        **extra,
    }
    return orjson.dumps(entry, default=str).decode()


def log_request(**figures: Any) -> None:
    """The line of an answered request, by the logger `api.access` at level INFO.

    Written straight to stderr: as a log record on its way through handler and formatter a line
    costs several times as much, and one is written for every request.
    """
    if _access.isEnabledFor(logging.INFO):
        sys.stderr.write(_line(time.time(), "INFO", _access.name, "request", figures) + "\n")


def configure() -> None:
    """Send every log line of this process to stderr as JSON; safe to call again.

    The level of our own lines is the one that the server was started with (`uvicorn --log-level`).
    """
    level = logging.getLogger("uvicorn.error").level or logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    for name in ("api", "churn_assets", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(level)
    # Ours replaces it: with a request id, a duration and the route instead of the raw path.
    logging.getLogger("uvicorn.access").disabled = True
