"""The mirror: a local folder with copies of the public files, plain or gzip."""

from pathlib import Path

from churn_assets.datasets.errors import DataError, SourceUnavailableError

# The first pattern that the mirror has is used. Kaggle's name of the IBM file comes second.
_PATTERNS = {
    "telco_customers": (
        "ibm_telco/Telco-Customer-Churn.csv",
        "ibm_telco/WA_Fn-UseC_-Telco-Customer-Churn.csv",
    ),
    "bank_contacts": ("uci_bank/bank-additional-full.csv",),
    "oasst1_pairs": ("oasst1/*tree*.jsonl",),
    "preference_pairs": ("preferences/*.jsonl",),
}


def find(name: str, mirror: Path | None) -> tuple[Path, ...]:
    """The data set's files in the mirror, in order of name.

    Raises:
        SourceUnavailableError: no mirror is set, or it does not have this data set.
        DataError: the folder that was named does not exist.
    """
    mirror = _folder(mirror)
    for pattern in _PATTERNS[name]:
        if files := _matching(mirror, pattern):
            return files
    wanted = " or ".join(f"{pattern}[.gz]" for pattern in _PATTERNS[name])
    raise SourceUnavailableError(f"the mirror folder {mirror} has no {wanted}")


def in_mirror(mirror: Path | None, path: str) -> Path:
    """One file of the mirror, plain or gzip; raises like `find`."""
    mirror = _folder(mirror)
    if files := _matching(mirror, path):
        return files[0]
    raise SourceUnavailableError(f"the mirror folder {mirror} has no {path}[.gz]")


def _folder(mirror: Path | None) -> Path:
    if mirror is None:
        raise SourceUnavailableError("no mirror folder is set (CHURN_DATA_MIRROR)")
    if not mirror.is_dir():
        raise DataError(f"the mirror folder {mirror} does not exist; correct or unset the setting")
    return mirror


def _matching(mirror: Path, pattern: str) -> tuple[Path, ...]:
    found = {file.name.removesuffix(".gz"): file for file in sorted(mirror.glob(pattern + "*"))}
    return tuple(
        file
        for stem, file in sorted(found.items())
        if file.name in (stem, f"{stem}.gz") and Path(stem).suffix == Path(pattern).suffix
    )
