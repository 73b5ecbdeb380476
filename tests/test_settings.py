"""The settings: profiles, precedence, and refusals."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from churn_assets.campaign.config import Channel
from churn_assets.decision.config import PRESETS
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.environment import NOT_SETTINGS, PREFIX, absolute_paths, variables_of
from churn_assets.settings import PROJECT, Settings, load_settings, merge

ROW = re.compile(r"\| `(CHURN_\w+)` \| `[^`]+` \| (?:`([^`]*)`|empty)[^|]* \|")
PAGE = (PROJECT / "docs/settings.md").read_text(encoding="utf-8").replace("\\|", "/")
DOCUMENTED = dict(ROW.findall(PAGE))
"""Variable -> its default as docs/settings.md has it typed."""
REFUSED = ("CHURN_DATA__ALLOW_SYNTHETIC", "CHURN_MESSAGES__BASE__REVISION")
"""Of these production doesn't take the default: no invented customers, no moving weights."""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CHURN_"):
            monkeypatch.delenv(name)
    load_settings.cache_clear()


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


def leaves(section: BaseModel, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Every setting by its way through the sections."""
    found: dict[tuple[str, ...], object] = {}
    for name, value in section:
        inner = (*path, name)
        found |= leaves(value, inner) if isinstance(value, BaseModel) else {inner: value}
    return found


def pins_together(variable: str) -> list[str]:
    """The variable, with the other half of a file's pin."""
    section, pin, _ = variable.rpartition("__PIN__")
    return [f"{section}{pin}{half}" for half in ("SHA256", "ROWS")] if pin else [variable]


@pytest.mark.parametrize("profile", ["embedded", "production"])
def test_a_setting_moves_no_other(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    """Each alone, as the page shows it: a default can be typed, and what stands beside it stays.
    A GPU stage that was given more time keeps its GPU."""
    assert DOCUMENTED.keys() == set(re.findall(r"^\| `(CHURN_\w+)`", PAGE, re.MULTILINE))
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("CHURN_PROFILE", profile)
    known, before, wrong = variables_of(Settings), leaves(Settings()), {}
    for variable in DOCUMENTED.keys() - {"CHURN_PROFILE"}:
        if profile == "production" and variable in REFUSED:
            continue
        given = pins_together(variable)
        with pytest.MonkeyPatch.context() as patch:
            for name in given:
                patch.setenv(name, DOCUMENTED[name])
            after = leaves(Settings())
        moved = {path for path, value in after.items() if value != before[path]}
        if profile == "production":
            moved -= {known[name] for name in given}
        if moved or after.keys() != before.keys():
            wrong[variable] = moved
    assert wrong == {}


def test_a_section_is_given_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON too, as the page says; in whatever order, a field's own variable wins."""
    monkeypatch.setenv("CHURN_COMPUTE__MODAL__GPU_STAGE", '{"gpu": "A10", "memory_mib": 65536}')
    monkeypatch.setenv("CHURN_COMPUTE__MODAL", '{"api": {"memory_mib": 8192}}')
    monkeypatch.setenv("CHURN_DATA__PREFERENCES__SHP__LIMIT", "null")
    settings, usual = Settings(), Settings.model_construct()
    stage, api = settings.compute.modal.gpu_stage, settings.compute.modal.api
    larger = {"gpu": "A10", "memory_mib": 65_536}
    assert stage.model_dump() == usual.compute.modal.gpu_stage.model_dump() | larger
    assert api.model_dump() == usual.compute.modal.api.model_dump() | {"memory_mib": 8_192}
    shp = settings.data.preferences.shp
    assert (shp.repo, shp.limit) == ("stanfordnlp/SHP-2", None)


def test_channels_are_written_as_the_page_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once: who has no call centre must not be planned calls."""
    page = (PROJECT / "docs/campaign.md").read_text(encoding="utf-8")
    [text] = re.findall(r"export CHURN_CAMPAIGN__CHANNELS='(.*)'", page)
    monkeypatch.setenv("CHURN_CAMPAIGN__CHANNELS", text)
    assert Settings().campaign.channels == {
        "email": Channel(contacts_a_day=500, cost=0, reach=1, hours=(8, 22)),
        "sms": Channel(contacts_a_day=200, cost=0.08, reach=1, hours=(9, 20)),
    }


def test_half_a_pin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file's digest beside the known one's rows would be a riddle when it is read."""
    said = refusal(monkeypatch, CHURN_DATA__TELCO__PIN__SHA256="0" * 64)
    assert "CHURN_DATA__TELCO__PIN: another file has another digest and other rows" in said


def test_null_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there may be none; elsewhere it is refused, in one line."""
    monkeypatch.setenv("CHURN_OUTCOMES__LEARN_FROM", "null")
    monkeypatch.setenv("CHURN_COMPUTE__MODAL__GPU_STAGE__GPU", "null")
    monkeypatch.setenv("CHURN_EXPERIMENT__ENABLED", "null")
    monkeypatch.setenv("CHURN_CUSTOMERS", "customers.yaml")
    settings = load_settings()
    assert settings.outcomes.learn_from is None
    assert settings.compute.modal.gpu_stage.gpu is None
    assert settings.experiment.enabled is True  # as if it were not set
    for variable in ("CHURN_MESSAGES__BASE", "CHURN_DECISION__SEEDS", "CHURN_API", "CHURN_STORE"):
        load_settings.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            said = refusal(patch, **{variable: "null"})
        assert said.startswith(f"{variable}: "), said


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """What is said of these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettingError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("CHURN_FORCE_BASELINE", "CHURN_API__FORCE_BASELINE"),
        ("CHURN_DATA_SOURCE", "CHURN_DATA__SOURCE"),
        ("CHURN_RISK__MAX_DEPHT", "CHURN_RISK__MAX_DEPTH"),
        ("churn_api_key_hashes", "CHURN_API__KEY_HASHES"),
        ("CHURN_COMPUTE__MODAL__GPU_STAGE__GPUS", "CHURN_COMPUTE__MODAL__GPU_STAGE__GPU"),
    ],
)
def test_an_unknown_variable_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    """A setting that is ignored without a word is worse than none."""
    assert refusal(monkeypatch, **{typed: "1"}) == f"{typed} is no setting; did you mean {meant}?"


@pytest.mark.parametrize("service", ["CHURN", "CHURN_API", "CHURN_POSTGRESQL_2"])
@pytest.mark.parametrize("address", ["10.96.0.17", "fd00:10:96::11"])
def test_services_of_kubernetes_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, service: str, address: str
) -> None:
    """Why: beside a service that was called `churn`, nothing of the product started."""
    host = f"[{address}]" if ":" in address else address
    port = f"{service}_PORT_8000_TCP"
    links = {
        f"{service}_SERVICE_HOST": address,
        f"{service}_SERVICE_PORT": "8000",
        f"{service}_SERVICE_PORT_HTTP_API": "8000",
        f"{service}_PORT": f"tcp://{host}:8000",
        port: f"tcp://{host}:8000",
        f"{port}_PROTO": "tcp",
        f"{port}_PORT": "8000",
        f"{port}_ADDR": address,
        f"{service}_PORT_53_UDP": f"udp://{host}:53",
    }
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    assert load_settings().api.port == 8000


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("CHURN_API_PORT", "8000"),  # the setting, with an underscore too few
        ("CHURN_API_HOST", "10.96.0.17"),
        ("CHURN_SERVICE_HOST", "localhost"),
        ("CHURN_SERVICE_PORT", "http"),
        ("CHURN_API__SERVICE_PORT", "8000"),
        ("CHURN_PORT_8000_TCP", "http://10.96.0.17:8000"),
        ("CHURN_API_PORT", "tcp://10.96.0.17"),
        ("CHURN_STORE_URL", "tcp://10.96.0.17:8000"),
        ("churn_api_service_port", "8000"),
    ],
)
def test_what_only_looks_like_a_service_of_kubernetes_is_refused(
    monkeypatch: pytest.MonkeyPatch, typed: str, value: str
) -> None:
    assert refusal(monkeypatch, **{typed: value}).startswith(f"{typed} is no setting")


def test_all_our_variables_are_settings_or_listed() -> None:
    """What the code, the Makefile and the documents name must not be refused as unknown."""
    known = variables_of(Settings).keys() | NOT_SETTINGS
    files = [PROJECT / "Makefile", *PROJECT.rglob("*.py"), *PROJECT.rglob("*.md")]
    places = [f for f in files if not {".venv", "tests"} & set(f.relative_to(PROJECT).parts)]
    named = {
        name
        for file in places
        for name in re.findall(r"\bCHURN_(?:[A-Z0-9]+_{1,2})*[A-Z0-9]+\b", file.read_text())
    }
    assert "CHURN_API__KEY_FILE" in named
    assert named - known <= {f"{PREFIX}RATE"}  # a constant of the generator


@pytest.mark.parametrize("text", ["a:{0},b:{0}", " a:{0} , b:{0} ,", '["a:{0}", "b:{0}"]'])
def test_lists_have_commas_or_are_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What the key tool prints can be pasted as it is."""
    digest = "0" * 64
    monkeypatch.setenv("CHURN_API__KEY_HASHES", text.format(digest))
    monkeypatch.setenv("CHURN_DECISION__SEEDS", "3, 4")
    settings = load_settings()
    assert settings.api.key_hashes == (f"a:{digest}", f"b:{digest}")
    assert settings.decision.seeds == (3, 4)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CHURN_HOME=` of a compose file means nothing, not the current folder."""
    for name in variables_of(Settings):
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings.model_construct(**dict(Settings()))
    assert load_settings().home == PROJECT / ".churn"
    assert load_settings().api.key_file is None


def test_every_path_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Relative to the current folder and with `~` filled in, for whoever reads it later."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    paths = {
        "CHURN_HOME": "here",
        "CHURN_STORE": "~/store",
        "CHURN_DATA_MIRROR": "./mirror",
        "CHURN_API__KEY_FILE": "~/keys",
        "CHURN_ACCEPT__CAMPAIGN_LOG": "log.csv",
        "CHURN_MESSAGES__BASE__SOURCE": "./model",
        "CHURN_DATA__OASST1__HUB__REPO": "./texts",
    }
    for name, value in paths.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.home == tmp_path / "here"
    assert settings.store_url == str(tmp_path / "me" / "store")
    assert settings.data.mirror == tmp_path / "mirror"
    assert settings.api.key_file == tmp_path / "me" / "keys"
    assert settings.accept.campaign_log == tmp_path / "log.csv"
    assert settings.messages.base.source == str(tmp_path / "model")
    assert settings.data.oasst1.hub.repo == str(tmp_path / "texts")
    assert absolute_paths(settings).keys() == paths.keys() | {"CHURN_DATA__MIRROR"}
    # A child process in another folder, given these, has the same settings.
    for name, value in absolute_paths(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    load_settings.cache_clear()
    assert load_settings() == settings


def test_errors_name_the_variable_and_never_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several at once in one line; a value may be a key pasted in the wrong place."""
    said = refusal(
        monkeypatch,
        CHURN_API__PORT="pasted-key",
        CHURN_API__KEY_HASHES="pasted-key",
        CHURN_DECISION__SEEDS="0,pasted-key",
        CHURN_PROFILE="staging",
    )
    assert "CHURN_API__PORT: " in said
    assert "CHURN_API__KEY_HASHES: an API key is configured as name:sha256" in said
    assert "CHURN_DECISION__SEEDS, item 2: " in said
    assert "CHURN_PROFILE: Input should be 'embedded' or 'production'" in said
    assert "pasted-key" not in said
    assert "\n" not in said


def test_a_section_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section's own variable holds JSON."""
    assert refusal(monkeypatch, CHURN_DATA="{x").startswith("CHURN_DATA is not valid JSON")


def test_a_section_of_a_profile_keeps_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What several settings together do wrong has no variable of its own."""
    variables = {"CHURN_PROFILE": "production", "CHURN_DATA__ALLOW_SYNTHETIC": "true"}
    assert refusal(monkeypatch, **variables).startswith("the production profile refuses synthetic")


def test_every_setting_is_explained() -> None:
    """`docs/settings.md` is made from the code: an empty meaning is a field without a word."""
    rows = (PROJECT / "docs/settings.md").read_text(encoding="utf-8").splitlines()
    settings = [row for row in rows if row.startswith("| `CHURN_")]
    assert settings
    assert [row for row in settings if row.rstrip("| ").endswith("`")] == []
