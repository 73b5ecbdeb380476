"""Pointers: what they say and how they change; which artifact of an asset is the current one, and
what its stage reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from churn_assets.storage.protocol import (
    ARTIFACT,
    Artifact,
    ArtifactError,
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)

ATTEMPTS = 10  # at changing a pointer while others change it
Parsed = TypeVar("Parsed")


def parse_json(
    model: TypeAdapter[Parsed], where: str, content: bytes | str, todo: str = ""
) -> Parsed:
    """What a file or pointer says that may be half-written, or by another hand.

    Args:
        where: its place, as a person finds it.
        todo: what a person is to do where it is damaged.

    Raises:
        DamagedArtifactError: it is no JSON, or not what such a file holds; one line that says where
            and why, and nothing of the content: it may be about people.
    """
    try:
        return model.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        why = f"{field + ': ' if field else ''}{first['msg']}{'; ' if todo else ''}{todo}"
        raise DamagedArtifactError(f"{where} is damaged: {why}") from error


def parse_pointer(
    model: TypeAdapter[Parsed], url: str, key: str, content: bytes, todo: str = ""
) -> Parsed:
    """What a pointer says; raises as `parse_json`, which names the pointer."""
    return parse_json(model, f"{url}/pointers/{key}", content, todo)


def change_pointer(store: ArtifactStore, key: str, change: Callable[[bytes | None], bytes]) -> None:
    """Put what `change` makes of a pointer's content (None: there is none) in its place; `change`
    is asked again where somebody else's change came between.

    Raises:
        PointerMovedError: that happened `ATTEMPTS` times; the pointer stays as others left it.
    """
    for _ in range(ATTEMPTS):
        before = store.read_pointer(key)
        content = change(before)
        try:
            return store.swap_pointer(key, before, content)
        except PointerMovedError:
            continue
    raise PointerMovedError(f"{store.url}: {key} is being written by somebody else")


def asset_pointer(asset: str) -> str:
    """Where the store keeps the current `Artifact` of an asset."""
    return f"assets/{asset}.json"


def current_artifact(store: ArtifactStore, asset: str) -> Artifact:
    """What the asset's newest materialization made.

    Raises:
        ArtifactError: the asset was never materialized with this store.
    """
    content = store.read_pointer(asset_pointer(asset))
    if content is None:
        raise ArtifactError(
            f"{asset} was never materialized with {store.url}: run `churn materialize` first"
        )
    try:
        return parse_pointer(ARTIFACT, store.url, asset_pointer(asset), content)
    except DamagedArtifactError as error:
        raise DamagedArtifactError(f"{error}; materialize {asset} again") from error


def read_report(store: ArtifactStore, artifact: Artifact) -> dict[str, Any]:
    """The `report.json` that a stage left in its artifact."""
    [content] = store.read(artifact, "report.json").values()
    report: dict[str, Any] = json.loads(content)
    return report
