"""The database of a table by a query: reached by its URL, of which no message shows a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn_assets.datasets.errors import DataError
from churn_assets.domain.database_urls import (
    DatabaseUrlError,
    database_url,
    shown,
    unimported,
    without_secrets,
)
from churn_assets.domain.variables import UnsetVariableError, with_variables

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DRIVERS = {  # of databases that SQLAlchemy reaches by somebody else's package
    "bigquery": "sqlalchemy-bigquery",
    "databricks": "databricks-sqlalchemy",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
}


def engine_of(text: str) -> Engine:
    """Connections to the database at a contract's `sql.url`, in which `${NAME}` stands for a
    variable.

    Raises:
        DataError: a variable isn't set, or it is no URL that can be used. Nothing that may say more
            of the URL is its cause: Dagster's records keep causes.
    """
    try:
        import sqlalchemy
    except ImportError as error:
        raise DataError("a table by sql needs SQLAlchemy, which isn't installed here") from error

    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        url = database_url(with_variables(text, "sql.url"))
    except UnsetVariableError as error:
        raise DataError(str(error)) from error
    except DatabaseUrlError as error:
        raise DataError(f"sql.url can't be used: {error}") from error
    try:
        return sqlalchemy.create_engine(url)
    except sqlalchemy.exc.NoSuchModuleError as error:
        name = url.drivername.partition("+")[0]
        driver = _DRIVERS.get(name)
        advice = f"pip install {driver}" if driver else "is it written right?"
        raise DataError(f"sql.url can't be used: no driver for {name}:// here; {advice}") from error
    except ImportError as error:
        said = without_secrets(unimported(error), url)
        raise DataError(f"sql.url can't be used: {said}") from None
    except (sqlalchemy.exc.ArgumentError, ValueError, TypeError) as error:
        # The dialect's: that an option is no number.
        raise DataError(f"sql.url can't be used: {without_secrets(str(error), url)}") from None
    except (GoogleAPIError, GoogleAuthError) as error:  # BigQuery's driver looks for credentials
        raise DataError(f"{shown(url)}: {without_secrets(str(error), url)}") from None
