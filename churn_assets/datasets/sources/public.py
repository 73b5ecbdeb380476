"""The public sources: IBM's CSV (or Kaggle's copy), UCI's archive, and the hub's data sets."""

import os
from pathlib import Path

from churn_assets.datasets.config import DatasetName, DatasetsConfig, HubConfig
from churn_assets.datasets.sources import hub
from churn_assets.datasets.sources.archives import unpack
from churn_assets.datasets.sources.files import RawFile, sha256_of, sha256_of_all, verify
from churn_assets.datasets.sources.transfer import download
from churn_assets.stages.spec import Progress, silent


def fetch(
    name: DatasetName, config: DatasetsConfig, raw_dir: Path, progress: Progress = silent
) -> RawFile:
    """The data set's public files below `raw_dir`; those already there are verified and used.

    Raises:
        SourceUnavailableError: a host cannot be reached or does not have the file.
        DataError: what arrived, or what was there already, is not the pinned file.
    """
    return _FETCH[name](config, raw_dir, progress)


def _telco(config: DatasetsConfig, raw_dir: Path, progress: Progress) -> RawFile:
    """From the Kaggle API where its credentials are set, else from IBM's repository.

    They are Kaggle's own variables, read here and nowhere else: as settings they would be written
    to every place that records the settings.
    """
    telco, pin = config.telco, config.telco.pin.sha256
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    target = raw_dir / "ibm_telco" / "Telco-Customer-Churn.csv"
    if target.exists():
        verify(target, pin)
    elif user and key:
        archive = target.with_name("telco-customer-churn.zip")
        download(telco.kaggle_url, archive, config.download, progress, auth=(user, key))
        unpack(archive, (telco.kaggle_member,), target, pin)
    else:
        download(telco.url, target, config.download, progress, lambda part: verify(part, pin))
    return RawFile((target,), "download", pin)


def _bank(config: DatasetsConfig, raw_dir: Path, progress: Progress) -> RawFile:
    """UCI packs the CSV in a zip inside a zip. The CSV is what is pinned and kept."""
    bank, pin = config.bank, config.bank.pin.sha256
    target = raw_dir / "uci_bank" / "bank-additional-full.csv"
    if target.exists():
        verify(target, pin)
    else:
        archive = target.with_name("bank+marketing.zip")
        download(bank.url, archive, config.download, progress)
        unpack(archive, bank.members, target, pin)
    return RawFile((target,), "download", pin)


def _oasst1(config: DatasetsConfig, raw_dir: Path, progress: Progress) -> RawFile:
    source = config.oasst1.hub
    target = raw_dir / "oasst1" / f"oasst1-{_version(source, 'OpenAssistant/oasst1')}.jsonl.gz"
    hub.save(source, target, hub.oasst1_rows, config.download, progress)
    return RawFile((target,), "download", sha256_of(target), source.revision)


def _preferences(config: DatasetsConfig, raw_dir: Path, progress: Progress) -> RawFile:
    shp, hh = config.preferences.shp, config.preferences.hh
    ratio = config.preferences.minimum_score_ratio
    folder = raw_dir / "preferences"
    files = (
        folder / f"hh-rlhf-{_version(hh, 'Anthropic/hh-rlhf')}-{hh.limit}.jsonl.gz",
        folder / f"shp-2-{_version(shp, 'stanfordnlp/SHP-2')}-{shp.limit}-{ratio:g}.jsonl.gz",
    )
    hub.save(hh, files[0], hub.hh_rows, config.download, progress)
    hub.save(shp, files[1], lambda source: hub.shp_rows(source, ratio), config.download, progress)
    return RawFile(files, "download", sha256_of_all(files), f"{hh.revision},{shp.revision}")


def _version(source: HubConfig, usual: str) -> str:
    """What tells a set's file from that of another commit, or of another repository than the usual
    one, in the file's name."""
    commit = source.revision[:12]
    if hub.is_folder(source):
        return f"folder-{commit}"
    return commit if source.repo == usual else f"{source.repo.replace('/', '--')}-{commit}"


_FETCH = {
    "telco_customers": _telco,
    "bank_contacts": _bank,
    "oasst1_pairs": _oasst1,
    "preference_pairs": _preferences,
}
