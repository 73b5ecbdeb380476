"""Why a data set could not be made. `auto` goes on after `SourceUnavailableError` alone."""

from pathlib import Path


class DataError(Exception):
    """The data are there and wrong: never a reason to use other data instead."""


class SourceUnavailableError(Exception):
    """A source cannot be reached or is not configured here; the message says which and why."""


class CorruptFileError(DataError):
    """A file cannot be read to its end (cut short, damaged archive)."""

    def __init__(self, file: Path | str, problem: str) -> None:
        super().__init__(
            f"{file} is corrupt: {problem}. Delete the file and fetch it again from its source."
        )


class DigestMismatchError(DataError):
    """A file's bytes are not the pinned ones."""

    def __init__(self, file: Path | str, expected: str, found: str) -> None:
        super().__init__(
            f"{file} is not the pinned file: expected sha256 {expected}, found {found}. "
            "Restore the original file, or change the pin if the source was changed on purpose."
        )
        self.expected = expected
        self.found = found


class SchemaViolationError(DataError):
    """Rows or columns break a schema; `failure_cases` is a markdown table of them."""

    def __init__(self, what: str, count: int, failure_cases: str) -> None:
        super().__init__(f"{what} breaks its schema in {count} places:\n{failure_cases}")
        self.count = count
        self.failure_cases = failure_cases
