"""What a release asks of whoever will serve it, before it goes into service.

Serving stands above the release and knows its files; here stands only what it must be able to do.
`serving/rehearsal.py` does it, and `definitions.py` hands it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from churn_assets.release.config import ScoringConfig
from churn_assets.stages.spec import Progress


class Rehearsal(Protocol):
    """Answers as a server would, from a release's folder."""

    def write_golden(
        self, bundle: Path, customers: Path, count: int, messages: Mapping[str, Any]
    ) -> None:
        """Answer requests and store both in a bundle that isn't sealed yet.

        Args:
            bundle: the folder with the release's components.
            customers: folder of `customer_history`, from whose test split the requests are drawn.
            count: how many; fewer where there are fewer customers.
            messages: the message settings that the release's manifest will hold.
        """
        ...

    def check_golden(self, release: Path) -> int:
        """Load the sealed release and answer its stored requests again.

        Returns:
            How many there were.

        Raises:
            ReleaseError: the files are not what the manifest says, or an answer differs.
        """
        ...

    def score(
        self,
        release: Path,
        customers: Path,
        out: Path,
        config: ScoringConfig,
        progress: Progress,
    ) -> dict[str, Any]:
        """Write `out/predictions.parquet`, a row for every customer.

        Args:
            customers: folder of `active_customers`.

        Returns:
            Counts and sums over all customers, and what other spends would retain.

        Raises:
            ReleaseError: the release's files are not what its manifest says.
        """
        ...
