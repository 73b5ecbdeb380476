"""Addresses as people write them in settings: refused where nothing could ever be reached by them.

A message never repeats what was written: an address may hold a password, or be a secret itself.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

EVERYBODY = "*"
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")
UNWRITTEN = {"http": ":80", "https": ":443"}
"""The usual ports, which no browser writes into an origin."""
HOST = re.compile(r"[\w.:%-]+")


def web_address(text: str) -> str:
    """The URL itself; raises ValueError where it is none that can be asked."""
    url = _split(text)
    if url is None or any(part.isspace() for part in text):
        raise ValueError("write a whole URL, as in https://host/path")
    return text


def browser_origin(text: str) -> str:
    """The origin itself; raises ValueError where no browser ever sends it: one has no path."""
    if text not in (EVERYBODY, "null") and not ORIGIN.fullmatch(text):
        raise ValueError("write origins without a path or a slash at the end, as in https://host")
    if "*" in text and text != EVERYBODY:
        raise ValueError(
            "write each origin by itself, as in https://a.example,https://b.example: a star within "
            "an origin matches none, only * by itself matches all"
        )
    port = UNWRITTEN.get(text.partition("://")[0])
    if text != text.lower() or "@" in text or (port and text.endswith(port)):
        raise ValueError(
            "write origins as browsers send them, in lower case and without a user or the usual "
            "port, as in https://host"
        )
    return text


def listening(text: str) -> str:
    """The address or name itself; raises ValueError where nothing can be called so."""
    if not HOST.fullmatch(text):
        raise ValueError("write an IP address or a host name, as in 127.0.0.1")
    return text


def network(text: str) -> str:
    """The address or network itself; raises ValueError where it is none."""
    if text != EVERYBODY:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(_better(text)) from None
    return text


def _better(text: str) -> str:
    try:  # an address with more digits than the network has
        wanted = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        wanted = "10.0.0.7 or 10.0.0.0/24"
    return f"write IP addresses or networks (no names), as in {wanted}"


def _split(text: str) -> SplitResult | None:
    """The parts of an http or https URL; None where it is none."""
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port that is none
        return None
    return url if sound else None
