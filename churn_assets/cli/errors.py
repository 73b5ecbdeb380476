"""How the command line says that something went wrong: one line on stderr, exit code 1."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from churn_assets.campaign.errors import CampaignError, LedgerError, PeopleError
from churn_assets.datasets.errors import DataError, SourceUnavailableError
from churn_assets.domain.plain_errors import WrongSettingError, describe
from churn_assets.release.bundle import ReleaseError
from churn_assets.storage.protocol import ArtifactError

EXPECTED = (
    WrongSettingError,
    OSError,
    ArtifactError,
    ReleaseError,
    DataError,
    SourceUnavailableError,
    CampaignError,
    LedgerError,
    PeopleError,
)


def fail(error: Exception) -> typer.Exit:
    """Say what is wrong on stderr; the caller raises the result."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(describe(error), style="red", markup=False, highlight=False)
    return typer.Exit(1)


class PlainErrors(TyperGroup):
    """A group of commands whose expected errors are shown without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `churn … | head`: nobody is left to be told
            raise
        except EXPECTED as error:
            raise fail(error) from error
