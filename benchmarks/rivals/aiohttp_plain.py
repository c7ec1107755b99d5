"""aiohttp with its defaults: a ``WebSocketResponse``, ``msg.json()`` and ``send_json``."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from benchmarks.rivals import listen
from benchmarks.work import Conversation, Refused, pause_s

PAUSE_S = pause_s()


async def converse(request: web.Request) -> web.StreamResponse:
    """Serve one connection."""
    try:
        conversation = Conversation(request.headers.get("Authorization"))
    except Refused as error:
        raise web.HTTPUnauthorized(text=str(error)) from error
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            for event in conversation.answer(message.json()):
                if PAUSE_S and event["type"] != "agent_started":
                    await asyncio.sleep(PAUSE_S)
                await socket.send_json(event)
    return socket


def main() -> None:
    """Serve until the process is ended."""
    app = web.Application()
    app.router.add_get("/ws", converse)
    web.run_app(app, sock=listen(), print=None, access_log=None)


if __name__ == "__main__":
    main()
