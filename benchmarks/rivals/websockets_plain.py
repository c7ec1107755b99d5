"""The ``websockets`` library with its defaults: ``json.dumps`` and ``await send()`` per event."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from benchmarks.rivals import listen
from benchmarks.work import Conversation, Refused, pause_s

PAUSE_S = pause_s()


class Connection(ServerConnection):
    """A connection with what its handshake found out."""

    conversation: Conversation


def admit(connection: ServerConnection, request: Request) -> Response | None:
    """Answer a handshake without a valid token with 401."""
    assert isinstance(connection, Connection)
    try:
        connection.conversation = Conversation(request.headers.get("Authorization"))
    except Refused as error:
        return connection.respond(HTTPStatus.UNAUTHORIZED, f"{error}\n")
    return None


async def converse(connection: ServerConnection) -> None:
    """Serve one connection."""
    assert isinstance(connection, Connection)
    async for message in connection:
        for event in connection.conversation.answer(json.loads(message)):
            if PAUSE_S and event["type"] != "agent_started":
                await asyncio.sleep(PAUSE_S)
            await connection.send(json.dumps(event))


async def main() -> None:
    """Serve until the process is ended."""
    async with serve(
        converse, sock=listen(), process_request=admit, create_connection=Connection
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
