"""Every setting of the product, typed, in one class.

Each field can be set by an environment variable: `CHURN_PROFILE=production`,
`CHURN_RISK__MAX_DEPTH=4`. The profile chooses defaults; an explicit setting wins over it. An empty
variable is an unset one; lists are JSON or have commas; a path is relative to the folder that the
command was started in, and `~` is the home folder.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from churn_assets.campaign.config import CampaignConfig
from churn_assets.datasets.config import DatasetsConfig
from churn_assets.decision.config import PRESETS, DecisionConfig
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.paths import AbsolutePath, folder_or_bucket
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.environment import DELIMITER, PREFIX, EnvironmentSource, explain, variables_of
from churn_assets.messages.config import PRETRAINED, MessagesConfig
from churn_assets.messages.profiles import messages_config
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.predictors.config import AcceptConfig, RiskConfig
from churn_assets.release.config import AlertsConfig, ReleaseConfig
from churn_assets.serving.config import ApiConfig

PROJECT = Path(__file__).resolve().parent.parent


def profile_defaults(profile: str) -> dict[str, Any]:
    """What a profile changes against the configuration classes' defaults (which are `embedded`)."""
    if profile != "production":
        return {}
    return {
        "compute": {"backend": "modal"},
        "data": {"allow_synthetic": False},
        # A policy on every assumed world, and how much the seed matters.
        "decision": {"seeds": [0, 1, 2], "also_report": list(PRESETS)},
        "messages": messages_config("production").model_dump(),
    }


class Settings(BaseSettings):
    """The settings, from the environment (prefix `CHURN_`) over the profile's defaults.

    Attributes:
        profile: `embedded` runs everything here in minutes; `production` uses the full-size
            models on Modal and refuses synthetic data.
        home: folder for what the product makes on this machine.
        store: artifact store; empty means `<home>/store`, else a folder or `gs://bucket/prefix`.
        data_mirror: folder with copies of the public data files (layout in the README).
        customers: contract of your own tables (see own-data.md); without it, IBM Telco's.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a key
    )

    profile: Literal["embedded", "production"] = "embedded"
    home: AbsolutePath = PROJECT / ".churn"
    store: str = ""
    data_mirror: AbsolutePath | None = None
    customers: AbsolutePath | None = None

    compute: ComputeConfig = Field(default_factory=ComputeConfig)
    data: DatasetsConfig = Field(default_factory=DatasetsConfig)
    risk: RiskConfig = Field(default_factory=RiskConfig)
    accept: AcceptConfig = Field(default_factory=AcceptConfig)
    decision: DecisionConfig = Field(default_factory=DecisionConfig)
    messages: MessagesConfig = Field(default_factory=MessagesConfig)
    release: ReleaseConfig = Field(default_factory=ReleaseConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)
    campaign: CampaignConfig = Field(default_factory=CampaignConfig)
    api: ApiConfig = Field(default_factory=ApiConfig)
    outcomes: OutcomesConfig = Field(default_factory=OutcomesConfig)
    experiment: ExperimentConfig = Field(default_factory=ExperimentConfig)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller gives, then the environment; no files."""
        return init_settings, EnvironmentSource(settings_cls)

    @field_validator("store")
    @classmethod
    def _absolute_folder(cls, store: str) -> str:
        return folder_or_bucket(store)

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Lay the explicit settings over the chosen profile's defaults, and these over what each
        section was given where it is declared."""
        given = merge({}, given)
        if "data_mirror" in given:
            given = merge(given, {"data": {"mirror": given["data_mirror"]}})
        if given.get("customers"):  # one's own: what contacting brings is to be shown
            for section, name in (("experiment", "enabled"), ("messages", "learn_from_answers")):
                own = given.setdefault(section, {})
                if isinstance(own, dict) and own.get(name) is None:
                    given[section] = own | {name: True}
        defaults = profile_defaults(given.get("profile", "embedded"))
        if _at(given, "messages", "base", "source") == PRETRAINED:
            defaults["messages"] = messages_config("pretrained").model_dump()
        return merge(merge(declared(cls.model_construct()), defaults), given)

    @model_validator(mode="after")
    def _production_is_real(self) -> Self:
        if self.profile == "production" and self.data.allow_synthetic:
            raise ValueError(
                "the production profile refuses synthetic data: unset CHURN_DATA__ALLOW_SYNTHETIC"
            )
        return self

    def recorded(self) -> dict[str, Any]:
        """The settings as JSON, without secrets: for a release's manifest, which is handed on."""
        return self.model_dump(mode="json", exclude={"api": {"key_hashes", "key_file"}})

    @property
    def store_url(self) -> str:
        """The artifact store's URL, with the default filled in."""
        return self.store or str(self.home / "store")


def declared(section: BaseModel) -> dict[str, Any]:
    """What the sections below were given where they are declared, as nested dictionaries: the
    machine of `gpu_stage` isn't a machine like any, and who sets its time keeps its GPU.

    A section without defaults of its own (a `Pin`) isn't taken apart: half of one says nothing.
    """
    found: dict[str, Any] = {}
    for name, value in section:
        if isinstance(value, BaseModel) and not _is_one_value(type(value)):
            found[name] = declared(value)
        elif name in section.model_fields_set:
            found[name] = value
    return found


def _is_one_value(section: type[BaseModel]) -> bool:
    return all(field.is_required() for field in section.model_fields.values())


def _at(given: Any, *path: str) -> Any:
    """What is given at the end of a path through sections; None where nothing is."""
    for name in path:
        given = given.get(name) if isinstance(given, dict) else None
    return given


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` laid over it, nested dictionaries merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, BaseModel):
            value = value.model_dump()
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


@cache
def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        WrongSettingError: an unknown variable or a wrong value; names it in one line.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise WrongSettingError(explain(error, variables_of(Settings))) from None
