"""The bundle: sealed, content-addressed, and refused when a single byte is off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from churn_assets.release.bundle import (
    MANIFEST,
    ReleaseError,
    code_version,
    collect,
    read_manifest,
    verify,
)
from tests.release.small_release import build_release, write_parts


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release")
    build_release(root)
    return root / "bundle"


def copy_of(bundle: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_manifest_digests_every_file_and_names_the_release(bundle: Path) -> None:
    """An auditor must be able to check each file and trace the id to the content."""
    manifest = verify(bundle)
    on_disk = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert set(manifest.files) == on_disk - {MANIFEST}
    assert re.fullmatch(r"\d{8}-[0-9a-f]{12}", manifest.release_id)
    assert manifest.release_id.endswith(manifest.content[:12])
    assert manifest.report["release_id"] == manifest.release_id


def test_reports_move_out_of_the_rooms(bundle: Path) -> None:
    """Servers need no reports; people find all of them in one place."""
    assert json.loads((bundle / "reports/risk_model.json").read_text())["component"] == "risk"
    assert not (bundle / "risk/report.json").exists()


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_any_damage_is_refused_by_name(bundle: Path, tmp_path: Path, damage: str) -> None:
    """A server must never load what was not checked, and must say what is wrong."""
    copy = copy_of(bundle, tmp_path)
    if damage == "change":
        (copy / "risk/model.json").write_text("{}")
    elif damage == "remove":
        (copy / "risk/model.json").unlink()
    else:
        (copy / "risk/stray.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"risk/(model|stray)\.json"):
        verify(copy)


def test_broken_manifest_is_a_release_error(bundle: Path, tmp_path: Path) -> None:
    """Callers handle one kind of error, whatever way a release is broken."""
    copy = copy_of(bundle, tmp_path)
    (copy / MANIFEST).write_text("{")
    with pytest.raises(ReleaseError, match="no release manifest"):
        read_manifest(copy)


def test_a_missing_component_is_refused(tmp_path: Path) -> None:
    """A release without one of its models must not come to be."""
    parts = write_parts(tmp_path / "parts")
    del parts["accept"]
    with pytest.raises(ReleaseError, match="a release needs"):
        collect(parts, {}, tmp_path / "out")


def test_same_content_gives_the_same_digest(tmp_path: Path) -> None:
    """Re-building from the same artifacts must be recognisable as the same release."""
    first, second = build_release(tmp_path / "a"), build_release(tmp_path / "b")
    assert first.content == second.content
    assert build_release(tmp_path / "c", seed=1).content != first.content


@pytest.mark.parametrize("file", ["checks/predictors.py", "churn_assets/messages/rules.json"])
def test_the_code_of_a_release_is_that_of_its_gates_and_rules_too(
    tmp_path: Path, file: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    found = []
    for content in ("one", "one", "other"):
        (tmp_path / file).write_text(content)
        found.append(code_version(tmp_path, "1.0"))
    assert found[0] == found[1] != found[2]
    assert found[0]["package"] == "1.0"
