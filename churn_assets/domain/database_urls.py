"""What messages may show of a database's URL, and of what its driver says.

Secrets stand in a URL in two places: as the password, and among what follows its question mark, as
`?password=…` of PostgreSQL or `?credentials_base64=…` of BigQuery. A driver may repeat either, and
what it says gets into reports, files of refused rows and Dagster's records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # SQLAlchemy is loaded by whoever has a database
    from sqlalchemy import URL

HIDDEN = "***"
PLACES = frozenset({"host", "hostaddr", "port", "service", "dbname"})
"""Options that say where the database is: no secrets, and a message says little without them."""


INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[sql]'"
_EXAMPLE = "postgresql+psycopg2://user:${PASSWORD}@host/database"
_ENCODE = "in a password write @ as %40, : as %3A, / as %2F and ? as %3F"


class DatabaseUrlError(ValueError):
    """It is no URL of a database; the message has nothing of it."""


def database_url(text: str) -> URL:
    """The URL, parsed.

    Raises:
        DatabaseUrlError: it is none, or a password in it isn't encoded: its end would be shown as
            the host or the database.
    """
    import sqlalchemy as sa

    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise DatabaseUrlError(f"it is no URL as in {_EXAMPLE}") from None
    except ValueError:  # of the port, which may be the end of a password
        raise DatabaseUrlError(f"its port is no number; {_ENCODE}") from None
    if url.host or url.password:  # else it is a file's path
        after = text.partition("@")[2] if url.password else text  # a password may have ? and =
        option = after.partition("?")[2].partition("=")[0]
        for name, part in {"host": url.host, "database": url.database, "query": option}.items():
            if "@" in (part or ""):
                raise DatabaseUrlError(f"its {name} has an @ in it; {_ENCODE}")
    return url


def unimported(error: ImportError) -> str:
    """What can't be imported for a URL, and how to get it where that is PostgreSQL's driver, which
    the project's extra `sql` has."""
    if error.name != "psycopg2":
        return str(error)
    return f"its driver psycopg2 isn't installed; in the project's folder: {INSTALL}"


def shown(url: URL) -> str:
    """The URL without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """What a driver says, in one line, without what may be a secret of the URL.

    Which option is one, only a driver knows: rather too much is hidden.
    """
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){_spelled(secret)}(?!\w)", HIDDEN, text)
    return " ".join(text.split())


def _secrets(url: URL) -> set[str]:
    """The password and the options; of a string of settings (`odbc_connect`) each one's value,
    too."""
    found = {str(url.password)} if url.password else set()
    for name, values in url.query.items():
        if name.lower() not in PLACES:
            for value in (values,) if isinstance(values, str) else values:
                found |= {value, *_values(value)}
    return found - {""}


def _spelled(secret: str) -> str:
    """A pattern of a secret as it is, as a URL has it (which of its characters are encoded there,
    each program decides for itself), and as it stands in quotes in Python or JSON."""
    return "".join(map(_character, secret))


def _character(one: str) -> str:
    encoded = "".join(f"%{byte:02x}" for byte in one.encode(errors="surrogatepass"))
    forms = {one, repr(one)[1:-1], json.dumps(one)[1:-1]}
    forms |= {f"\\{one}"} if one in "'\"" else {"+"} if one == " " else set()
    plain = sorted(map(re.escape, forms), key=len, reverse=True)
    return f"(?:{'|'.join(plain)}|(?i:{encoded}))"


def _values(settings: str) -> Iterator[str]:
    for setting in settings.split(";"):
        _, there, value = setting.partition("=")
        if there:
            yield value.strip("{} ")
