"""YAML with the line of every key, so that an error can say where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import ValidationError

from churn_assets.domain.plain_errors import own_words

Keys = tuple[str | int, ...]


class MisfitError(ValueError):
    """What is wrong between parts of a contract, and the keys below the whole where it is said."""

    def __init__(self, problem: str, *keys: str | int) -> None:
        super().__init__(problem)
        self.keys: Keys = keys


_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """A YAML document.

    Attributes:
        value: of mappings, lists, text and None.
        lines: path of keys and indices -> line, counted from 1.
    """

    value: Any
    lines: dict[Keys, int]

    @classmethod
    def parse(cls, text: str) -> Document:
        """Raises ValueError: it is no YAML mapping, or has a key twice; begins with the line."""
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise ValueError("1: is no mapping of keys to values")
            lines = dict(_walk(node, (), loader))
            return cls(loader.construct_document(node), lines)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise ValueError(f"{line}: is not YAML: {error.problem or error.context}") from error
        except yaml.YAMLError as error:  # a character that YAML doesn't allow
            raise ValueError(f"1: is not YAML: {' '.join(str(error).split())}") from error
        finally:
            loader.dispose()

    def line_of(self, keys: Keys) -> int:
        """The line of the nearest key above that the document has."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


class _Loader(yaml.SafeLoader):
    """A loader that leaves every word as it is written, but null: they're cells of tables.

    YAML reads `no` as false, `010` as 8 and `2026-01-31` as a date. What has to be a number or true
    or false is made one where the contract says so.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag.endswith((":null", ":merge"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _walk(node: yaml.Node, at: Keys, loader: yaml.SafeLoader) -> Iterator[tuple[Keys, int]]:
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[Any] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                continue  # `<<: *name`: an error in what it brings is on the line that it stands in
            key = loader.construct_object(key_node)
            if not isinstance(key, str):
                raise ValueError(f"{line}: a key has to be a word or number")
            if key in seen:
                raise ValueError(f"{line}: {key}: is there twice")
            seen.add(key)
            below = (*at, key)
            yield from _walk(value_node, below, loader)
            yield below, line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*at, index), loader)


def problems_in(
    error: ValidationError, document: Document, known: Callable[[Keys], Iterable[str]]
) -> list[str]:
    """`line: key: problem` for each thing that pydantic found, in order of lines.

    `known` gives the keys that there may be where one isn't known, for "did you mean".
    """
    found = {}
    there = {key for keys in document.lines for key in keys}
    for one in error.errors(include_url=False):
        cause = one.get("ctx", {}).get("error")
        loc = (*one["loc"], *(cause.keys if isinstance(cause, MisfitError) else ()))
        keys = tuple(key for key in loc if key in there or _is_new(one, key))
        key = ".".join(str(part) for part in keys)
        problem = own_words(one["msg"])
        if one["type"] == "extra_forbidden":
            problem = "is no key here" + _hint(str(keys[-1]), known(one["loc"]))
        elif one["type"] == "missing":
            problem = "is missing"
        said = ": ".join(filter(None, (key, problem[:1].lower() + problem[1:])))
        found[said] = document.line_of(keys)
    return [f"{line}: {said}" for said, line in sorted(found.items(), key=lambda item: item[1])]


def _is_new(error: Any, key: Any) -> bool:
    """Whether the error is that this key isn't there."""
    return bool(error["type"] == "missing" and key == error["loc"][-1])


def _hint(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, sorted({*known} - {word}), n=1)
    return f"; did you mean {near[0]}?" if near else ""
