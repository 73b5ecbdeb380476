"""Paths as people write them, made absolute once, when the settings are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def absolute(path: Path) -> Path:
    """The path with `~` filled in, and relative to the folder that the command was started in.

    Raises:
        ValueError: `~` or `~name` has no home folder here.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path}: {error}") from error


AbsolutePath = Annotated[Path, AfterValidator(absolute)]
