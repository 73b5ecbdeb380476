"""Calls as Modal's own client makes them, to a control plane on this machine."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2

from tests.modal_jobs.control_plane import ControlPlane, running_control_plane

PROGRAM = """
import modal
from churn_assets.orchestration.modal import calls
from churn_assets.orchestration.config import ModalConfig
config = ModalConfig(poll_seconds={poll}, outage_seconds={outage}, cancel_seconds=0.5)
call = modal.FunctionCall.from_id("fc-1")
{act}
"""
Result = api_pb2.GenericResult


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with running_control_plane() as plane:
        yield plane


def outputs(*results: api_pb2.GenericResult) -> api_pb2.FunctionGetOutputsResponse:
    """What Modal answers: the call's result, or that it still runs."""
    items = [
        api_pb2.FunctionGetOutputsItem(result=result, data_format=api_pb2.DATA_FORMAT_PICKLE)
        for result in results
    ]
    return api_pb2.FunctionGetOutputsResponse(outputs=items, num_unfinished_inputs=int(not items))


SUCCESS = outputs(Result(status=Result.GENERIC_STATUS_SUCCESS, data=pickle.dumps(None)))
RUNNING = outputs()


def act(
    plane: ControlPlane, what: str, outage: float, poll: float = 0.2
) -> subprocess.CompletedProcess[str]:
    return plane.run("-c", PROGRAM.format(outage=outage, act=what, poll=poll))


def test_a_call_is_waited_for_through_an_outage(plane: ControlPlane) -> None:
    """Longer than the client itself tries again: four attempts a request."""
    asked: list[Any] = []

    def answer(request: Any) -> api_pb2.FunctionGetOutputsResponse:
        asked.append(request)
        if len(asked) <= 10:
            raise GRPCError(Status.UNAVAILABLE, "down")
        return SUCCESS

    plane.answers["FunctionGetOutputs"] = answer
    done = act(plane, "calls.wait(call, config); print('ended')", outage=60)
    assert done.stdout == "ended\n", done.stderr
    assert len(asked) == 11
    assert "FunctionCallCancel" not in plane.requests


def test_an_outage_without_end_is_told(plane: ControlPlane) -> None:
    """After the time that the settings allow."""

    def answer(request: Any) -> api_pb2.FunctionGetOutputsResponse:
        raise GRPCError(Status.UNAVAILABLE, "down")

    plane.answers["FunctionGetOutputs"] = answer
    done = act(plane, "calls.wait(call, config)", outage=0)
    assert "ServiceError: down" in done.stderr


def test_a_timeout_error_of_the_function_ends_the_wait(plane: ControlPlane) -> None:
    """The client raises the very same error for a call that still runs."""
    failure = Result(status=Result.GENERIC_STATUS_FAILURE, data=pickle.dumps(TimeoutError("own")))
    plane.answers["FunctionGetOutputs"] = lambda _: outputs(failure)
    # An answer is the function's own where it comes in less than half of a poll's time.
    done = act(plane, "calls.wait(call, config)", outage=60, poll=5)
    assert "StageError: ended with a TimeoutError: own" in done.stderr
    assert len(plane.requests["FunctionGetOutputs"]) == 3


@pytest.mark.parametrize("listens", [True, False])
def test_a_cancel_asks_before_it_kills(plane: ControlPlane, listens: bool) -> None:
    """And asks again what an outage swallowed."""
    lost: list[Any] = []

    def cancel(request: Any) -> Any:
        lost.append(request)
        if len(lost) <= 5:
            raise GRPCError(Status.UNAVAILABLE, "down")
        return Empty()

    stopped = Result(status=Result.GENERIC_STATUS_TERMINATED, exception="cancelled")
    plane.answers["FunctionCallCancel"] = cancel
    plane.answers["FunctionGetOutputs"] = lambda _: outputs(stopped) if listens else RUNNING
    done = act(plane, "calls.cancel(call, config); print('ended')", outage=60)
    assert done.stdout == "ended\n", done.stderr
    told = [request.terminate_containers for request in lost[5:]]
    assert told == ([False] if listens else [False, True])
