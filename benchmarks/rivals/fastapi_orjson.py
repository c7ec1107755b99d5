"""FastAPI on ``uvicorn[standard]``, tuned: orjson in place of ``receive_json``, ``send_json``."""

from __future__ import annotations

import asyncio

import orjson
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.rivals.fastapi_default import serve
from benchmarks.work import Conversation, Refused, pause_s

PAUSE_S = pause_s()

app = FastAPI()


@app.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    """Serve one connection."""
    try:
        conversation = Conversation(websocket.headers.get("authorization"))
    except Refused:
        await websocket.close(1008)
        return
    await websocket.accept()
    try:
        while True:
            message = orjson.loads(await websocket.receive_text())
            for event in conversation.answer(message):
                if PAUSE_S and event["type"] != "agent_started":
                    await asyncio.sleep(PAUSE_S)
                await websocket.send_text(orjson.dumps(event).decode())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    serve(app)
