"""JSON log lines with a request id, and nothing personal: no names, messages, keys or bodies."""

from __future__ import annotations

import logging
from contextvars import ContextVar

import orjson

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id, and the record's extras."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure() -> None:
    """Send our own and the server's log lines to stderr as JSON; safe to call again.

    The level is the one that the server was started with (`uvicorn --log-level`).
    """
    level = logging.getLogger("uvicorn.error").level or logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    for name in ("api", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
    # Ours replaces it: with a request id, a duration and the route instead of the raw path.
    logging.getLogger("uvicorn.access").disabled = True
    # No line shows where it was written, in which thread or task: finding that out is most of what
    # a line costs (see "Optimization" in the logging how-to).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = False
    logging.logMultiprocessing = False
