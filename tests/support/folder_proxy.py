"""A reverse proxy that shows the two services of a deployment under one folder of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

FOLDER = "/chat/"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def folder_proxy(backend: str, auth: str, port: int) -> AsyncIterator[None]:
    """Serve `FOLDER` on `port`: ``auth/`` in it from `auth`, all else from `backend`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                return  # a browser opens connections that it then does not need
            method, path, rest = head.split(" ", 2)
            if not path.startswith(FOLDER):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            path = path.removeprefix(FOLDER.rstrip("/"))
            if "upgrade:" not in rest.lower():  # one request a connection
                rest = re.sub("(?im)^connection:.*$", "Connection: close\r", rest)
            where = urlsplit(auth if path.startswith("/auth/") else backend)
            behind_reader, behind = await asyncio.open_connection(where.hostname, where.port)
            behind.write(f"{method} {path} {rest}".encode())
            await asyncio.gather(
                _copy(reader, behind), _copy(behind_reader, writer), return_exceptions=True
            )

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield
