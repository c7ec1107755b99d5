"""The published contract: what it says is what is on the wire."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from tabs import Fetch, OpenTab, receive, receive_type, say, serving

from netra_ws import events, messages
from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode
from netra_ws.serving import contract

DOCUMENT = contract.asyncapi()


def validator(name: str) -> Draft202012Validator:
    """Return what validates the message of this `type`."""
    reference = DOCUMENT["components"]["messages"][name]["payload"]
    return Draft202012Validator({**reference, "components": DOCUMENT["components"]})


async def conversation(tokens: Tokens, open_tab: OpenTab) -> list[dict[str, Any]]:
    """Return all that a client is sent in a run, and in answer to each of its other messages."""
    ids = (f"m-{number}" for number in range(9))
    async with serving(tokens) as backend, open_tab(backend) as tab:
        received = [json.loads(one) for one in await receive_type(tab, "connection_ready")]
        for message, answer in (
            ({"type": "user_message", "content": "print(await f())"}, "agent_completed"),
            ({"type": "ping"}, "pong"),
            ({"type": "renew_token", "token": tokens.issue("ann")}, "token_renewed"),
            ({"type": "stop_agent", "run_id": "none"}, "error"),
        ):
            for one in (message, message | {"id": next(ids)}):
                validator(one["type"]).validate(one)
                await tab.send(json.dumps(one))
                received += map(json.loads, await receive_type(tab, answer))
        await say(tab, id="m-0")
        received.append(json.loads(await receive(tab)))
    return received


async def test_every_message_of_a_real_conversation_fits_its_schema(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    received = await conversation(tokens, open_tab)
    for message in received:
        validator(message["type"]).validate(message)
    sent = DOCUMENT["operations"]["sendToClient"]["messages"]
    assert {message["type"] for message in received} == {
        one["$ref"].rpartition("/")[2] for one in sent
    }


@pytest.mark.parametrize("field", ["seq", "epoch", "user_id", "timestamp", "payload"])
async def test_a_message_without_a_field_does_not_fit(
    tokens: Tokens, open_tab: OpenTab, field: str
) -> None:
    received = await conversation(tokens, open_tab)
    started = next(one for one in received if one["type"] == "agent_started")
    validator("agent_started").validate(started)
    del started[field]
    with pytest.raises(ValidationError):
        validator("agent_started").validate(started)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({}, True),
        ({"seq": 0}, True),
        ({"seq": 1}, False),
        ({"epoch": "E"}, False),
        ({"epoch": "", "seq": 0}, False),
        ({"epoch": "E", "seq": 0}, True),
        ({"epoch": "E", "seq": 1}, True),
        ({"epoch": "E", "seq": -1}, False),
    ],
)
def test_the_position_to_resume_after_is_described(query: dict[str, Any], fits: bool) -> None:
    described = DOCUMENT["channels"]["session"]["bindings"]["ws"]["query"]
    assert Draft202012Validator(described).is_valid(query) is fits


async def test_it_is_served(tokens: Tokens, fetch: Fetch) -> None:
    async with serving(tokens) as backend:
        answer = await fetch(backend.url, "/ws/asyncapi.json")
    assert answer.status == 200
    assert json.loads(answer.body) == DOCUMENT


def test_every_event_message_and_close_code_is_in_it() -> None:
    named = DOCUMENT["channels"]["session"]["messages"].keys()
    assert named >= set(events.EVENT_TYPES)
    assert named >= {one.__struct_config__.tag for one in get_args(messages.ClientMessage)}
    structs = [one for one in vars(messages).values() if hasattr(one, "__struct_config__")]
    assert named >= {one.__struct_config__.tag for one in structs} - {None}
    described = DOCUMENT["channels"]["session"]["description"]
    assert all(f"- {int(code)} {code.name}: {code.meaning}" in described for code in CloseCode)
