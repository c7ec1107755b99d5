"""A deployment that nearly keeps the contract: a real one behind a proxy that changes something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from plain_client import HasBackend
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


def address_of(server: Server | asyncio.Server) -> str:
    """Return the URL of a server in this process."""
    host, port = next(iter(server.sockets)).getsockname()
    return f"http://{host}:{port}"


Change = Callable[[dict[str, Any]], Iterable[dict[str, Any] | str | bytes]]


@asynccontextmanager
async def proxied(
    deployment: HasBackend,
    change: Change = lambda message: (message,),
    path: Callable[[str], str] = lambda path: path,
    answer: Callable[[str], tuple[int, bytes]] = lambda _: (200, b"{}"),
    closed: Callable[[int | None], object] = lambda _: None,
) -> AsyncIterator[str]:
    """Give the address of a backend that passes on what `change` makes of each message.

    `path` changes the request of a handshake, `answer` is the status and body of a plain request.
    `closed` is called with the close code of each connection, before this context ends.
    """

    async def relay(socket: ServerConnection) -> None:
        assert socket.request is not None
        headers = {"Authorization": socket.request.headers["Authorization"]}
        url = deployment.backend.replace("http", "ws") + path(socket.request.path)
        async with connect(url, additional_headers=headers, proxy=None) as behind:

            async def upstream() -> None:
                with suppress(ConnectionClosed):
                    async for message in socket:
                        await behind.send(message)
                await behind.close()

            asking = asyncio.create_task(upstream())
            with suppress(ConnectionClosed):
                async for text in behind:
                    for message in change(json.loads(text)):
                        whole = isinstance(message, str | bytes)
                        await socket.send(message if whole else compact(message))
            await socket.close()
            await asking
        closed(socket.close_code)

    def endpoint(socket: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        status, body = answer(request.path)
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        if 300 <= status < 400:
            headers["Location"] = "/somewhere/else"
        return Response(status, HTTPStatus(status).phrase, headers, body)

    async with serve(relay, "127.0.0.1", 0, process_request=endpoint) as server:
        yield address_of(server)


def compact(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def change_of(event_type: str, *messages: Any) -> Change:
    """Return a change that puts `messages` in place of those of a type; `...` is the original.

    A dictionary is merged into the original.
    """

    def change(message: dict[str, Any]) -> Iterable[Any]:
        if message["type"] != event_type:
            return (message,)
        return (
            message if one is ... else message | one if isinstance(one, dict) else one
            for one in messages
        )

    return change


def resumed(change: Callable[[dict[str, Any]], Iterable[Any]]) -> Change:
    """Return a change of the connections that resumed."""
    is_resumed = False

    def on_resumed(message: dict[str, Any]) -> Iterable[Any]:
        nonlocal is_resumed
        if message["type"] == "connection_ready":
            is_resumed = message["payload"]["recovered"] is not None
        return change(message) if is_resumed else (message,)

    return on_resumed


def ready_with(**fields: Any) -> Change:
    def change(message: dict[str, Any]) -> Iterable[Any]:
        if message["type"] == "connection_ready":
            message["payload"] |= fields
        return (message,)

    return resumed(change)
