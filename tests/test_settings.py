"""The settings: profiles, precedence, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from churn_assets.decision.config import PRESETS
from churn_assets.settings import Settings, merge


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("CHURN_"):
            monkeypatch.delenv(name)


def test_embedded_needs_no_environment() -> None:
    """`make demo` promises to work with no variable set."""
    settings = Settings()
    assert settings.profile == "embedded"
    assert settings.compute.backend == "local"
    assert settings.store_url == str(settings.home / "store")


def test_production_changes_compute_data_and_base_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable moves the whole product to its production machines and models."""
    monkeypatch.setenv("CHURN_PROFILE", "production")
    settings = Settings()
    assert settings.compute.backend == "modal"
    assert settings.data.allow_synthetic is False
    assert settings.messages.base.source == "facebook/opt-350m"
    assert settings.messages.base.eight_bit is True
    assert set(settings.decision.presets) == set(PRESETS)
    assert len(settings.decision.seeds) == 3


def test_an_explicit_setting_wins_over_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile is a set of defaults, not a straitjacket."""
    monkeypatch.setenv("CHURN_PROFILE", "production")
    monkeypatch.setenv("CHURN_COMPUTE__BACKEND", "local")
    settings = Settings()
    assert settings.compute.backend == "local"
    assert settings.data.allow_synthetic is False


def test_production_refuses_synthetic_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should be able to promote a model of invented customers by mistake."""
    monkeypatch.setenv("CHURN_PROFILE", "production")
    monkeypatch.setenv("CHURN_DATA__ALLOW_SYNTHETIC", "true")
    with pytest.raises(ValidationError, match="refuses synthetic data"):
        Settings()


def test_the_mirror_reaches_the_data_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CHURN_DATA_MIRROR is the documented name; the data sets read `data.mirror`."""
    monkeypatch.setenv("CHURN_DATA_MIRROR", str(tmp_path))
    assert Settings().data.mirror == tmp_path


def test_a_wrong_value_names_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person who mistyped must see where."""
    monkeypatch.setenv("CHURN_PROFILE", "staging")
    with pytest.raises(ValidationError, match="profile"):
        Settings()


def test_merge_lays_nested_values_over_each_other() -> None:
    """Setting one nested value must not wipe its neighbours."""
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merge(base, {"a": {"y": 5}}) == {"a": {"x": 1, "y": 5}, "b": 3}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}
