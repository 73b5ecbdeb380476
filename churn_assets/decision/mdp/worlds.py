"""The worlds that a policy is made for: presets, and in the served one what is measured."""

from pathlib import Path

from churn_assets.decision.config import EnvironmentParams, WorldSettings
from churn_assets.domain.measured import Measured
from churn_assets.domain.offers import Offers

OFFERS_FILE = "offers.json"


def save_offers(offers: Offers | None, folder: Path) -> None:
    """Write a contract's own offers beside its customers; the built-in ones need no file."""
    if offers is not None:
        (folder / OFFERS_FILE).write_text(offers.model_dump_json() + "\n", encoding="utf-8")


def load_offers(folder: Path) -> Offers | None:
    """What `save_offers` wrote into the folder."""
    path = folder / OFFERS_FILE
    return Offers.model_validate_json(path.read_bytes()) if path.exists() else None


def served_world(environment: Path, assumed: EnvironmentParams) -> EnvironmentParams:
    """The world of the served policy.

    Args:
        environment: folder of `retention_environment`, which holds what is measured and offered.
        assumed: the preset in force, with what the settings assume otherwise.
    """
    return as_measured(_offered(environment, assumed), Measured.load(environment))


def worlds_of(environment: Path, config: WorldSettings) -> dict[str, EnvironmentParams]:
    """Preset -> its world; presets that are only reported beside the served one stay as assumed."""
    others = {preset: _offered(environment, config.world(preset)) for preset in config.presets}
    return others | {config.preset: served_world(environment, config.environment)}


def as_measured(assumed: EnvironmentParams, measured: Measured) -> EnvironmentParams:
    """The world with what is measured in the place of what is assumed.

    Where outcomes say that contacting brings nothing, or harm, the policy is made for the nearest
    world in which there is something to decide (`paying.deciding`): whether to contact anybody at
    all is not its question, but the lift report's.
    """
    found: dict[str, float] = {}
    if measured.acceptance_effect is not None:
        effect = found["acceptance_effect"] = measured.acceptance_effect.in_training
        if assumed.effect_without_discount is not None:
            found["effect_without_discount"] = assumed.bare_share * effect
    if measured.annoyance_effect is not None:
        found["annoyance_effect"] = measured.annoyance_effect.in_training
    return EnvironmentParams.model_validate(assumed.model_dump() | found)


def _offered(environment: Path, assumed: EnvironmentParams) -> EnvironmentParams:
    return assumed.offering(load_offers(environment))
