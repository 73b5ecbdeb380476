"""Modal's control plane on this machine: the real client talks to it over gRPC.

It knows what every request and answer looks like from the client's own protocol files. What a test
doesn't answer itself, is answered as if all went well.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpclib.const
import grpclib.server
from google.protobuf.message import Message
from modal_proto import api_pb2
from modal_proto.api_grpc import ModalClientBase

PREFIXES = {
    "app_id": "ap",
    "function_id": "fu",
    "environment_id": "en",
    "function_call_id": "fc",
    "image_id": "im",
    "mount_id": "mo",
    "secret_id": "st",
    "volume_id": "vo",
}


class _Names:
    """Gives the protocol's table whatever method it asks for."""

    def __getattr__(self, name: str) -> str:
        return name


class ControlPlane:
    """Answers the client.

    Attributes:
        requests: every request, by the name of the method.
        answers: methods that a test answers itself; what they raise is what the client meets.
    """

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.answers: dict[str, Callable[[Any], Message]] = {
            "MountPutFile": lambda _: api_pb2.MountPutFileResponse(exists=True),
            "ImageJoinStreaming": lambda _: api_pb2.ImageJoinStreamingResponse(
                result=api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
            ),
            "FunctionCreate": lambda request: api_pb2.FunctionCreateResponse(
                function_id=request.existing_function_id,
                handle_metadata=api_pb2.FunctionHandleMetadata(
                    function_name=request.function.function_name
                ),
                function_data=api_pb2.FunctionData(
                    ranked_functions=[
                        api_pb2.FunctionData.RankedFunction(function=request.function)
                    ]
                ),
            ),
            "EnvironmentGetOrCreate": lambda request: api_pb2.EnvironmentGetOrCreateResponse(
                metadata=api_pb2.EnvironmentMetadata(
                    name=request.deployment_name,
                    settings=api_pb2.EnvironmentSettings(image_builder_version="2025.06"),
                )
            ),
            # A token that is valid to the year 2100 or so.
            "AuthTokenGet": lambda _: api_pb2.AuthTokenGetResponse(
                token="e30.eyJleHAiOjQxMDI0NDQ4MDB9.e30"
            ),
        }
        self.url = ""
        self._numbers = itertools.count()

    def __mapping__(self) -> dict[str, grpclib.const.Handler]:
        return {
            path: handler._replace(func=self._method(path.rpartition("/")[2], handler.reply_type))
            for path, handler in ModalClientBase.__mapping__(_Names()).items()
        }

    def _method(self, name: str, reply_type: type[Message]) -> Callable[[Any], Any]:
        async def answer(stream: Any) -> None:
            request = await stream.recv_message()
            self.requests[name].append(request)
            reply = self.answers[name](request) if name in self.answers else reply_type()
            for field in type(reply).DESCRIPTOR.fields:
                if field.name in PREFIXES and not getattr(reply, field.name):
                    setattr(reply, field.name, f"{PREFIXES[field.name]}-{next(self._numbers)}")
            await stream.send_message(reply)

        return answer

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run this Python with a client that has a token for this control plane."""
        env = {**os.environ, **options.pop("env", {})}
        mine = {"SERVER_URL": self.url, "TOKEN_ID": "ak-1", "TOKEN_SECRET": "as-1"}
        return subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            env={**env, **{f"MODAL_{name}": value for name, value in mine.items()}},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )


@contextmanager
def running_control_plane() -> Iterator[ControlPlane]:
    """A control plane at `url`, served by a thread."""
    plane, ready, loop = ControlPlane(), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        server = grpclib.server.Server([plane])
        await server.start("127.0.0.1", 0)
        port = server._server.sockets[0].getsockname()[1]
        plane.url = f"http://127.0.0.1:{port}"
        ready.set()
        await done.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield plane
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
