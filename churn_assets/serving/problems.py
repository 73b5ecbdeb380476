"""What is wrong with a request, in the API's shape, and a log of what nobody foresaw.

What the caller sent is never repeated: it may be personal, hostile or not even JSON (NaN).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError

LONGEST_KEY = 100
MOST_PROBLEMS = 50  # named in one answer: a body of nothing but mistakes must not cost a long one

Model = TypeVar("Model", bound=BaseModel)


class Problem(BaseModel):
    """One thing that is wrong with a request."""

    type: str = Field(examples=["greater_than_equal"])
    loc: list[str | int] = Field(examples=[["body", "tenure"]])
    msg: str = Field(examples=["Input should be greater than or equal to 0"])


class Problems(BaseModel):
    """The API's error shape, whatever went wrong."""

    detail: list[Problem]


def problem(kind: str, loc: Sequence[str | int], message: str) -> dict[str, Any]:
    """One entry of `detail`; keys that the caller invented are made printable and short."""
    return {"type": kind, "loc": [_printable(part) for part in loc], "msg": message}


def problems_of(errors: Sequence[Any], prefix: tuple[str | int, ...] = ()) -> list[dict[str, Any]]:
    """Pydantic's errors in our shape, the first `MOST_PROBLEMS`, without what the caller sent."""
    shown = errors[:MOST_PROBLEMS]
    return [problem(e["type"], (*prefix, *e["loc"]), str(e["msg"])) for e in shown]


def _printable(part: str | int) -> str | int:
    if isinstance(part, int):
        return part
    # Controls, marks that turn the direction of writing, and halves of characters are escaped.
    safe = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in part)
    return "".join(islice(safe, LONGEST_KEY))[:LONGEST_KEY]


class Repeated(dict[str, Any]):
    """A JSON object that names a key twice: which value is meant, nobody knows."""

    def __init__(self, content: dict[str, Any], key: str) -> None:
        super().__init__(content)
        self.key = key


def validated(model: type[Model], value: Any) -> Model:
    """The value as `model`.

    Raises:
        ValidationError: it is none, or its object names a key twice.
    """
    if isinstance(value, Repeated):
        twice = PydanticCustomError("duplicate_key", "this key is there more than once")
        raise ValidationError.from_exception_data(
            model.__name__, [{"type": twice, "loc": (value.key,), "input": None}]
        )
    return model.model_validate(value)


def log_unexpected(log: logging.Logger, error: Exception) -> None:
    """Where it happened, but not the exception's text: that may quote what the caller sent."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("unexpected %s", type(error).__name__, extra={"where": where})
