"""What a decision's level meant stays known when the release that decided is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from churn_assets.customers.schema import FILE, CustomerSchema
from churn_assets.domain.offers import Offers
from churn_assets.release.bundle import Manifest, write_manifest
from churn_assets.release.noted_offers import POINTER
from churn_assets.release.offers import offers_by_release, offers_in_service
from churn_assets.release.registry import LATEST, Latest, ReleaseRegistry
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import DamagedArtifactError

OWN = Offers(percent=(0, 10, 15, 30), months=6)


@pytest.fixture
def registry(tmp_path: Path) -> ReleaseRegistry:
    return ReleaseRegistry(LocalArtifactStore(tmp_path / "store"))


def publish(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, number: int, offers: Offers | None
) -> str:
    """A release of a company with these offers, which serves from then on."""
    folder = Path(shutil.copytree(base, tmp_path / f"release{number}"))
    customers = CustomerSchema(
        contract=f"Company {number}",
        fields=(),
        monthly="Fee",
        tenure="Months",
        horizon_months=1,
        offers=offers,
    )
    (folder / FILE).write_text(customers.model_dump_json())
    old = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    facts = {
        name: getattr(old, name)
        for name in ("models", "data", "report", "settings", "code_version", "comparison")
    }
    facts["report"] = {k: v for k, v in facts["report"].items() if k != "release_id"}
    release_id = write_manifest(folder, **facts).release_id
    registry.publish(folder)
    registry.promote(release_id, "test")
    return release_id


def test_a_removed_releases_offers_stay_known(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Else its decisions would become ones of the built-in offers: 15 % for a year in place of 30 %
    for half of one, in outcomes that are known already."""
    own = publish(registry, base, tmp_path, 0, OWN)
    before = offers_by_release(registry.store)
    assert before == {own: OWN}
    for number in (1, 2, 3):
        publish(registry, base, tmp_path, number, None)
    assert own in registry.retain(keep=2)
    assert offers_by_release(registry.store) == before
    assert offers_in_service(registry.store) == Offers()


@pytest.mark.parametrize("asked", [True, False], ids=["asked before", "only removed"])
def test_releases_from_before_offers_were_noted_are_noted(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, asked: bool
) -> None:
    """At the latest when they are removed: outcomes need not be looked at each week."""
    own = publish(registry, base, tmp_path, 0, OWN)
    for number in (1, 2, 3):
        publish(registry, base, tmp_path, number, None)
    registry.store.delete_pointer(POINTER)  # as an older version left the store
    if asked:
        assert offers_by_release(registry.store) == {own: OWN}
    assert own in registry.retain(keep=2)
    assert offers_by_release(registry.store) == {own: OWN}


def test_a_damaged_release_stops_nothing(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it offered was noted when it was whole; where it wasn't, outcomes go on without it, and
    the log says so. Campaigns need the offers of what serves alone."""
    damaged = publish(registry, base, tmp_path, 0, OWN)
    serving = publish(registry, base, tmp_path, 1, OWN)
    artifact = registry.record(damaged).artifact
    (tmp_path / "store" / artifact.path / FILE).write_text("{}")
    assert offers_in_service(registry.store) == OWN
    assert offers_by_release(registry.store) == {damaged: OWN, serving: OWN}
    assert not caplog.records
    registry.store.delete_pointer(POINTER)
    assert offers_by_release(registry.store) == {serving: OWN}
    [warning] = caplog.messages
    assert warning.startswith(f"decisions of {damaged} count as of the built-in offers: ")


def test_a_release_that_takes_a_damaged_ones_place_tells_what_that_one_offered(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """It has the same files, under another day's id."""
    own = publish(registry, base, tmp_path, 0, OWN)
    registry.store.delete_pointer(POINTER)
    record = registry.record(own)
    (tmp_path / "store" / record.artifact.path / FILE).write_text("{}")
    folder = tmp_path / "release0"
    again = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    renamed = again.model_copy(update={"release_id": f"20990101-{own.partition('-')[2]}"})
    (folder / "manifest.json").write_text(renamed.model_dump_json())
    registry.publish(folder)
    assert [r.release_id for r in registry.records()] == [renamed.release_id]
    assert offers_by_release(registry.store) == {own: OWN, renamed.release_id: OWN}


def test_a_contract_of_another_version_is_one_line(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Why: plans and imports ended in many lines, none of which named the release."""
    folder = Path(shutil.copytree(base, tmp_path / "other"))
    (folder / FILE).write_text('{"contract": "Acme"')
    old = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    kept = {*Manifest.model_fields} - {"release_id", "created", "content", "files"}
    facts = {name: getattr(old, name) for name in kept}
    facts["report"] = {k: v for k, v in old.report.items() if k != "release_id"}
    release_id = write_manifest(folder, **facts).release_id
    artifact = registry.store.put(f"releases/{release_id}", folder)
    latest = Latest(release_id=release_id, artifact=artifact, since=old.created, reason="test")
    registry.store.write_pointer(LATEST, latest.model_dump_json().encode())
    said = f"^{FILE} of release {release_id} is damaged: Invalid JSON: .*; build the release anew"
    with pytest.raises(DamagedArtifactError, match=said):
        offers_in_service(registry.store)
