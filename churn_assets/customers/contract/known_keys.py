"""Which keys a contract may have at a place: those of the parts that its keys lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel


def keys_at(whole: type[BaseModel], place: Sequence[str | int]) -> set[str]:
    """The keys beside the last of `place`: `features`, a column, a key that there isn't.

    A place is pydantic's: what of it is no key of the file (which of several kinds a value was
    taken for) leads nowhere and is passed over.
    """
    kinds = [whole]
    for key in place[:-1]:
        kinds = [below for kind in kinds for below in _below(kind, key)] or kinds
    return {name for kind in kinds if _is_part(kind) for name in kind.model_fields}


def _below(kind: Any, key: str | int) -> Iterator[Any]:
    """What may stand under a key of this kind of value."""
    if _is_part(kind):
        if key in kind.model_fields:
            yield from _kinds(kind.model_fields[str(key)].annotation)
    elif get_origin(kind) in (dict, Mapping, list, tuple):
        yield from _kinds(get_args(kind)[-1])


def _kinds(annotation: Any) -> Iterator[Any]:
    """The parts, mappings and lists among what an annotation allows."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif _is_part(annotation) or get_origin(annotation) in (dict, Mapping, list, tuple):
        yield annotation
    else:
        for one in get_args(annotation):  # of a union
            yield from _kinds(one)


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
