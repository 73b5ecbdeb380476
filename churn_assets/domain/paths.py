"""Paths as people write them, made absolute once, when the settings are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

BUCKET = re.compile(r"[a-z0-9][a-z0-9_.-]{1,220}[a-z0-9]")


def absolute(path: Path) -> Path:
    """The path with `~` filled in, and relative to the folder that the command was started in.

    Raises:
        ValueError: `~` or `~name` has no home folder here.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path}: {error}") from error


def folder_or_hub(source: str) -> str:
    """A hub's `owner/name` as it is, and a folder (`/…`, `./…`, `~/…`) made absolute: who reads it
    may stand in another one.

    Raises:
        ValueError: `~` or `~name` has no home folder here.
    """
    return str(absolute(Path(source))) if source.startswith((".", "~")) else source


def folder_or_bucket(place: str) -> str:
    """A folder made absolute, or `gs://bucket/prefix` as it is; what is empty stays so.

    Raises:
        ValueError: it is neither.
    """
    if "://" not in place and not place.startswith("gs:"):  # a folder of that name would be made
        return str(absolute(Path(place))) if place else place
    scheme, _, rest = place.partition("://")
    if scheme != "gs" or not BUCKET.fullmatch(rest.partition("/")[0]):
        raise ValueError("use a folder or gs://bucket/prefix")
    return place


AbsolutePath = Annotated[Path, AfterValidator(absolute)]
