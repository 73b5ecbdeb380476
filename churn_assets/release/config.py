"""Settings of releases, batch predictions and alerts."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from churn_assets.domain.addresses import web_address
from churn_assets.domain.experiment import ExperimentConfig


class ReleaseConfig(BaseModel):
    """When a release may replace another, how many are kept, how predictions are streamed.

    Attributes:
        keep: releases kept in the store; the serving one and its predecessor are never removed.
        golden_requests: requests stored in a release with their answers, by which a server checks
            that it computes what the builder computed.
        batch_rows: customers scored at a time by `predictions`.
        shard_rows: customers in one shard where predictions are mapped over workers.
        force_baseline: `predictions` decides by rule only. So it does where the API is made to (by
            setting, environment or the store's switch), so that nightly decisions and its agree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: int = Field(default=5, ge=2)
    golden_requests: int = Field(default=24, ge=1)
    batch_rows: int = Field(default=8_192, ge=1)
    shard_rows: int = Field(default=250_000, ge=1)
    force_baseline: bool = False


class ScoringConfig(ReleaseConfig):
    """What a nightly scoring is given: the settings, and what holds for it when it starts.

    Attributes:
        experiment: by which some customers are left alone, as it is in force.
        budget_price: of a currency unit of discount, as it is in force; None: the release's own.
    """

    experiment: ExperimentConfig = ExperimentConfig()
    budget_price: float | None = None

    @classmethod
    def of(
        cls,
        config: ReleaseConfig,
        *,
        force_baseline: bool,
        experiment: ExperimentConfig,
        budget_price: float | None = None,
    ) -> Self:
        """The settings with all of them as they hold now."""
        known = config.model_dump() | {
            "force_baseline": force_baseline,
            "experiment": experiment,
            "budget_price": budget_price,
        }
        return cls.model_validate(known)


class AlertsConfig(BaseModel):
    """Who is told when a component of a release missed its gate.

    Attributes:
        webhook: address that takes a POST of `{"text": ...}`, as Slack's incoming webhooks do; null
            leaves alerts to the log. A secret: whoever knows it can post.
        timeout_seconds: how long to wait for it; the run goes on without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    webhook: SecretStr | None = None
    timeout_seconds: float = Field(default=5.0, gt=0)

    @field_validator("webhook")
    @classmethod
    def _can_be_asked(cls, webhook: SecretStr | None) -> SecretStr | None:
        return None if webhook is None else SecretStr(web_address(webhook.get_secret_value()))
