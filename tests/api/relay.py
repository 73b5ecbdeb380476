"""A wire to another server that can be cut: whoever is connected then hears nothing any more."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Relay:
    """Passes bytes to `target` and back.

    Attributes:
        url: where to connect instead.
        cut: while set, connections are taken but nothing is passed on.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """Pass on again; connections that heard nothing are closed."""
        self.cut.clear()
        self.close()

    def close(self) -> None:
        """End every connection."""
        ended, self._open = self._open, []
        for connection in ended:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed at the end
            while True:
                caller, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [caller, server]
                for pair in ((caller, server), (server, caller)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65_536):
                if not self.cut.is_set():
                    to.sendall(content)
            to.shutdown(socket.SHUT_WR)


@contextmanager
def relay_to(target: str) -> Iterator[Relay]:
    """A relay that is closed at the block's end."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay._listener.close()
        relay.close()
