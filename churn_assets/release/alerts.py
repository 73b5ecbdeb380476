"""Tells people what needs a look: the log at error level and, where one is set, a webhook."""

from __future__ import annotations

import logging

import httpx

from churn_assets.release.config import AlertsConfig

log = logging.getLogger(__name__)
for client in ("httpx", "httpcore"):  # they log every address that they post to
    logging.getLogger(client).setLevel(logging.WARNING)


def alert(text: str, config: AlertsConfig) -> None:
    """Log `text` as an error and post it as `{"text": ...}`, which Slack and its likes read.

    Never fails for the webhook's sake: that it didn't take the alert is logged too. Neither log
    line holds the webhook's address, which is a secret.
    """
    log.error("%s", text)
    if config.webhook is None:
        return
    try:
        answer = httpx.post(
            config.webhook.get_secret_value(), json={"text": text}, timeout=config.timeout_seconds
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.error("the alert's webhook can't be reached (%s): %s", type(error).__name__, text)
        return
    if not answer.is_success:
        log.error("the alert's webhook answered %d: %s", answer.status_code, text)
