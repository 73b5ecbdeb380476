"""How settings are read from environment variables, and what is said of a wrong one.

Beyond pydantic's own reading: an empty variable is an unset one, `null` is no value, a list may be
written with commas, and a variable that no setting has is an error that suggests the nearest name,
unless Kubernetes made it for a service.
No message repeats a value: it may be a key.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from churn_assets.domain.plain_errors import WrongSettingError, own_words

PREFIX = "CHURN_"
DELIMITER = "__"
NOT_SETTINGS = frozenset(
    {
        "CHURN_API_KEY",  # of a caller: `churn predict --over-http` sends it
        "CHURN_TEST_PICTURES",  # where the console's tests leave screenshots
    }
)
"""Our variables that are no settings; every other `CHURN_*` must be one."""

_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)"  # IPv4 or IPv6
_PORT = r"\d{1,5}"
_LINK = rf"(?:tcp|udp|sctp)://(?:\[{_ADDRESS}\]|{_ADDRESS}):{_PORT}"
_BY_PORT = r"PORT_\d{1,5}_(?:TCP|UDP|SCTP)"
SERVICE_LINKS = tuple(
    (re.compile(rf"{PREFIX[:-1]}(?:_[A-Z0-9]+)*_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _ADDRESS),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", _PORT),
        (f"(?:PORT|{_BY_PORT})", _LINK),
        (f"{_BY_PORT}_PROTO", "tcp|udp|sctp"),
        (f"{_BY_PORT}_PORT", _PORT),
        (f"{_BY_PORT}_ADDR", _ADDRESS),
    )
)
"""Names and values of the variables that Kubernetes gives every container for each service of its
namespace, of services whose names begin as our variables do: those are no settings either."""

NULL = "null"
"""No value, where a setting may have none: `CHURN_OUTCOMES__LEARN_FROM=null`."""

SEQUENCES = (list, tuple, set, frozenset)


class EnvironmentSource(EnvSettingsSource):
    """The environment variables with our prefix, as pydantic-settings asks for them."""

    def __init__(self, settings: type[BaseSettings]) -> None:
        super().__init__(settings, env_ignore_empty=True, env_parse_none_str=NULL)

    def __call__(self) -> dict[str, Any]:
        """The settings that the environment names; raises WrongSettingError for an unknown one."""
        refuse_unknown(_without_service_links(os.environ), variables_of(self.settings_cls))
        return super().__call__()

    def _load_env_vars(self) -> Mapping[str, str | None]:
        """A section's own variable before those of its fields, which are laid over it."""
        return dict(sorted(super()._load_env_vars().items()))

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A section or list from JSON, a list from words between commas, or nothing."""
        text = str(value).strip()
        if text == NULL:
            return None
        annotation = field.annotation if isinstance(field, FieldInfo) else None
        if get_origin(annotation) in SEQUENCES and not text.startswith("["):
            return [word.strip() for word in text.split(",") if word.strip()]
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            names = [name.upper() for name, given in self.env_vars.items() if given == value]
            where = ", ".join(name for name in names if name.endswith(field_name.upper()))
            raise WrongSettingError(f"{where} is not valid JSON: {error}") from None


def variables_of(model: type[BaseModel], prefix: str = PREFIX) -> dict[str, tuple[str, ...]]:
    """Every variable that sets a field of `model` or of a section below it -> the fields' names.

    A section has a variable of its own (its JSON) beside those of its fields.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        found[variable] = (name,)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            below = variables_of(section, f"{variable}{DELIMITER}")
            found |= {inner: (name, *path) for inner, path in below.items()}
    return found


def refuse_unknown(given: Collection[str], known: Collection[str]) -> None:
    """Raise WrongSettingError for our variables among `given` that nothing reads."""
    ours = sorted(name for name in given if name.upper().startswith(PREFIX))
    unknown = [name for name in ours if name.upper() not in known and name not in NOT_SETTINGS]
    if unknown:
        problems = (f"{name} is no setting{_nearest(name, known)}" for name in unknown)
        raise WrongSettingError("; ".join(problems))


def _without_service_links(given: Mapping[str, str]) -> list[str]:
    def is_link(name: str, value: str) -> bool:
        return any(n.fullmatch(name) and v.fullmatch(value) for n, v in SERVICE_LINKS)

    return [name for name, value in given.items() if not is_link(name, value)]


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name.upper(), [*known, *NOT_SETTINGS], n=1)
    return f"; did you mean {close[0]}?" if close else " (churn_assets/settings.py has them all)"


def explain(error: ValidationError, known: Mapping[str, tuple[str, ...]]) -> str:
    """Pydantic's errors in one line: for each the variable that sets the field, and what is wrong.

    What was given is left out, in whatever form: it may be a key.
    """
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        where = _place(problem["loc"], known)
        what = own_words(problem["msg"])
        problems.append(f"{where}: {what}" if where else what)
    return "; ".join(dict.fromkeys(problems))


def _place(loc: tuple[int | str, ...], known: Mapping[str, tuple[str, ...]]) -> str:
    """`CHURN_API__KEY_HASHES, item 2`: the most specific variable on the way to a field."""
    on_the_way = [name for name, path in known.items() if loc[: len(path)] == path]
    if not on_the_way:
        return ""
    variable = max(on_the_way, key=len)
    items = [f"item {part + 1}" for part in loc[len(known[variable]) :] if isinstance(part, int)]
    return ", ".join([variable, *items])


def absolute_paths(settings: BaseSettings) -> dict[str, str]:
    """Variables with every path in force, for a child process that starts in another folder."""
    found = {}
    for variable, path in variables_of(type(settings)).items():
        value: Any = settings
        for name in path:
            value = getattr(value, name)
        if isinstance(value, Path) or (isinstance(value, str) and value.startswith("/")):
            found[variable] = str(value)
    return found
