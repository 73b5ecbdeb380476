"""From a finding, a plain function, to a Dagster check on an asset."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from churn_assets.orchestration.resources import StoreResource
from churn_assets.stages.spec import Report
from churn_assets.storage.protocol import Artifact

Finding = Callable[[Report], dg.AssetCheckResult]
"""Judges what a stage reported of itself."""


def check_on(
    asset: str,
    judge: Callable[[StoreResource, Artifact], dg.AssetCheckResult],
    *,
    name: str,
    about: str | None,
    blocking: bool = True,
) -> dg.AssetChecksDefinition:
    """The check `name` on `asset`: what `judge` finds in the artifact that the asset published.

    Args:
        about: what the Dagster UI says the check holds.
        blocking: what depends on the asset waits for the check, and doesn't run where it fails as
            an error.
    """

    @dg.asset_check(asset=dg.AssetKey(asset), name=name, description=about, blocking=blocking)
    def check(artifact: Artifact, store: StoreResource) -> dg.AssetCheckResult:
        return judge(store, artifact)

    return check


def on_report(
    asset: str, *, blocking: bool = True
) -> Callable[[Finding], dg.AssetChecksDefinition]:
    """Makes of a finding on the asset's report the check with its name and docstring."""

    def attached(finding: Finding) -> dg.AssetChecksDefinition:
        return check_on(
            asset,
            lambda store, artifact: finding(store.report(artifact)),
            name=finding.__name__,
            about=finding.__doc__,
            blocking=blocking,
        )

    return attached
