"""JSON lines in and out, and the clean-up that every text gets."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from churn_assets.datasets.errors import CorruptFileError
from churn_assets.datasets.sources.files import content

Model = TypeVar("Model", bound=BaseModel)


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line of a plain or gzipped JSONL file.

    Raises:
        CorruptFileError: a line is no JSON; names the line.
    """
    for number, line in enumerate(content(path).split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise CorruptFileError(path, f"line {number}: {error}") from error


def parse(model: type[Model], value: Any, path: Path, line: int) -> Model:
    """`value` as `model`; a wrong or missing field is a `CorruptFileError` that names it.

    The value itself is left out of the message, since texts can be long or offensive.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise CorruptFileError(path, f"line {line}: {field}: {first['msg']}") from None


def write_jsonl(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """One JSON object a line, UTF-8, keys in the rows' own order."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(", ", ": ")) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def tidy(text: str) -> str:
    """Without surrounding space, carriage returns and halves of surrogate pairs (no UTF-8)."""
    return text.encode("utf-8", "ignore").decode().replace("\r\n", "\n").strip()


def text_key(text: str) -> str:
    """A short name for a text that small differences of case and spacing do not change."""
    return hashlib.sha256(re.sub(r"\s+", " ", text).strip().lower().encode()).hexdigest()[:16]
