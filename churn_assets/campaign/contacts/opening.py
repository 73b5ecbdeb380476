"""The contact ledger of a process that may never need it: opened once there is one, or something to
keep.

What speaks to databases takes a tenth of a second of a service's start and twelve megabytes for as
long as it runs. A service that nobody has reported a contact to has nothing to ask it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.ledger import Ledger

FILE = "ledger.sqlite3"


class LateLedger:
    """The ledger at `url`; below `home` where it is empty. Threads may share it.

    One that a setting names is opened at once, so that a wrong setting is said at the start.

    Raises:
        LedgerError: the setting names no database that can be used.
    """

    def __init__(self, url: str, home: Path) -> None:
        self._url, self._home = url, home
        self._opening = threading.Lock()
        self._ledger: Ledger | None = None
        if url or not self.is_absent():
            self.opened()

    def is_absent(self) -> bool:
        """There is no file yet, so nobody was ever contacted, as far as this ledger knows."""
        if self._ledger is not None:
            return self._ledger.is_absent()
        return not (self._home / FILE).exists()

    def opened(self) -> Ledger:
        """The ledger itself, the same every time. Nothing is made until written."""
        from churn_assets.campaign.contacts.ledger import Ledger

        with self._opening:
            if self._ledger is None:
                self._ledger = Ledger(self._url or f"sqlite:///{self._home / FILE}")
            return self._ledger

    def writes(self) -> int:
        """How often this process may have changed it."""
        return 0 if self._ledger is None else self._ledger.writes

    def close(self) -> None:
        """Let go of connections."""
        if self._ledger is not None:
            self._ledger.close()
