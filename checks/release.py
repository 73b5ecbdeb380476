"""Checks of the release in service and of the predictions made with it.

Both assets have judged the same before they name what they made: servers don't wait for checks.
"""

from __future__ import annotations

import dagster as dg

from churn_assets.orchestration.resources import StoreResource
from churn_assets.release import scored
from churn_assets.release.bundle import ReleaseError, read_manifest, verify
from churn_assets.release.history import newest_build
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import check_golden
from churn_assets.storage.protocol import Artifact, ArtifactError


@dg.asset_check(asset="release", blocking=True)
def every_file_has_its_digest(store: StoreResource, release: Artifact) -> dg.AssetCheckResult:
    """The stored release is what its manifest says, file by file."""
    try:
        manifest = verify(store.open().get(release))
    except (ArtifactError, ReleaseError) as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(
        passed=True, metadata={"files": len(manifest.files), "release_id": manifest.release_id}
    )


@dg.asset_check(asset="release", blocking=True)
def golden_answers_are_reproduced(store: StoreResource, release: Artifact) -> dg.AssetCheckResult:
    """A server that loads the release from the store answers as its builder did."""
    try:
        folder = store.open().get(release)
        count = check_golden(RetentionEngine.load(folder), folder)
    except (ArtifactError, ReleaseError) as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(passed=True, metadata={"requests": count})


@dg.asset_check(asset="release", blocking=False)
def every_component_is_of_its_own_build(
    store: StoreResource, release: Artifact
) -> dg.AssetCheckResult:
    """Policy and messages in service passed their gates in the release's own build; nothing else
    stands in for them."""
    stand_ins = read_manifest(store.open().get(release)).stand_ins
    return dg.AssetCheckResult(
        passed=not stand_ins,
        description="; ".join(stand_ins.values()) or None,
        metadata=dict(stand_ins),
    )


@dg.asset_check(asset="release", blocking=False)
def the_newest_build_serves(store: StoreResource, release: Artifact) -> dg.AssetCheckResult:
    """What was built last answers requests: it is neither worse than what serves, nor of other
    customers. Where it doesn't since a person rolled it back or promoted another, that is a
    warning, which names the command that lets it serve."""
    registry = ReleaseRegistry(store.open())
    wanted = newest_build(registry.records())
    serving = read_manifest(store.open().get(release)).release_id
    decided = wanted.is_kept_out(registry.latest_if_known())
    why = (
        f"{serving} serves; {wanted.release_id}, which present data and settings make, doesn't, by "
        f"decision of a person: `churn promote {wanted.release_id}` lets it serve"
        if decided
        else f"{serving} serves; {wanted.release_id} was built since, and doesn't: {wanted.reason}"
    )
    passed = wanted.release_id == serving
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if decided else dg.AssetCheckSeverity.ERROR,
        description=None if passed else why,
        metadata={"serves": serving, "newest": wanted.release_id},
    )


@dg.asset_check(
    asset="predictions",
    blocking=True,
    additional_ins={"active_customers": dg.AssetIn("active_customers")},
)
def every_customer_is_scored_once(
    store: StoreResource, predictions: Artifact, active_customers: Artifact
) -> dg.AssetCheckResult:
    """As many predictions as customers, each customer once."""
    artifacts = store.open()
    found = scored.scored_once(artifacts.get(predictions), artifacts.get(active_customers))
    return dg.AssetCheckResult(passed=found.passed, metadata=found.figures)


@dg.asset_check(asset="predictions", blocking=True)
def figures_are_finite_and_in_range(
    store: StoreResource, predictions: Artifact
) -> dg.AssetCheckResult:
    """Probabilities within [0, 1], values finite, acceptance never falling with the offer."""
    found = scored.figures_in_range(store.open().get(predictions))
    return dg.AssetCheckResult(passed=found.passed, metadata=found.figures)
