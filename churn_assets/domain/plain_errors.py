"""What a person is told who can mend it: one line, where a traceback would bury it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WrongSettingError(RuntimeError):
    """A variable that isn't a setting, or whose value isn't allowed; the message is one line."""


def describe(error: BaseException) -> str:
    """The error in words; of a file that can't be used, which and why."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


@contextmanager
def one_line_exit(*expected: type[Exception]) -> Iterator[None]:
    """Within it a wrong setting, an unusable file and what is `expected` end the process with one
    line on stderr and exit code 1."""
    plain: tuple[type[Exception], ...] = (WrongSettingError, OSError, *expected)
    try:
        yield
    except plain as error:
        raise SystemExit(describe(error)) from error
