"""UCI Bank Marketing: the telephone campaign's contacts, without what is known only afterwards."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.datasets.cells import read_cells
from churn_assets.datasets.schemas import BANK_CATEGORIES, RAW_BANK
from churn_assets.datasets.splits import chronological_split
from churn_assets.datasets.tables import read_text_table

NEVER_CONTACTED = 999
NOT_FEATURES = ("contact_id", "accepted", "chronological_split")


def clean(raw: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Contacts in order of time (N, 17) and what was done to them.

    `duration` is dropped: it is known only after the call, when the answer is known too. The
    five macro-economic columns are dropped: they tell the era, not the customer. `pdays` is in
    days since the last campaign's contact, null when there was none. Duplicate rows are counted
    and kept: the file has no customer id, so equal rows can be different people, and the
    specification's 41,188 contacts include them. `alike` keeps them on one side of a split.

    Raises:
        CorruptFileError: the file is no `;`-separated table.
        SchemaViolationError: its columns or values are not the UCI file's.
    """
    table = read_cells(read_text_table(raw, ";"), RAW_BANK, str(raw), strict=True)
    days = table["pdays"].astype("Int64")
    contacts = pd.DataFrame(
        {
            "contact_id": pd.RangeIndex(len(table)).astype("int64"),
            "age": table["age"],
            **{name: table[name] for name in list(BANK_CATEGORIES)[:9]},
            "campaign": table["campaign"],
            "pdays": days.mask(days == NEVER_CONTACTED),
            "previous": table["previous"],
            "poutcome": table["poutcome"],
            "accepted": table["y"],
            "chronological_split": chronological_split(len(table)),
        }
    )
    return contacts, {"raw_rows": len(table), "duplicates_kept": int(table.duplicated().sum())}


def alike(contacts: pd.DataFrame) -> NDArray[np.int64]:
    """A number (N,) that contacts with the same features share, whatever they answered.

    `contact_id` is the row's number in the file: no two rows share it, so it can't tell whether a
    contact that was trained on is tested on again.
    """
    features = [str(name) for name in contacts.columns if name not in NOT_FEATURES]
    groups = contacts.groupby(features, dropna=False, sort=False)
    return np.asarray(groups.ngroup(), np.int64)
