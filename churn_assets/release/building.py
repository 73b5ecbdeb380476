"""A release of the present models, built unless there is one with the same content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from churn_assets.domain.measured import Measured
from churn_assets.release.assembly import Parts, Terms, assemble, choose, read_data, seal
from churn_assets.release.components import Champion, World
from churn_assets.release.history import ReleaseRecord
from churn_assets.release.promotion import fields_apart
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.rehearsal import Rehearsal
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.scratch import scratch_folder


@dataclass(frozen=True)
class Build:
    """What a release is made of.

    models, data: asset name -> artifact. customers: those learnt from, one of `data`. world: the
    current customers, to judge a stand-in on. checks: how many `passed`, `failed` and `warned`.
    missed: component -> the gates it missed.
    """

    models: Mapping[str, Artifact]
    data: Mapping[str, Artifact]
    customers: Artifact
    world: Callable[[], World]
    checks: Mapping[str, int]
    missed: Mapping[str, Sequence[str]]


def world_of(store: ArtifactStore, environment: Artifact, oracle: Artifact, terms: Terms) -> World:
    """The current customers; read only where something has to be judged on them."""
    folders = store.get(environment), store.get(oracle)
    return World(*folders, terms.preset, terms.world, terms.samples)


def published(
    registry: ReleaseRegistry, build: Build, terms: Terms, rehearsal: Rehearsal
) -> ReleaseRecord:
    """The release with these models, built unless there is one with the same content."""
    store = registry.store
    parts = Parts(**{name: store.get(artifact) for name, artifact in build.models.items()})
    datasets = {name: store.get(artifact) for name, artifact in build.data.items()}
    data = read_data(datasets)
    champion = _champion(registry) if build.missed else None
    with scratch_folder("release") as folder:
        out, work = folder / "bundle", folder / "work"
        out.mkdir()
        work.mkdir()
        gated = choose(build.missed, parts, build.world, terms, data, champion, work)
        content = assemble(parts, gated, datasets[build.customers.name], out, terms, rehearsal)
        known = registry.find_content(content)
        if known is not None:
            registry.note_build(known.release_id)
            return known
        serving = registry.serving_manifest()
        seal(
            out,
            gated,
            models={name: artifact.sha256 for name, artifact in build.models.items()},
            data=data,
            customers=build.customers,
            checks=build.checks,
            terms=terms,
            champion=serving,
            other_fields=fields_apart(registry.folder(), out) if serving else (),
            measured=Measured.load(build.world().environment),
        )
        return registry.publish(out)


def _champion(registry: ReleaseRegistry) -> Champion | None:
    """The release in service, every file's digest checked; None before the first one, and where
    none can be used any more."""
    manifest = registry.serving_manifest()
    return None if manifest is None else Champion(manifest, registry.folder())
