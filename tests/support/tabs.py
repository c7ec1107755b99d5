"""A backend on a real socket, and what a plain WebSocket client of it does and reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from limits import HANG_S
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from netra_ws.auth.tokens import Tokens
from netra_ws.client import ReceivedRun
from netra_ws.events import decode
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

LIMIT_S = HANG_S

Fetch = Callable[..., Awaitable[Any]]
OpenTab = Callable[..., AbstractAsyncContextManager[ClientConnection]]
LogLines = list[dict[str, Any]]
A_TYPE_OF_60_KB = f'{{"type":"{"x" * 60_000}"}}'


@asynccontextmanager
async def serving(
    tokens: Tokens, settings: Settings | None = None, *, echo: bool = False, **parts: Any
) -> AsyncIterator[Backend]:
    registry = ManagerRegistry(settings, **parts)
    async with Backend(registry, tokens, commit="c0ffee", echo=echo) as backend:
        yield backend


async def receive(tab: ClientConnection) -> str:
    async with asyncio.timeout(LIMIT_S):
        return await tab.recv(decode=True)


async def receive_type(tab: ClientConnection, event_type: str) -> list[str]:
    """Return the messages up to the next one of that type."""
    messages = [await receive(tab)]
    while json.loads(messages[-1])["type"] != event_type:
        messages.append(await receive(tab))
    return messages


async def close_of(tab: ClientConnection) -> tuple[int, str, list[str]]:
    """Return the code and the reason with which the server closes, and what came before."""
    messages = []
    try:
        while True:
            messages.append(await receive(tab))
    except ConnectionClosed as closed:
        close = closed.rcvd or Close(1006, "")
        return close.code, close.reason, messages


async def ready(tab: ClientConnection) -> dict[str, Any]:
    message = json.loads(await receive(tab))
    assert message["type"] == "connection_ready"
    payload: dict[str, Any] = message["payload"]
    return payload


async def say(tab: ClientConnection, content: str = "hello", **more: str) -> None:
    await tab.send(json.dumps({"type": "user_message", "content": content, **more}))


async def chat(tab: ClientConnection, content: str = "hello", **more: str) -> list[str]:
    await say(tab, content, **more)
    return await receive_type(tab, "agent_completed")


async def answers(tab: ClientConnection) -> bool:
    await tab.send('{"type":"ping"}')
    return '"pong"' in await receive(tab)


def verified(messages: list[str]) -> ReceivedRun:
    run = ReceivedRun()
    for message in messages:
        run.add(message, decode(message))
    run.verify()
    return run
