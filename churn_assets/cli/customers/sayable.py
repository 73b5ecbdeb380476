"""What no JSON can say of a customer, so that no server can be asked about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SENT = json.JSONEncoder(allow_nan=False, ensure_ascii=False, default=str)  # as a server is asked


def unsaid(customer: dict[str, Any], names: Mapping[str, str] | None = None) -> str:
    """What of a customer no JSON can say, so that no server can be asked; empty for nothing.

    Args:
        names: field -> what the file calls it, where that is another word.
    """
    if not (why := _unsayable(customer)):
        return ""
    found = ((name, _unsayable(value)) for name, value in customer.items())
    return next((f"{(names or {}).get(name, name)}: {said}" for name, said in found if said), why)


def _unsayable(value: Any) -> str:
    """Why no JSON can say a value; empty where one can."""
    try:
        _SENT.encode(value).encode()
    except UnicodeEncodeError:
        return "Input should be text without half a character (a lone surrogate)"
    except ValueError:
        return "Input should be a finite number"
    return ""
