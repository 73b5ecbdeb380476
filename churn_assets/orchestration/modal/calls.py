"""Calls of deployed Modal functions: found, waited for through outages, ended for certain."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import modal
from grpclib.exceptions import StreamTerminatedError

from churn_assets.orchestration.config import ModalConfig
from churn_assets.orchestration.sources import deployed_from
from churn_assets.stages.child_process import StageError

log = logging.getLogger(__name__)

T = TypeVar("T")
Call = modal.FunctionCall[Any]
OUTAGE = (
    modal.exception.ConnectionError,
    modal.exception.ServiceError,
    modal.exception.InternalError,
    modal.exception.ResourceExhaustedError,
    StreamTerminatedError,
)
"""What the client raises, after a few seconds' own retries, while Modal can't be reached or is
overloaded. The call goes on meanwhile."""

HASTY_ANSWERS = 3


def deployed_function(config: ModalConfig, name: str) -> modal.Function[Any, Any, Any]:
    """The function `name` of the app with the stages.

    Raises:
        StageError: the app was deployed from other sources, or with other libraries, than the ones
            here: what it made would be stored as if it were made by these.
    """

    def tags() -> dict[str, str]:
        app = modal.App.lookup(config.app, environment_name=config.environment)
        return dict(app.get_tags())

    deployed = through_outage(tags, config)
    for what, here in deployed_from().items():
        if deployed.get(what) != here:
            raise StageError(
                f"on Modal: the app {config.app} in {config.environment} was deployed from other "
                f"{what} ({deployed.get(what, 'it does not say which')}) than those here ({here}): "
                "deploy with `make deploy`, or check out what is deployed"
            )
    return modal.Function.from_name(config.app, name, environment_name=config.environment)


def wait(call: Call, config: ModalConfig, on_poll: Callable[[], None] = lambda: None) -> None:
    """Wait until the call has returned, however long Modal needs to be reachable again.

    Args:
        on_poll: called every `config.poll_seconds`; what it raises ends the wait, not the call.

    Raises:
        StageError: the function ended with a TimeoutError of its own.
        modal.exception.Error: Modal ended the call, or couldn't be reached for longer than
            `config.outage_seconds`.
        Exception: whatever else the function raised.
    """
    reached, hasty = time.monotonic(), 0
    while True:
        asked = time.monotonic()
        try:
            call.get(timeout=config.poll_seconds)
            return
        except TimeoutError as error:
            # The client raises it when the call still runs after all of that time; one that comes
            # sooner, again and again, is the function's own.
            reached = time.monotonic()
            hasty = hasty + 1 if reached - asked < config.poll_seconds / 2 else 0
            if hasty == HASTY_ANSWERS:
                raise StageError(f"ended with a TimeoutError: {error}") from error
        except OUTAGE as error:
            if time.monotonic() - reached > config.outage_seconds:
                raise
            log.warning("%s goes on while Modal can't be reached: %s", call.object_id, error)
        on_poll()
        time.sleep(max(0.0, asked + config.poll_seconds - time.monotonic()))


def cancel(call: Call, config: ModalConfig) -> None:
    """End the call: asked first, so that it can save its checkpoints, then with its container.

    Raises:
        modal.exception.Error: Modal couldn't be reached for `config.outage_seconds`.
    """
    through_outage(call.cancel, config)
    if not _ends_by_itself(call, config):
        through_outage(lambda: call.cancel(terminate_containers=True), config)


def through_outage(act: Callable[[], T], config: ModalConfig) -> T:
    """The result of `act`, tried again for `config.outage_seconds` while Modal is out of reach."""
    began = time.monotonic()
    while True:
        try:
            return act()
        except OUTAGE:
            if time.monotonic() - began > config.outage_seconds:
                raise
            time.sleep(config.poll_seconds)


def _ends_by_itself(call: Call, config: ModalConfig) -> bool:
    """Whether the cancelled call ends within `config.cancel_seconds`."""
    until = time.monotonic() + config.cancel_seconds
    while time.monotonic() < until:
        try:
            call.get(timeout=config.poll_seconds)
        except TimeoutError:
            continue
        except OUTAGE:
            time.sleep(config.poll_seconds)
            continue
        except (modal.exception.Error, StageError):
            return True  # how it ended is told to nobody any more
        return True
    return False
