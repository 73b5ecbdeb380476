"""The worlds that a policy is made for: presets, and in the served one what is measured."""

from pathlib import Path

from churn_assets.decision.config import PRESETS, EnvironmentParams, WorldSettings
from churn_assets.domain.measured import Measured


def served_world(environment: Path, preset: str) -> EnvironmentParams:
    """The world of the served policy.

    Args:
        environment: folder of `retention_environment`, which holds what is measured.
        preset: what is assumed as long as nothing is.
    """
    return as_measured(PRESETS[preset], Measured.load(environment))


def worlds_of(environment: Path, config: WorldSettings) -> dict[str, EnvironmentParams]:
    """Preset -> its world; presets that are only reported beside the served one stay as assumed."""
    others = {preset: PRESETS[preset] for preset in config.presets}
    return others | {config.preset: served_world(environment, config.preset)}


def as_measured(assumed: EnvironmentParams, measured: Measured) -> EnvironmentParams:
    """The world with what is measured in the place of what is assumed."""
    found = {
        name: figure.used
        for name in ("acceptance_effect", "annoyance_effect")
        if (figure := getattr(measured, name)) is not None
    }
    return EnvironmentParams.model_validate(assumed.model_dump() | found)
