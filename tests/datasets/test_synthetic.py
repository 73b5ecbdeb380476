"""The stand-ins: the sources' formats, the same for a seed, for each source."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.datasets.build import build
from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.datasets.quality import WrittenDataset
from churn_assets.storage.trees import tree_files

NAMES = tuple(FORMATS)


def made(name: DatasetName, config: DatasetsConfig, folder: Path) -> WrittenDataset:
    out = folder / "out"
    build(name, pull(name, config, folder / "raw"), out, config)
    return WrittenDataset.load(name, out)


@pytest.mark.parametrize("name", NAMES)
def test_a_stand_in_passes_the_same_cleaning_and_schema(
    name: DatasetName, synthetic: DatasetsConfig, tmp_path: Path
) -> None:
    """Everything downstream must be able to run on it, with the number of rows asked for."""
    dataset = made(name, synthetic, tmp_path)
    dataset.validate()
    asked = {
        "telco_customers": synthetic.telco.synthetic_rows,
        "bank_contacts": synthetic.bank.synthetic_rows,
        "oasst1_pairs": synthetic.oasst1.synthetic_rows,
        "preference_pairs": synthetic.preferences.synthetic_rows,
    }
    assert dataset.rows == asked[name]
    assert not any(dataset.shared_between_splits().values())


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_bytes_and_others_do_not(
    name: DatasetName, synthetic: DatasetsConfig, tmp_path: Path
) -> None:
    """The artifact's digest must change with the data and with nothing else."""
    other = synthetic.model_copy(update={"synthetic_seed": 43})
    digests = []
    for number, config in enumerate((synthetic, synthetic, other)):
        made(name, config, tmp_path / str(number))
        digests.append(tree_files(tmp_path / str(number) / "out"))
    assert digests[0] == digests[1]
    assert all(digests[0][file] != digests[2][file] for file in digests[0])
