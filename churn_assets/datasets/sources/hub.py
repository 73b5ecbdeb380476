"""The hub's data sets at pinned commits, through the `datasets` library, saved as JSONL."""

import gzip
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from churn_assets.datasets.config import DownloadConfig, HubConfig
from churn_assets.datasets.errors import SourceUnavailableError
from churn_assets.datasets.sources.transfer import IncompleteDownloadError, ensure_reachable
from churn_assets.domain.splits import SPLIT_SEED
from churn_assets.stages.spec import Progress

if TYPE_CHECKING:
    from datasets import IterableDataset

Row = Mapping[str, Any]

logger = logging.getLogger(__name__)

_MESSAGE_FIELDS = (
    "message_tree_id",
    "message_id",
    "parent_id",
    "role",
    "lang",
    "text",
    "rank",
    "deleted",
    "review_result",
    "tree_state",
)
_SHP_FIELDS = ("domain", "history", "human_ref_A", "human_ref_B", "labels", "score_ratio")
_SHUFFLE_BUFFER = 10_000
SAVED_TO_DISK = "dataset_dict.json"  # what `DatasetDict.save_to_disk` leaves in its folder
_MARGIN = 1.1  # more than the limit is fetched, since cleaning drops some


def save(
    source: HubConfig,
    target: Path,
    rows: Callable[[HubConfig], Iterable[Row]],
    config: DownloadConfig,
    progress: Progress,
) -> None:
    """Write the source's rows to the gzipped JSONL `target`, unless it is there already; those of a
    local folder anew, since no revision says what is in that now.

    Raises:
        SourceUnavailableError: the hub cannot be reached, or does not have the commit.
        IncompleteDownloadError: the transfer broke off.
    """
    if not is_folder(source):
        if target.exists():
            return
        from huggingface_hub.constants import ENDPOINT

        ensure_reachable(ENDPOINT, config)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        # No name and no time in the gzip header: the same rows are the same bytes.
        with part.open("wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
            for number, row in enumerate(rows(source), start=1):
                packed.write(json.dumps(row, sort_keys=True).encode() + b"\n")
                if number % 1_000 == 0:
                    progress(number, math.ceil((source.limit or 0) * _MARGIN))
        part.replace(target)
    except (httpx.HTTPError, ConnectionError) as error:
        raise IncompleteDownloadError(f"{source.repo} broke off: {error}; try again") from error
    finally:
        part.unlink(missing_ok=True)


def is_folder(source: HubConfig) -> bool:
    """Whether the data set lies on this machine."""
    return Path(source.repo).is_dir()


def oasst1_rows(source: HubConfig) -> Iterator[Row]:
    """Every message of the ready trees, one row each."""
    for split in ("train", "validation"):
        for message in _stream(source, split):
            yield {name: message[name] for name in _MESSAGE_FIELDS}


def hh_rows(source: HubConfig) -> Iterator[Row]:
    """Dialogue pairs, spread evenly over the data set's parts."""
    for pair in _spread(_stream(source, "train"), source.limit, lambda row: True):
        yield {name: pair[name] for name in ("chosen", "rejected")}


def shp_rows(source: HubConfig, minimum_score_ratio: float) -> Iterator[Row]:
    """Clearly voted comment pairs, spread evenly over the 129 subject areas."""

    def clear(row: Row) -> bool:
        return bool(row["score_ratio"] >= minimum_score_ratio)

    for pair in _spread(_stream(source, "train"), source.limit, clear):
        yield {name: pair[name] for name in _SHP_FIELDS}


def _stream(source: HubConfig, split: str) -> "IterableDataset":
    from datasets import load_dataset, load_from_disk
    from datasets.exceptions import DatasetNotFoundError

    if (Path(source.repo) / SAVED_TO_DISK).exists():
        logger.info("reading %s (%s) from disk", source.repo, split)
        return load_from_disk(source.repo)[split].to_iterable_dataset()
    logger.info("streaming %s (%s) at %s", source.repo, split, source.revision)
    try:
        return load_dataset(source.repo, split=split, revision=source.revision, streaming=True)
    except (DatasetNotFoundError, ConnectionError, httpx.HTTPError) as error:
        raise SourceUnavailableError(f"{source.repo}@{source.revision}: {error}") from error


def _spread(
    stream: "IterableDataset", limit: int | None, keep: Callable[[Row], bool]
) -> Iterator[Row]:
    """Rows of every file of the data set in equal numbers, `limit` and a margin in all.

    The files are the data set's subject areas: the first `limit` rows would be one subject only.
    What a small file lacks is taken from those after it.
    """
    remaining = math.ceil(limit * _MARGIN) if limit else None
    for index in range(stream.num_shards):
        shard = stream.shard(num_shards=stream.num_shards, index=index)
        shuffled = filter(keep, shard.shuffle(seed=SPLIT_SEED, buffer_size=_SHUFFLE_BUFFER))
        if remaining is None:
            yield from shuffled
            continue
        for row in islice(shuffled, math.ceil(remaining / (stream.num_shards - index))):
            remaining -= 1
            yield row
