"""FastAPI on ``uvicorn[standard]``, as a new project starts: ``receive_json``, ``send_json``."""

from __future__ import annotations

import asyncio

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.rivals import listen
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
            message = await websocket.receive_json()
            for event in conversation.answer(message):
                if PAUSE_S and event["type"] != "agent_started":
                    await asyncio.sleep(PAUSE_S)
                await websocket.send_json(event)
    except WebSocketDisconnect:
        pass


def serve(application: FastAPI) -> None:
    """Serve with what ``uvicorn[standard]`` picks by itself, without a line for each access."""
    config = uvicorn.Config(application, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listen()])


if __name__ == "__main__":
    serve(app)
