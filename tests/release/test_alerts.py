"""An alert never costs the run that raised it anything but a bounded wait."""

from __future__ import annotations

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from churn_assets.release.alerts import alert
from churn_assets.release.config import AlertsConfig


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]


def test_without_a_webhook_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    """The default needs no account anywhere."""
    alert("the best rule serves", AlertsConfig())
    assert told(caplog) == ["the best rule serves"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_logged(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody was told: that must be somewhere. A redirect is a refusal too."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = SecretStr(f"http://127.0.0.1:{server.server_port}/hush")
        with caplog.at_level(logging.DEBUG):
            alert("look", AlertsConfig(webhook=address))
        thread.join()
    assert "hush" not in caplog.text
    assert told(caplog) == ["look", f"the alert's webhook answered {status}: look"]


def test_a_webhook_that_never_answers_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A listening socket that nobody serves."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = SecretStr(f"http://127.0.0.1:{silent.getsockname()[1]}/hush")
        alert("look", AlertsConfig(webhook=address, timeout_seconds=0.1))
    assert told(caplog) == ["look", "the alert's webhook can't be reached (ReadTimeout): look"]
    assert "hush" not in caplog.text
