"""The contract of `/ws`, published: an AsyncAPI 3 document made of the structs on the wire."""

from __future__ import annotations

import inspect
from functools import cache
from importlib.metadata import version
from typing import Any, TypeAlias, get_args

import msgspec

from netra_ws import messages
from netra_ws.errors import CloseCode
from netra_ws.events import Event

Structs: TypeAlias = tuple[type[msgspec.Struct], ...]

SERVER_MESSAGES: Structs = (
    messages.ConnectionReady,
    *get_args(Event),
    messages.Error,
    messages.Pong,
    messages.TokenRenewed,
    messages.MessageKnown,
)

CLIENT_MESSAGES: Structs = get_args(messages.ClientMessage)


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _message(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": _tag(struct),
        "summary": (inspect.getdoc(struct) or "").splitlines()[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
    }


def _operation(action: str, structs: Structs, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/session"},
        "summary": summary,
        "security": [{"$ref": "#/components/securitySchemes/bearer"}],
        "messages": [{"$ref": f"#/channels/session/messages/{_tag(one)}"} for one in structs],
    }


@cache
def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI document of the backend; operations are seen from the server."""
    structs = (*SERVER_MESSAGES, *CLIENT_MESSAGES)
    codes = "\n".join(f"- {int(code)} {code.name}: {code.meaning}" for code in CloseCode)
    _, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "netra_ws",
            "version": version("netra_ws"),
            "description": "Five agent events a run, streamed to authenticated users.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "session": {
                "address": "/ws",
                "title": "One connection of one user",
                "description": f"Close codes; 4000-4499 reconnect, 4500-4999 do not:\n{codes}",
                "messages": {
                    _tag(one): {"$ref": f"#/components/messages/{_tag(one)}"} for one in structs
                },
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {
                            "type": "object",
                            "description": (
                                "The position to resume after: both, or neither. "
                                "`seq=0` alone: from the oldest event that is kept."
                            ),
                            "properties": {
                                "epoch": {"type": "string", "minLength": 1},
                                "seq": {"type": "integer", "minimum": 0},
                            },
                            "dependentRequired": {"epoch": ["seq"]},
                            "anyOf": [
                                {"required": ["epoch"]},
                                {"properties": {"seq": {"const": 0}}},
                            ],
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": {
            "sendToClient": _operation(
                "send", SERVER_MESSAGES, "First `connection_ready`, then the user's events."
            ),
            "receiveFromClient": _operation(
                "receive", CLIENT_MESSAGES, "Start and stop runs, ping, renew the token."
            ),
        },
        "components": {
            "messages": {_tag(one): _message(one) for one in structs},
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": (
                        "From `POST /auth/login`. Browsers offer it as a subprotocol beside "
                        f"`{messages.SUBPROTOCOL}`: `bearer.TOKEN`, which is never echoed."
                    ),
                }
            },
        },
    }
