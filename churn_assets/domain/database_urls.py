"""What messages may show of a database's URL, and of what its driver says.

Secrets stand in a URL in two places: as the password, and among what follows its question mark, as
`?password=…` of PostgreSQL or `?credentials_base64=…` of BigQuery. A driver may repeat either, and
what it says gets into reports, files of refused rows and Dagster's records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:  # SQLAlchemy is loaded by whoever has a database
    from sqlalchemy import URL

HIDDEN = "***"
PLACES = frozenset({"host", "hostaddr", "port", "service", "dbname"})
"""Options that say where the database is: no secrets, and a message says little without them."""


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


def shown(url: URL) -> str:
    """The URL without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """What a driver says, in one line, without what may be a secret of the URL.

    Which option is one, only a driver knows: rather too much is hidden.
    """
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return " ".join(text.split())


def _secrets(url: URL) -> set[str]:
    """The password and the options, as they are and as a URL has them; of a string of settings
    (`odbc_connect`) each one's value, too."""
    found = {str(url.password)} if url.password else set()
    for name, values in url.query.items():
        if name.lower() not in PLACES:
            for value in (values,) if isinstance(values, str) else values:
                found |= {value, *_values(value)}
    return {form for each in found if each for form in (each, quote(each, ""), quote_plus(each))}


def _values(settings: str) -> Iterator[str]:
    for setting in settings.split(";"):
        _, there, value = setting.partition("=")
        if there:
            yield value.strip("{} ")
