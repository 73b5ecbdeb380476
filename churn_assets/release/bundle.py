"""The release bundle: one immutable folder with everything that a server needs, and its manifest.

Layout:

    manifest.json      what this is, digests of every other file, metrics, settings
    golden.json        requests with the answers that the builder computed
    risk/ accept/ policy/ baseline/ messages/      model files, as the stages wrote them
    reports/<asset>.json                           what each stage measured
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn_assets.orchestration.sources import SERVING_PACKAGES, sources_digest
from churn_assets.storage.protocol import Artifact
from churn_assets.storage.trees import tree_files, tree_sha256

MANIFEST = "manifest.json"
GOLDEN = "golden.json"
COMPONENTS = ("risk", "accept", "policy", "baseline", "messages")
NOT_SERVED = ("plots", "report.json")  # of a stage's artifact, what no server reads


class ReleaseError(RuntimeError):
    """A release that is missing, incomplete or damaged."""


class Comparison(BaseModel):
    """Champion against challenger: the decision and the figures that it rests on."""

    model_config = ConfigDict(frozen=True)

    champion: str | None
    promoted: bool
    reason: str
    figures: list[dict[str, Any]] = Field(default_factory=list)


class Component(BaseModel):
    """Where the policy or the messages of a release come from.

    Attributes:
        source: `built` by this build, or standing in for it: the `champion`'s (the release that
            served when this one was built), or the safe `fallback` (best rule, reviewed templates).
        release_id: of the champion's, the release whose build made it.
        sha256: digest of its files.
        missed: why this build's own is not in the release: the gates that it missed.
        champion: of a fall-back, why the champion's could not stand in.
    """

    model_config = ConfigDict(frozen=True)

    source: Literal["built", "champion", "fallback"]
    release_id: str | None = None
    sha256: str = ""
    missed: tuple[str, ...] = ()
    champion: str = ""

    def sentence(self, name: str) -> str:
        """What serves, and why, for people; `name` is the component's."""
        what = {
            "champion": f"the {name} of release {self.release_id}",
            "fallback": {"policy": "the best rule"}.get(name, "reviewed templates"),
            "built": f"this build's own {name}",
        }[self.source]
        because = f": {'; '.join(self.missed)}" if self.missed else ""
        against = f" (not the champion's: {self.champion})" if self.champion else ""
        return f"{what}{against}{because}"


def artifact_name(release_id: str) -> str:
    """Where the store keeps a release."""
    return f"releases/{release_id}"


def contract_of(data: Mapping[str, Mapping[str, Any]]) -> str:
    """The contract whose customers the data are; empty for the built-in one."""
    return next((str(facts["contract"]) for facts in data.values() if "contract" in facts), "")


class Manifest(BaseModel):
    """What a release is made of.

    Attributes:
        release_id: `<date>-<first 12 hex digits of content>`.
        content: digest over all files except the manifest: equal content, equal digest.
        files: relative path -> sha256 of every file except the manifest.
        models: asset name -> sha256 of the artifact that this build made; it went in unless
            `components` says that something stands in.
        data: dataset name -> its `dataset.json` (source, rows, sha256, splits).
        customers: the labelled customers that its models learnt from, as the store keeps them for
            some time; None in releases made before this was kept.
        report: the figures of `churn report --json`.
        settings: every setting in force at the build.
        code_version: package version and digest of the sources.
        comparison: the promotion decision taken at the build.
        components: `policy` and `messages` -> where each comes from; releases made before this was
            kept have none, and built both.
    """

    model_config = ConfigDict(frozen=True)

    release_id: str
    created: datetime
    content: str
    files: dict[str, str]
    models: dict[str, str]
    data: dict[str, dict[str, Any]]
    report: dict[str, Any]
    settings: dict[str, Any]
    code_version: dict[str, str]
    comparison: Comparison
    components: dict[str, Component] = Field(default_factory=dict)
    customers: Artifact | None = None

    @property
    def contract(self) -> str:
        """The contract whose customers the release is of; empty for the built-in one."""
        return contract_of(self.data)

    @property
    def generated(self) -> list[str]:
        """The data sets that the generator stood in for."""
        return [name for name, facts in self.data.items() if facts["source"] == "synthetic"]

    @property
    def stand_ins(self) -> dict[str, str]:
        """What stands in for a component that missed a gate, and why: name -> sentence."""
        return {
            name: component.sentence(name)
            for name, component in self.components.items()
            if component.source != "built"
        }


def collect(components: Mapping[str, Path], reports: Mapping[str, Path], out: Path) -> None:
    """Copy model files into their folders and every stage's report below `reports/`.

    Args:
        components: component (one of `COMPONENTS`) -> folder of the artifact that fills it.
        reports: asset name -> folder of the artifact whose `report.json` is kept.
        out: an empty folder.

    Raises:
        ReleaseError: a component is missing or unknown; names it.
    """
    if set(components) != set(COMPONENTS):
        raise ReleaseError(
            f"a release needs {sorted(COMPONENTS)}, got {sorted(components)}: "
            "materialize the assets of the missing components first"
        )
    for name, folder in components.items():
        shutil.copytree(folder, out / name, ignore=_not_served_below(folder))
    (out / "reports").mkdir()
    for asset, folder in reports.items():
        shutil.copyfile(folder / "report.json", out / "reports" / f"{asset}.json")


def _not_served_below(top: Path) -> Callable[[str, list[str]], list[str]]:
    """Leave out plots and the stage's own report; deeper folders are model files, all of them."""
    return lambda folder, names: [n for n in names if Path(folder) == top and n in NOT_SERVED]


def content_digest(folder: Path) -> str:
    """Digest over every file of a bundle except its manifest."""
    files = tree_files(folder)
    files.pop(MANIFEST, None)
    return tree_sha256(files)


def write_manifest(folder: Path, **facts: Any) -> Manifest:
    """Seal the bundle: digest what is there and write `manifest.json` beside it.

    `facts` are the remaining fields of `Manifest`; the report gains the release's id.
    """
    files = tree_files(folder)
    files.pop(MANIFEST, None)
    content = tree_sha256(files)
    created = datetime.now(UTC)
    release_id = f"{created:%Y%m%d}-{content[:12]}"
    facts["report"] = {"release_id": release_id, **facts["report"]}
    manifest = Manifest(
        release_id=release_id, created=created, content=content, files=files, **facts
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle; raises ReleaseError when it is missing or not one."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ReleaseError(f"{path} is no release manifest: {what}") from error


def verify(folder: Path) -> Manifest:
    """The manifest, after every file was found to be there, unchanged, and nothing else, and the
    release's id to be the one that this content has.

    Raises:
        ReleaseError: names the missing, changed and unexpected files.
    """
    manifest = read_manifest(folder)
    found = tree_files(folder)
    found.pop(MANIFEST)
    problems = [f"missing {path}" for path in sorted(manifest.files.keys() - found.keys())]
    problems += [f"unexpected {path}" for path in sorted(found.keys() - manifest.files.keys())]
    problems += [
        f"changed {path}"
        for path, digest in found.items()
        if manifest.files.get(path, digest) != digest
    ]
    if manifest.content != tree_sha256(manifest.files):
        problems.append("a content digest that its own list of files doesn't have")
    if not manifest.release_id.endswith(f"-{manifest.content[:12]}"):
        problems.append("an id that belongs to other content")
    if problems:
        raise ReleaseError(f"release {manifest.release_id} in {folder}: {'; '.join(problems)}")
    return manifest


def code_version(root: Path, package_version: str) -> dict[str, str]:
    """The package's version and one digest over its sources and their data, gates and the shield's
    rules among them, so that it needs no git."""
    sources = sources_digest(root, (*SERVING_PACKAGES, "checks"))
    return {"package": package_version, "sources": sources}


def canonical_json(value: Any) -> bytes:
    """Indented JSON with sorted keys: the same value gives the same bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def message_seed(folder: Path) -> str:
    """What the choice of wording depends on besides the customer: the bundle's message files."""
    return tree_sha256(tree_files(folder / "messages"))[:16]
