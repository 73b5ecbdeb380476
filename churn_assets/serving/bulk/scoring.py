"""Score every customer with a release, in streaming batches: Parquet in, Parquet out.

The same `Assessor` answers the API, so a nightly prediction and a live request agree. Columns stay
columns all the way. Batches are decided side by side, a thread a core, and written in their order,
so that a result doesn't depend on the number of cores. Memory holds a few batches, whatever the
number of customers; each shard of a larger table can run elsewhere.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import MONTHLY, TENURE, CustomerSchema, load_schema
from churn_assets.domain.cores import usable_cores
from churn_assets.domain.experiment import CONTROL, group_of
from churn_assets.domain.splits import SPLITS
from churn_assets.release.bundle import ReleaseError, verify
from churn_assets.release.config import ScoringConfig
from churn_assets.serving.assessment import Assessor, draw_of
from churn_assets.serving.bulk.campaign import Campaign, Sums
from churn_assets.serving.bulk.columns import inputs_of, predictions
from churn_assets.serving.forms import Form, load_form
from churn_assets.stages.spec import Progress, silent
from churn_assets.storage.tables import batches_of, parquet_writer

FIGURES = pa.schema(
    [
        ("churn_risk", pa.float64()),
        *[(f"accept_prob_{level}", pa.float64()) for level in range(4)],
        ("contact", pa.bool_()),
        ("offer_level", pa.int8()),
        ("offer_percentage", pa.int8()),
        ("delay_days", pa.int8()),
        ("action_probability", pa.float64()),
        ("expected_value", pa.float64()),
        ("expected_cost", pa.float64()),
        ("estimated_retention_prob", pa.float64()),
        ("release_id", pa.string()),
    ]
)
KINDS, WORD = {"number": pa.float64(), "flag": pa.bool_()}, pa.string()  # of a contract's fields


def features_of(form: Form) -> pa.Schema:
    """What a prediction was made from: it stays beside it, so that anybody can ask again."""
    unread = form.customers.accepted if form.schema is None else ()  # the public file has them
    fields = (*unread, *form.customers.fields)
    columns = {"customer_id": pa.string()} | {f.name: KINDS.get(f.kind, WORD) for f in fields}
    columns |= {TENURE: pa.int64(), MONTHLY: pa.float64()}
    return pa.schema(list(columns.items()))


def schema_of(form: Form) -> pa.Schema:
    """The columns of the predictions of a release with this form."""
    return pa.schema([*features_of(form), *FIGURES])


MOST_THREADS = 8  # one thread reads and writes, and keeps no more than these busy
T = TypeVar("T")
R = TypeVar("R")


def run(
    inputs: Mapping[str, Path], out: Path, config: ScoringConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Write `out/predictions.parquet`: one row a customer, columns of `features_of` and `FIGURES`.

    Args:
        inputs: `release` -> a release's folder; `active_customers` -> the customers' folder, or a
            shard of a larger one.

    Returns:
        Counts and sums of the campaign, the Pareto curve, the release's id, whether the rules
        decided.

    Raises:
        ReleaseError: the release's files are not what its manifest says.
    """
    manifest = verify(inputs["release"])
    assessor = Assessor.load(inputs["release"], tables=True).priced(config.budget_price)
    form = load_form(inputs["release"])
    _refuse_others(form, inputs["active_customers"])
    schema = schema_of(form)
    files = [_opened(path) for path in customer_tables(inputs["active_customers"])]
    total = sum(file.metadata.num_rows for file in files)
    campaign = Campaign(assessor.params.budget_limit)
    started, done, now = time.perf_counter(), 0, datetime.now(UTC)

    def decide(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Sums]:
        read = inputs_of(batch, assessor)
        alone = config.experiment.enabled and [
            group_of(customer, config.experiment, now) == CONTROL for customer in read.ids
        ]
        assessed = assessor.assess_inputs(
            read,
            np.full(len(read), config.force_baseline),
            control=np.array(alone, np.bool_),
            draw=draw_of(read.ids, config.experiment, now, manifest.release_id),
        )
        made = predictions(batch, assessed, manifest.release_id, schema, assessor.percent)
        return made, Sums.of(assessed)

    batches = (batch for file in files for batch in batches_of(file, config.batch_rows))
    with threadpool_limits(1), parquet_writer(out / "predictions.parquet", schema) as write:
        for made, sums in side_by_side(decide, batches):
            write(made)
            campaign.add(sums)
            done += made.num_rows
            progress(done, total, rows_per_second=done / (time.perf_counter() - started))
    return {
        "release_id": manifest.release_id,
        "baseline": config.force_baseline,
        **campaign.report(),
    }


def customer_tables(folder: Path) -> list[Path]:
    """The Parquet files of a folder, the splits of a data set in their order."""
    order: dict[str, int] = {split: position for position, split in enumerate(SPLITS)}
    return sorted(folder.glob("*.parquet"), key=lambda path: (order.get(path.stem, 0), path.stem))


def _opened(path: Path) -> pq.ParquetFile:
    """The file, whose words come as numbers in a list of the few that there are; ids come as they
    are."""
    words = [f.name for f in pq.read_schema(path) if pa.types.is_string(f.type)]
    return pq.ParquetFile(path, read_dictionary=[w for w in words if w != "customer_id"])


def _refuse_others(form: Form, customers: Path) -> None:
    """Raise ReleaseError where the customers are not of the release's contract."""
    if not (customers / "dataset.json").exists():
        return  # a shard of a table, whose whole was looked at
    theirs = load_schema(customers)
    if others := _names(form.schema) ^ _names(theirs):
        whose, of = form.customers.contract, (theirs or BUILT_IN_SCHEMA).contract
        if whose == of:
            raise ReleaseError(
                f"the release in service is of {whose} when its contract had other fields (only "
                f"one of the two has {', '.join(sorted(others))}): make one of the contract as it "
                "is with `churn materialize`; if that was refused, `churn releases` says why, and "
                "`churn promote ID` serves it"
            )
        raise ReleaseError(
            f"the release is of {whose}, the customers of {of}: build a release of theirs"
        )


def _names(schema: CustomerSchema | None) -> set[str]:
    return {field.name for field in schema.fields} if schema else set()


def side_by_side(decide: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
    """`decide` of each batch, in their order: a thread a core, and as many batches waiting."""
    threads = min(usable_cores(), MOST_THREADS)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            waiting.append(pool.submit(decide, batch))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
