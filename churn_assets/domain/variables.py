"""`${NAME}` in what a file or a setting says: a variable's value, as passwords stand in no file."""

from __future__ import annotations

import os
import re

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class UnsetVariableError(ValueError):
    """A variable that is named and isn't set; the message is one line."""


def variables_of(text: str) -> list[str]:
    """The variables that the text names, each once, in its order."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def with_variables(text: str, whose: str) -> str:
    """The text with the value of NAME for each `${NAME}`; an empty value is one, too.

    Args:
        whose: the setting, or the file's field, that has the text; a message names it.

    Raises:
        UnsetVariableError: a variable isn't set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UnsetVariableError(f"{whose} names the variable {match[1]}, which is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)
