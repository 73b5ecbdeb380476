"""How a company's own rows are split, and kept: a Parquet file for each, and a summary of all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.schema import HORIZON_DAYS_A_MONTH
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.sources.files import sha256_of
from churn_assets.datasets.splits import grouped_split
from churn_assets.datasets.tables import write_parquet
from churn_assets.domain.splits import SPLITS

ENOUGH = 3
"""Rows of those who left, and of those who stayed, that test rows of snapshots hold at the least,
where there is a snapshot from which on they do."""
ENOUGH_TO_LEARN = 30
MOST = 0.5
"""Those who left, or stayed, whichever are fewer: how many, and which share of them, have to remain
to learn from where rows are left out for their horizon's sake. Otherwise none is: it would make a
worse model, to measure it a little better."""


class InTime(NamedTuple):
    """How rows of customers with snapshots are split.

    Attributes:
        split: of each row (N,); empty where no split may hold it.
        notes: which rows those are, and whether others speak of the test rows' time, in words.
    """

    split: NDArray[np.str_]
    notes: tuple[str, ...] = ()


def write_splits(
    frame: pd.DataFrame, out: Path, about: Mapping[str, str], outcome: str
) -> dict[str, float] | None:
    """Write `train|valid|test.parquet` and `dataset.json` into a folder.

    Args:
        frame: the rows with their `split`; not empty in any.
        about: what else the summary says: the data set's `name`, and whose rows they are.
        outcome: a column of true and false, where the rows have it.

    Returns:
        Each split's share of true outcomes; None without the column.

    Raises:
        DataError: a split has no row.
    """
    sizes, files, rates = dict[str, int](), dict[str, str](), dict[str, float]()
    for part in SPLITS:
        rows = frame[frame["split"] == part].drop(columns=["split"])
        if rows.empty:
            whose = about.get("contract") or about["campaign"]
            raise DataError(
                f"{whose}: {len(frame):,} rows are too few for three splits: none is for {part}"
            )
        path = out / f"{part}.parquet"
        write_parquet(rows, path)
        sizes[part], files[path.name] = len(rows), sha256_of(path)
        if outcome in rows:
            rates[part] = float(rows[outcome].mean())
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    summary = {
        **about,
        "source": "own",
        "sha256": digest,
        "rows": sum(sizes.values()),
        "splits": sizes,
        "files": files,
    }
    (out / "dataset.json").write_text(
        json.dumps(summary, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    return rates or None


def snapshot_split(
    whose: str,
    ids: NDArray[Any],
    left: NDArray[np.bool_],
    seen: NDArray[np.datetime64],
    horizon_months: float,
) -> InTime:
    """How each row of customers with snapshots (N,) is split.

    Test rows are of customers and of a time that no other row is of: of a tenth of the customers,
    from the last snapshot on; all others' rows are from before it. Where the last one has too few
    of that tenth who left, or stayed, it is the one before it from which on they're enough. Where
    there is one snapshot only, customers alone are apart.

    Whether somebody left within three months is known three months later: rows whose horizon ends
    after the test rows' snapshot speak of the same time as these, and are in no split where most of
    those who left, or stayed, remain to learn from without them. Elsewhere they're learnt from, and
    the notes say so: the model that ships is made of them, and its held-out figures may be a little
    too good.

    Args:
        whose: rows they are, for the error.
        ids: of the customers, text (N,).
        left: whether the customer left (N,).
        seen: date of the snapshot (N,).
        horizon_months: within which time they left.

    Raises:
        DataError: there is no such snapshot; says how many rows the last one has.
    """
    split = np.array(grouped_split(list(ids)))
    period = periods(ids, seen)
    last, *others = np.unique(period)[::-1]
    if not others:
        return InTime(split)
    test, valid = split == "test", split == "valid"
    for enough in (ENOUGH, 1):
        for first in (last, *others[:-1]):
            late = period >= first
            fewest = min(_of_a_kind(left[test & late]), _of_a_kind(left[~test & ~late]))
            if fewest >= enough and (valid & ~late).any():
                known = _known(period, first, horizon_months)
                parts = _Parts(left, test, late, known, str(first), horizon_months)
                apart = parts.enough_known() and bool((valid & known).any())
                learnt = known if apart else ~late
                notes = [f"{whose}: {note}" for note in parts.notes(apart)]
                return InTime(np.where(np.where(test, late, learnt), split, ""), tuple(notes))
    late = period == last
    raise DataError(
        f"{whose}: too few rows for three splits: the last snapshot, {last}, has {late.sum():,} "
        f"rows; {_told(left[test & late])} of the tenth of the customers that the model is tried "
        f"on, and {_told(left[~test & ~late])} of the others before it: both need some who left, "
        "and some who stayed"
    )


@dataclass(frozen=True)
class _Parts:
    """Rows (N,) parted by the snapshot `first`: who left; of the customers that the model is tried
    on; from `first` on; whose horizon ends by then."""

    left: NDArray[np.bool_]
    test: NDArray[np.bool_]
    late: NDArray[np.bool_]
    known: NDArray[np.bool_]
    first: str
    horizon_months: float

    def enough_known(self) -> bool:
        """Whether what was known by then is enough to learn from, and most of what there is."""
        remain = _of_a_kind(self.left[~self.test & self.known])
        return remain >= max(ENOUGH_TO_LEARN, MOST * _of_a_kind(self.left[~self.test & ~self.late]))

    def notes(self, apart: bool) -> Iterator[str]:
        """Which rows are in no split, and whether those whose horizon ends later are learnt from:
        not where they're kept `apart`."""
        ends = f"whose horizon of {self.horizon_months:g} months ends after {self.first}"
        unknown = ~self.test & ~self.late & ~self.known
        tried, newest = self.test & ~self.late, ~self.test & self.late
        unheld = {
            f"before {self.first}, of the tenth of the customers that the model is tried on": tried,
            f"from {self.first} on, of the others": newest,
            f"of the others, {ends}": unknown & apart,
        }
        yield (
            f"{self._told(tried | newest | unknown & apart)} of {len(self.left):,} rows are in no "
            "split, and nothing is learnt from them: "
            + "; ".join(
                f"{self._told(rows)} {which}" for which, rows in unheld.items() if rows.any()
            )
        )
        if unknown.any() and not apart:
            yield (
                "the figures on held-out rows may be a little too good: of "
                f"{self._told(~self.test & ~self.late)} rows to learn from, {self._told(unknown)} "
                f"are such {ends}; without them too few would remain, "
                f"{self._told(~self.test & self.known)}"
            )

    def _told(self, rows: NDArray[np.bool_]) -> str:
        return _told(self.left[rows])


def periods(ids: NDArray[Any], seen: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The snapshot of each row (N,): its month where no customer has two rows in one, as rows of
    one snapshot may be of several days; else its day."""
    months = seen.astype("datetime64[M]")
    doubled = pd.DataFrame({"id": ids, "month": months.astype(np.int64)}).duplicated()
    return seen.astype("datetime64[D]") if doubled.any() else months


def _known(
    period: NDArray[np.datetime64], first: np.datetime64, horizon_months: float
) -> NDArray[np.bool_]:
    """Whether it was known by the snapshot `first` who of an earlier one (N,) left."""
    months = np.datetime_data(period.dtype)[0] == "M"
    ahead = math.ceil(horizon_months if months else HORIZON_DAYS_A_MONTH * horizon_months)
    return np.asarray(period + ahead <= first)


def _of_a_kind(left: NDArray[np.bool_]) -> int:
    """How many left or stayed, whichever are fewer."""
    return int(min(left.sum(), (~left).sum()))


def _told(left: NDArray[np.bool_]) -> str:
    return f"{len(left):,} ({left.sum():,} left)"
