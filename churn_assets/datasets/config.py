"""Settings of the data sets: where each comes from, its pin, and how it is split."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from churn_assets.domain.addresses import web_address
from churn_assets.domain.paths import AbsolutePath, folder_or_hub

WebAddress = Annotated[str, AfterValidator(web_address)]
DatasetName = Literal["telco_customers", "bank_contacts", "oasst1_pairs", "preference_pairs"]
SourceKind = Literal["mirror", "download", "synthetic"]

# What people call the sources (make data.ibm_telco) against what the graph calls its assets.
SOURCE_NAMES: dict[str, DatasetName] = {
    "ibm_telco": "telco_customers",
    "uci_bank": "bank_contacts",
    "oasst1": "oasst1_pairs",
    "preferences": "preference_pairs",
}


FORMATS: dict[DatasetName, Literal["parquet", "jsonl"]] = {
    "telco_customers": "parquet",
    "bank_contacts": "parquet",
    "oasst1_pairs": "jsonl",
    "preference_pairs": "jsonl",
}


class Frozen(BaseModel):
    """Settings that can't be changed once read, and that refuse a name they don't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Pin(Frozen):
    """What a source's file must be: sha256 of its uncompressed bytes, and rows after cleaning.

    Attributes:
        sha256: digest of the uncompressed file, 64 hex digits; set it together with `rows`.
        rows: rows after cleaning.
    """

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    rows: int = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _both(cls, given: Any) -> Any:
        """A setting of one half would only say that a field is required."""
        if isinstance(given, dict) and len({"sha256", "rows"} & given.keys()) == 1:
            raise ValueError("another file has another digest and other rows: set sha256 and rows")
        return given


class DownloadConfig(Frozen):
    """Times in seconds. An unreachable host is given up at once, a failing one is retried.

    Attributes:
        connect_timeout: longest wait for a connection.
        read_timeout: longest silence of a host that is sending.
        attempts: how often a failing host is asked.
        backoff_initial: pause before the second attempt; it doubles each time.
        backoff_max: longest pause between attempts.
        most_bytes: of one file; several times the largest that is fetched by its address.
    """

    connect_timeout: float = Field(default=2.0, gt=0)
    read_timeout: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=4, ge=1)
    backoff_initial: float = Field(default=0.5, ge=0)
    backoff_max: float = Field(default=10.0, ge=0)
    most_bytes: int = Field(default=64 << 20, gt=0)


class TelcoConfig(Frozen):
    """IBM Telco: public CSV, or the same CSV by the Kaggle API where its credentials are set.

    Attributes:
        url: address of the public CSV.
        kaggle_url: address of the same data at Kaggle, asked first where its credentials are set.
        kaggle_member: the CSV's name in Kaggle's archive.
        synthetic_rows: rows that the generator writes in its place.
    """

    url: WebAddress = (
        "https://raw.githubusercontent.com/IBM/telco-customer-churn-on-icp4d/master/"
        "data/Telco-Customer-Churn.csv"
    )
    kaggle_url: WebAddress = (
        "https://www.kaggle.com/api/v1/datasets/download/blastchar/telco-customer-churn"
    )
    kaggle_member: str = "WA_Fn-UseC_-Telco-Customer-Churn.csv"
    pin: Pin = Pin(
        sha256="16320c9c1ec72448db59aa0a26a0b95401046bef5d02fd3aeb906448e3055e91", rows=7_032
    )
    synthetic_rows: int = Field(default=7_032, ge=200, le=100_000)


class BankConfig(Frozen):
    """UCI Bank Marketing (id 222): a zip inside a zip.

    Attributes:
        url: address of the public archive.
        members: the path to the CSV through the archives, from the outside in.
        synthetic_rows: rows that the generator writes in its place.
    """

    url: WebAddress = "https://archive.ics.uci.edu/static/public/222/bank+marketing.zip"
    members: tuple[str, ...] = ("bank-additional.zip", "bank-additional/bank-additional-full.csv")
    pin: Pin = Pin(
        sha256="74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8", rows=41_188
    )
    synthetic_rows: int = Field(default=41_188, ge=500, le=200_000)


class HubConfig(Frozen):
    """A data set on the hub at one commit.

    `repo` may also be a local folder,
    laid out like one or written by `save_to_disk`.

    Attributes:
        repo: `owner/name` on the hub, or a local folder (`/…`, `./…`, `~/…`).
        revision: full commit hash (40 hex digits).
        limit: rows to take at most; null takes all.
    """

    repo: Annotated[str, AfterValidator(folder_or_hub)]
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    limit: int | None = Field(default=None, gt=0)


class TextConfig(Frozen):
    """A set of texts.

    Attributes:
        sample_pins: published excerpts that may stand in for the whole set.
        synthetic_rows: rows that the generator writes in its place.
    """

    sample_pins: tuple[Pin, ...]
    synthetic_rows: int = Field(default=400, ge=100)


class Oasst1Config(TextConfig):
    """OASST1. The whole set must give at least `minimum_rows` pairs.

    Attributes:
        language: language code of the conversations that are kept.
        minimum_rows: pairs that the whole set must give at least.
    """

    hub: HubConfig = HubConfig(
        repo="OpenAssistant/oasst1", revision="fdf72ae0827c1cda404aff25b6603abec9e3399b"
    )
    language: str = "en"
    minimum_rows: int = Field(default=5_000, gt=0)
    sample_pins: tuple[Pin, ...] = (
        Pin(sha256="a27639214a5098bf9e1cc62a855c85c630b64ab48ee94655e7f6046438b0aedb", rows=252),
    )


class PreferencesConfig(TextConfig):
    """SHP-2 and HH-RLHF; the two limits make the specification's 100,000 pairs.

    Attributes:
        minimum_score_ratio: how many times the votes of the rejected reply the chosen one has; the
            authors of SHP advise 2, below which votes say little.
        minimum_rows: pairs that the whole sets must give at least.
    """

    shp: HubConfig = HubConfig(
        repo="stanfordnlp/SHP-2",
        revision="97905d2ed3eb4ec7e368b8df17258487a60598bb",
        limit=60_000,
    )
    hh: HubConfig = HubConfig(
        repo="Anthropic/hh-rlhf",
        revision="09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa",
        limit=40_000,
    )
    minimum_score_ratio: float = Field(default=2.0, ge=1)
    minimum_rows: int = Field(default=95_000, gt=0)
    sample_pins: tuple[Pin, ...] = (
        Pin(sha256="14d765196c9f18d84f9bb3a78bac608c8f2915110ebcbd74ec95db7b7198b008", rows=2_303),
    )


class DatasetsConfig(Frozen):
    """Where the data sets come from.

    Attributes:
        source: `auto` tries mirror, public host and generator in this order; the others name the
            only one.
        mirror: folder with copies of the public files; CHURN_DATA_MIRROR sets it too.
        allow_synthetic: whether the generator may stand in where no source is found.
        synthetic_seed: of the generator's draws.
    """

    source: Literal["auto", "mirror", "download", "synthetic"] = "auto"
    mirror: AbsolutePath | None = None
    allow_synthetic: bool = True
    synthetic_seed: int = 42
    download: DownloadConfig = DownloadConfig()
    telco: TelcoConfig = TelcoConfig()
    bank: BankConfig = BankConfig()
    oasst1: Oasst1Config = Oasst1Config()
    preferences: PreferencesConfig = PreferencesConfig()
