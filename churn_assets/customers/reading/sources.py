"""Where a contract's table lies: files here, in the mirror, on the web or in a bucket."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from churn_assets.customers.contract.tables import Download, Table
from churn_assets.datasets.config import SOURCE_NAMES, DatasetsConfig
from churn_assets.datasets.errors import CorruptFileError, DataError, SourceUnavailableError
from churn_assets.datasets.pull import pull
from churn_assets.datasets.sources.files import verify
from churn_assets.datasets.sources.mirror import in_mirror
from churn_assets.datasets.sources.transfer import download
from churn_assets.storage.protocol import ArtifactError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet")
# What holds rows as well, and isn't read here.
OTHERS = (".json", ".jsonl", ".ndjson", ".xls", ".xlsx", ".orc", ".avro", ".zip", ".zst", ".bz2")


@dataclass(frozen=True)
class Places:
    """Where files come from.

    Attributes:
        base: what relative paths are relative to: the contract's folder.
        raw: folder for downloads.
        data: the public sources' settings, with the mirror folder.
        zone: in whose days moments are that a table gives with their offset; None: each in its own.
    """

    base: Path
    raw: Path
    data: DatasetsConfig = field(default_factory=DatasetsConfig)
    zone: str | None = None


def files_of(table: Table, places: Places, scratch: Path) -> list[Path]:
    """The table's files on this machine, in order; those of a bucket are copied to `scratch`.

    Raises:
        DataError: there is no such file, or it is none that is read here.
        SourceUnavailableError: it can't be fetched.
        ArtifactError: the bucket refuses.
    """
    files = [file for path in table.path for file in _found(path, table, places, scratch)]
    if doubled := sorted({str(file) for file in files if files.count(file) > 1}):
        raise DataError(f"{doubled[0]} is named twice by path")
    return files


def _found(path: str, table: Table, places: Places, scratch: Path) -> list[Path]:
    scheme, _, rest = path.partition(":")
    if path.startswith("gs://"):
        return _from_bucket(path, scratch)
    if scheme == "mirror":
        return [_mirrored(rest, table.download, places)]
    if scheme == "public":
        if rest not in SOURCE_NAMES:
            raise DataError(f"{path}: known sources are {', '.join(SOURCE_NAMES)}")
        return list(pull(SOURCE_NAMES[rest], places.data, places.raw).files)
    if "://" in path:
        raise DataError(_no_file(scheme, path))
    return _local(places.base / Path(path).expanduser())


def _local(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if is_table(file.name))
        if not found:
            raise DataError(f"{path}: the folder has no {', '.join(SUFFIXES)}")
        if other := next(_passed_over(path), None):
            raise _in_part(str(path), other, f"{path.name}/*{found[0].suffix}")
        return found
    if path.exists():
        if not is_table(path.name):
            raise DataError(f"{path}: the name has to end in {', '.join(SUFFIXES)}")
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not found:
        raise DataError(f"{path}: there is no such file, folder or glob")
    return [file for one in found for file in _local(one)]


def _passed_over(folder: Path) -> Iterator[str]:
    """What else a folder of tables holds that looks like more rows of them."""
    for other in sorted(folder.iterdir()):
        if other.name.startswith("."):
            continue
        if other.is_dir() and any(is_table(below.name) for below in other.rglob("*")):
            yield f"{other.name}/"
        elif _has_rows(other.name):
            yield other.name


def _in_part(place: str, other: str, instead: str) -> DataError:
    """The refusal of a folder of which only a part would be read."""
    return DataError(
        f"{place}: the folder has {other} as well, which isn't read with it: put it elsewhere, or "
        f"name by path what to read, as {instead}"
    )


def is_table(name: str) -> bool:
    """Whether the name is one of a file that is read here; hidden files aren't."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _has_rows(name: str) -> bool:
    """Whether the name is one of a file with rows that isn't read here."""
    return name.lower().endswith(OTHERS) and not name.startswith(".")


def _mirrored(path: str, source: Download | None, places: Places) -> Path:
    try:
        return in_mirror(places.data.mirror, path)
    except SourceUnavailableError as reason:
        if source is None:
            raise SourceUnavailableError(f"{reason}, and the contract names no download") from None
    target = places.raw / path
    if target.exists():
        verify(target, source.sha256)
        return target
    return download(
        source.url, target, places.data.download, check=lambda part: verify(part, source.sha256)
    )


def _no_file(scheme: str, path: str) -> str:
    """Why a URL is no path; of a database's without what may be its password."""
    if scheme in ("http", "https", "s3", "abfs", "abfss", "ftp", "file"):
        return f"{path}: only gs:// is read, or a file here"
    return (
        f"{scheme}://…: a path is a file here, or gs://…. Of a database, a contract has "
        "tables: {history: {sql: {url: ..., query: SELECT ...}}} in place of path "
        "(docs/own-data.md, What a contract may say); for a first contract, inspect a CSV or "
        "Parquet file of what the query gives"
    )


def _from_bucket(url: str, scratch: Path) -> list[Path]:
    """Copies of the objects at `gs://bucket/name`: one, a glob, or all below a folder.

    What lies in a hidden folder is passed over; a table in one that a writer keeps for itself
    (`_temporary`, `_delta_log`) is refused: either the files aren't all of them yet, or not every
    one of them counts.
    """
    # Imported here: the client library costs a second that other sources need not pay.
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    from churn_assets.storage.gcs import storage_client

    name, _, key = url.removeprefix("gs://").partition("/")
    start = re.split(r"[*?\[]", key)[0]
    try:
        bucket = storage_client().bucket(name)
        named = [
            blob
            for blob in bucket.client.list_blobs(bucket, prefix=start)
            if (blob.name == key or _below(blob.name, key) or _matches(blob.name, key))
            and not any(folder.startswith(".") for folder in _folders(blob.name, start))
        ]
        blobs = [blob for blob in named if is_table(_last(blob.name))]
        if not blobs:
            raise DataError(f"{url}: the bucket has no such {', '.join(SUFFIXES)}")
        for blob in blobs:
            if any(folder.startswith("_") for folder in _folders(blob.name, start)):
                raise DataError(
                    f"{url}: the folder has {blob.name} as well, which its writer keeps for "
                    "itself: wait until all is written, or name a copy by path"
                )
        if others := sorted(blob.name for blob in named if _has_rows(_last(blob.name))):
            folder = blobs[0].name.rpartition("/")[0]
            raise _in_part(url, others[0], f"gs://{name}/{folder}/*{Path(blobs[0].name).suffix}")
        files = []
        for blob in sorted(blobs, key=lambda blob: str(blob.name)):
            below = [part for part in blob.name.split("/") if part not in ("", ".", "..")]
            target = scratch.joinpath("bucket", name, *below)
            target.parent.mkdir(parents=True, exist_ok=True)
            # The object as it was listed: one that is replaced meanwhile is refused.
            blob.download_to_filename(str(target), if_generation_match=blob.generation)
            files.append(target)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise ArtifactError(f"{url}: {error}") from error
    return files


def _last(name: str) -> str:
    """An object's name without its folders; empty where it stands for a folder itself."""
    return name.rpartition("/")[2]


def _folders(name: str, start: str) -> list[str]:
    """The folders in which an object lies, without what the path names of them."""
    return name[len(start) :].split("/")[:-1]


def _matches(name: str, pattern: str) -> bool:
    """Whether a glob names the object, or a folder in which it lies; as in a shell only `**` goes
    from folder to folder."""
    if "**" in pattern:
        shorter = pattern.replace("**/", "")  # `**` may stand for no folder at all
        return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, shorter)
    parts, wanted = name.split("/"), pattern.rstrip("/").split("/")
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _below(name: str, folder: str) -> bool:
    return name.startswith(folder.rstrip("/") + "/") if folder else True


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Within it the file is read; raises CorruptFileError if it changed meanwhile."""
    before = path.stat()
    yield
    after = path.stat()
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise CorruptFileError(
            path, "it changed while it was read", "Wait until it is written, and start again"
        )
