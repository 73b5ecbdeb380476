"""What a person is told who can mend it: one line, where a traceback would bury it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

FULL = (errno.ENOSPC, errno.EDQUOT)
"""A disk without room, or somebody's share of one."""
SQLITE_FULL = "SQLITE_FULL"
POSTGRESQL_FULL = "53100"


class WrongSettingError(RuntimeError):
    """A variable that isn't a setting, or whose value isn't allowed; the message is one line."""


def describe(error: BaseException) -> str:
    """The error in words; of a file that can't be used, which and why. What can't be copied or
    renamed for want of room is the target."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        full = error.errno in FULL and error.filename2 is not None
        return f"{error.filename2 if full else error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def own_words(message: str) -> str:
    """What a validator of ours said, without the `Value error, ` that pydantic puts before it."""
    return message.removeprefix("Value error, ")


def is_full(error: BaseException | None) -> bool:
    """Whether there was no room on a disk, by what the system or a database says of the error or of
    what caused it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if getattr(error, "sqlite_errorname", None) == SQLITE_FULL:
            return True
        if getattr(error, "pgcode", None) == POSTGRESQL_FULL:
            return True
        error = error.__cause__
    return False


@contextmanager
def one_line_exit(*expected: type[Exception]) -> Iterator[None]:
    """Within it a wrong setting, an unusable file and what is `expected` end the process with one
    line on stderr and exit code 1."""
    plain: tuple[type[Exception], ...] = (WrongSettingError, OSError, *expected)
    try:
        yield
    except plain as error:
        raise SystemExit(describe(error)) from error
