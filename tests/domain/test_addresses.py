"""Settings that could never mean anything are refused at the start, by the variable's name."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.settings import load_settings

WRONG = [
    ("CHURN_API__TRUSTED_PROXIES", "10.0.0.0/33", "IP addresses or networks"),
    ("CHURN_API__TRUSTED_PROXIES", "10.0.0.1/8", "as in 10.0.0.0/8"),
    ("CHURN_API__TRUSTED_PROXIES", "10.0.0.7,nginx", "IP addresses or networks"),
    ("CHURN_API__CORS_ORIGINS", "https://desk.example/", "without a path"),
    ("CHURN_API__CORS_ORIGINS", "desk.example", "as in https://host"),
    *(
        ("CHURN_API__CORS_ORIGINS", origin, "each origin by itself, as in https://a.example,")
        for origin in ("https://*.hush.example", "https://*", "http://localhost:*")
    ),
    *(
        ("CHURN_API__CORS_ORIGINS", origin, "as browsers send them")
        for origin in (
            "https://Hush.example",
            "https://u:hush@desk.example",
            "https://a.b:443",
            "http://a.b:80",
        )
    ),
    ("CHURN_API__HOST", "my host", "as in 127.0.0.1"),
    ("CHURN_API__HOST", "http://0.0.0.0", "as in 127.0.0.1"),
    ("CHURN_API__POLL_SECONDS", "inf", "finite"),
    ("CHURN_ALERTS__WEBHOOK", "hush", "as in https://host/path"),
    ("CHURN_ALERTS__WEBHOOK", "https://", "as in https://host/path"),
    ("CHURN_ALERTS__WEBHOOK", "hooks.example/hush", "as in https://host/path"),
    ("CHURN_ALERTS__WEBHOOK", "https://hooks.example:99999/hush", "as in https://host/path"),
    ("CHURN_ALERTS__TIMEOUT_SECONDS", "inf", "finite"),
    ("CHURN_OUTCOMES__VALUE_OF_INTEREST", "inf", "finite"),
    ("CHURN_DATA__TELCO__URL", "data.csv", "as in https://host/path"),
    ("CHURN_DATA__DOWNLOAD__READ_TIMEOUT", "inf", "finite"),
    ("CHURN_MESSAGES__LIVE_SECONDS", "inf", "finite"),
]
HOOK = "http://user:hush@127.0.0.1:8080/services/x?y=z"
PROXIES = ("10.0.0.7", "10.0.0.0/24", "::1", "2001:db8::/32")
ORIGINS = ("https://desk.example:8443", "http://localhost", "capacitor://localhost",
           "http://a.example:443", "https://[::1]:8443", "null")  # fmt: skip
HOSTS = ("fe80::1%eth0", "api_1.internal", "::", "0.0.0.0")  # noqa: S104 (nothing listens)
RIGHT: list[tuple[str, str, object]] = [
    ("CHURN_API__TRUSTED_PROXIES", ",".join(PROXIES), PROXIES),
    ("CHURN_API__TRUSTED_PROXIES", '["*"]', ("*",)),
    ("CHURN_API__CORS_ORIGINS", ",".join(ORIGINS), ORIGINS),
    ("CHURN_API__CORS_ORIGINS", "*", ("*",)),
    *(("CHURN_API__HOST", host, host) for host in HOSTS),
    ("CHURN_ALERTS__WEBHOOK", HOOK, HOOK),
]


@pytest.fixture(autouse=True)
def read_anew() -> None:
    load_settings.cache_clear()


@pytest.mark.parametrize(("variable", "value", "instead"), WRONG)
def test_what_means_nothing_is_refused(
    variable: str, value: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the service started, and nobody was trusted, told or polled. The line names the variable
    and says what to write, and not what was written: it may be a secret."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(WrongSettingError, match=f"^{variable}.*: .*{instead}") as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(("variable", "value", "taken"), RIGHT)
def test_what_means_something_is_taken(
    variable: str, value: str, taken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was written."""
    monkeypatch.setenv(variable, value)
    section, name = variable.removeprefix("CHURN_").lower().split("__")
    found = getattr(getattr(load_settings(), section), name)
    load_settings.cache_clear()
    assert (found.get_secret_value() if isinstance(found, SecretStr) else found) == taken
