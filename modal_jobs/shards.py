"""Batch prediction beyond one machine: split the customers, score the shards, join the results.

    python -m modal_jobs.shards customers.parquet predictions.parquet

scores any number of customers with the release in service, in this process or, if the settings say
`CHURN_COMPUTE__BACKEND=modal`, on up to `max_shards` Modal containers at once. The function that
scores a shard is the one that the `predictions` asset uses.

A store has one copy of what is the same. So each run marks its shards and their results: another
one over the same customers has its own, and neither takes away what the other still reads.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.domain.plain_errors import one_line_exit
from churn_assets.release.bundle import ReleaseError, read_manifest
from churn_assets.release.config import ReleaseConfig, ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price, experiment, kill_switch
from churn_assets.serving.bulk import scoring as predictions
from churn_assets.serving.forms import load_form
from churn_assets.settings import Settings, load_settings
from churn_assets.stages.child_process import StageError
from churn_assets.stages.runner import run_stage
from churn_assets.stages.spec import Progress, Stage, StageReport, StageSpec, silent
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import Artifact, ArtifactError, ArtifactStore
from churn_assets.storage.scratch import held_folder, remove_abandoned, scratch_folder
from churn_assets.storage.tables import ROW_GROUP, batches_of, parquet_writer

SHARD = "customer_shards"
MARK = "run.txt"
"""The file that tells a run's shards, and their results, from those of another run."""
Spec = dict[str, Any]
Map = Callable[[Callable[[Spec], Spec], Iterable[Spec]], Iterable[Spec]]
"""Applies a function to each spec, wherever it likes; results in the order of the specs."""


def score_marked(
    inputs: Mapping[str, Path], out: Path, config: ScoringConfig, progress: Progress = silent
) -> dict[str, Any]:
    """The predictions for a shard, with its run's mark beside them."""
    report = predictions.run(inputs, out, config, progress)
    shutil.copyfile(inputs["active_customers"] / MARK, out / MARK)
    return report


STAGE = Stage(name="shard_predictions", run=score_marked, settings=ScoringConfig)


def score(spec: Spec) -> Spec:
    """Score one shard and publish the result; a `StageSpec` in, a `StageReport` out, as JSON."""
    parsed = StageSpec.model_validate(spec)
    report = run_stage(STAGE, parsed, open_store(parsed.store_url))
    return report.model_dump(mode="json")


def split(customers: Path, rows: int, out: Path, run: str) -> Iterator[Path]:
    """Cut a Parquet file into folders with one file of at most `rows` customers each, in order,
    and the mark of the run beside it."""
    for number, batch in enumerate(batches_of(pq.ParquetFile(customers), rows)):
        folder = out / f"shard-{number:05d}"
        folder.mkdir()
        with pq.ParquetWriter(folder / "customers.parquet", batch.schema) as writer:
            writer.write_batch(batch)
        (folder / MARK).write_text(run)
        yield folder


def predict(
    customers: Path,
    out: Path,
    store: ArtifactStore,
    release: Artifact,
    config: ReleaseConfig,
    apply: Map = map,
) -> int:
    """Write the predictions for every customer of a Parquet file to the Parquet file `out`.

    `out` appears when it is whole; shards and results are in the store only while this runs. Of two
    runs at once with the same `out` it is in the end whole and of the one that ended last.

    Args:
        customers: columns as in the asset `active_customers`.
        release: the artifact of the release that decides.
        apply: how the shards are mapped; by default one after the other in this process.

    Returns:
        The number of customers.
    """
    stored: list[Artifact] = []
    remove_abandoned(out.parent.glob(f".{escape(out.name)}.part-*"))  # of runs that were killed
    with held_folder(out.parent, f".{out.name}.part-") as beside, _removed_from(store, stored):
        with scratch_folder("shards") as folder:
            shards = split(customers, config.shard_rows, folder, uuid4().hex)
            stored.extend(store.put(SHARD, path) for path in shards)
        specs = [
            StageSpec(
                stage=STAGE.name,
                inputs={"release": release, "active_customers": shard},
                config=config.model_dump(mode="json"),
                store_url=store.url,
            ).model_dump(mode="json")
            for shard in stored
        ]
        schema = predictions.schema_of(load_form(store.get(release)))
        part = beside / out.name
        with parquet_writer(part, schema) as write:
            rows = _join(apply(score, specs), write, store, stored)
        part.replace(out)
    return rows


@contextmanager
def _removed_from(store: ArtifactStore, stored: list[Artifact]) -> Iterator[None]:
    """Takes out of the store, at the end of the block, whatever that has added to `stored`."""
    try:
        yield
    finally:
        for artifact in stored:
            store.delete(artifact.name, artifact.version)


def _join(
    results: Iterable[Spec],
    write: Callable[[pa.RecordBatch], None],
    store: ArtifactStore,
    stored: list[Artifact],
) -> int:
    """Write the shards' results in order, noting each in `stored`; returns the rows."""
    rows = 0
    for result in results:
        report = StageReport.model_validate(result)
        stored.append(report.artifact)
        rows += report.metrics["customers"]
        file = pq.ParquetFile(store.get(report.artifact) / "predictions.parquet")
        for batch in batches_of(file, ROW_GROUP):
            write(batch)
    return rows


def map_on_modal(settings: Settings) -> Map:
    """Maps over containers of the deployed function `score_shard`.

    A failure is raised only after the results of all other shards, so that whoever asked learns of
    everything that is in the store by now.
    """
    # Imported here: a local run needs no Modal.
    from churn_assets.orchestration.modal.calls import deployed_function

    function = deployed_function(settings.compute.modal, "score_shard")

    def apply(_: Callable[[Spec], Spec], specs: Iterable[Spec]) -> Iterator[Spec]:
        failures = []
        for result in function.map(specs, order_outputs=True, return_exceptions=True):
            if isinstance(result, Exception):
                failures.append(result)
            else:
                yield result
        if failures:
            raise failures[0]

    return apply


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Score a Parquet file of customers in shards.")
    parser.add_argument("customers", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    settings = load_settings()
    store = open_store(settings.store_url, cache=settings.home / "cache")
    serving = ReleaseRegistry(store).serving()
    if serving is None:
        raise SystemExit("there is no release yet: run `churn materialize` first")
    apply = map_on_modal(settings) if settings.compute.backend == "modal" else map
    setting = settings.api.force_baseline or settings.release.force_baseline
    forced = kill_switch.baseline_forced(store, setting)
    own = bool(read_manifest(store.get(serving.artifact)).contract)
    config = ScoringConfig.of(
        settings.release,
        force_baseline=forced,
        experiment=experiment.in_force(store, settings.experiment, own_customers=own),
        budget_price=budget_price.in_force(store, serving.release_id),
    )
    rows = predict(arguments.customers, arguments.out, store, serving.artifact, config, apply)
    print(f"{rows:,} customers scored by release {serving.release_id} in {arguments.out}")


if __name__ == "__main__":
    with one_line_exit(ArtifactError, ReleaseError, StageError, pa.ArrowException):
        main()
