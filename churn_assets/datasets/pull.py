"""Find a data set's raw files: mirror, public download, or the project's own generator."""

import logging
from collections.abc import Callable
from pathlib import Path

from churn_assets.datasets.config import DatasetName, DatasetsConfig, SourceKind
from churn_assets.datasets.errors import CorruptFileError, SourceUnavailableError
from churn_assets.datasets.sources import mirror, public
from churn_assets.datasets.sources.files import RawFile, sha256_of_all, verify
from churn_assets.datasets.synthetic import generate
from churn_assets.stages.spec import Progress, silent

logger = logging.getLogger(__name__)

ADVICE: dict[SourceKind, str] = {
    "mirror": "It is the mirror's own copy: replace it by a whole one",
    "download": "Delete it and fetch it again with `churn data pull`",
    "synthetic": "Delete it, and it is generated again",
}
"""What to do about a damaged file, which depends on whose it is."""

_AUTO: tuple[SourceKind, ...] = ("mirror", "download", "synthetic")


def pull(
    name: DatasetName, config: DatasetsConfig, raw_dir: Path, progress: Progress = silent
) -> RawFile:
    """The raw files of a data set, from the first source that has them.

    Downloads and generated files are kept below `raw_dir` and used again; the mirror's files are
    used where they lie. Only an unavailable source makes `auto` go on to the next one: damaged
    or unexpected data are an error.

    Args:
        name: the asset's name (`config.SOURCE_NAMES` maps the sources' common names to it).
        config: which source, its pins and its limits.
        raw_dir: folder for raw files.
        progress: told bytes (files) or rows (hub) of the download.

    Raises:
        SourceUnavailableError: no permitted source has the data; the message has each reason.
        DataError: a file is damaged, or is not the pinned one.
    """
    kinds = _AUTO if config.source == "auto" else (config.source,)
    passed_over: list[str] = []
    for kind in kinds:
        try:
            raw = _FETCH[kind](name, config, raw_dir, progress)
        except SourceUnavailableError as reason:
            passed_over.append(f"{kind}: {reason}")
            logger.warning("%s: nothing from source %s: %s", name, kind, reason)
            continue
        except CorruptFileError as error:
            raise error.advised(ADVICE[kind]) from error
        if kind == "synthetic":
            logger.warning("%s: using SYNTHETIC data, not the real data set", name)
        return RawFile(raw.files, raw.source, raw.sha256, raw.revision, tuple(passed_over))
    raise SourceUnavailableError(f"no source has {name}: {'; '.join(passed_over)}")


def _from_mirror(
    name: DatasetName, config: DatasetsConfig, raw_dir: Path, progress: Progress
) -> RawFile:
    files = mirror.find(name, config.mirror)
    pinned = {"telco_customers": config.telco.pin, "bank_contacts": config.bank.pin}
    if name in pinned:
        return RawFile(files, "mirror", verify(files[0], pinned[name].sha256))
    return RawFile(files, "mirror", sha256_of_all(files))


def _generated(
    name: DatasetName, config: DatasetsConfig, raw_dir: Path, progress: Progress
) -> RawFile:
    if not config.allow_synthetic:
        raise SourceUnavailableError("synthetic data are refused by the settings")
    file = generate(name, config, raw_dir / "synthetic")
    return RawFile((file,), "synthetic", sha256_of_all((file,)))


_FETCH: dict[SourceKind, Callable[[DatasetName, DatasetsConfig, Path, Progress], RawFile]] = {
    "mirror": _from_mirror,
    "download": public.fetch,
    "synthetic": _generated,
}
