"""Messages with an `id`: what answers them refers to it, and each starts one run."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from polling import until
from tabs import Fetch, OpenTab, answers, chat, ready, receive, receive_type, say, serving, verified
from websockets.asyncio.client import ClientConnection

from netra_ws.agent import AgentRun
from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings


class Waiting:
    """An agent whose runs go on until they are let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def __call__(self, run: AgentRun, message: str) -> str:
        async with run.tool("wait", {}):
            await self.let_go.wait()
        return message


async def up_to_now(tab: ClientConnection) -> list[str]:
    """Return the messages up to the answer to a ping."""
    await tab.send('{"type":"ping"}')
    return await receive_type(tab, "pong")


async def ask(tab: ClientConnection, **message: Any) -> dict[str, Any]:
    """Send a message and return the next one of the server."""
    await tab.send(json.dumps(message))
    answer: dict[str, Any] = json.loads(await receive(tab))
    return answer


def payloads(messages: list[str], event_type: str) -> list[dict[str, Any]]:
    """Return the payloads of one type of message."""
    decoded = map(json.loads, messages)
    return [one["payload"] for one in decoded if one["type"] == event_type]


# What answers a message


async def test_it_is_listed(backend: Backend, fetch: Fetch) -> None:
    listed = json.loads((await fetch(backend.url, "/ws/config")).body)["client_messages"]
    assert listed == {
        "user_message": ["content", "thread_id", "id"],
        "stop_agent": ["run_id", "id"],
        "ping": ["id"],
        "renew_token": ["token", "id"],
    }


async def test_what_answers_a_message_refers_to_it(
    backend: Backend, open_tab: OpenTab, tokens: Tokens
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        pong = await ask(tab, type="ping", id="a")
        renewed = await ask(tab, type="renew_token", token=tokens.issue("ann"), id="b")
        refused = await ask(tab, type="renew_token", token="none", id="c")
        unknown = await ask(tab, type="stop_agent", run_id="none", id="d")
        run = verified(await chat(tab, id="e"))
    assert pong["payload"] == {"ref": "a"}
    assert (renewed["type"], renewed["payload"]["ref"]) == ("token_renewed", "b")
    assert (refused["payload"]["code"], refused["payload"]["ref"]) == ("token_refused", "c")
    assert (unknown["payload"]["code"], unknown["payload"]["ref"]) == ("unknown_run", "d")
    assert run.events[0].payload.message_id == "e"  # type: ignore[union-attr]


async def test_what_answers_a_message_without_an_id_refers_to_none(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        assert (await ask(tab, type="ping"))["payload"] == {}
        assert list((await ask(tab, type="shout"))["payload"]) == ["code", "message"]
        assert payloads(await chat(tab), "agent_started") == [{"message": "hello"}]


@pytest.mark.parametrize(
    ("message", "code", "ref"),
    [
        ('{"type":"user_message","id":"a"}', "invalid_message", "a"),
        ('{"type":"shout","id":"a"}', "invalid_message", "a"),
        ('{"id":"a"}', "invalid_message", "a"),
        ('{"type":"ping","loud":1,"id":"a"}', "invalid_message", "a"),
        ('{"type":"user_message","content":"","thread_id":"","id":"a"}', "invalid_message", "a"),
        (b'{"type":"ping","id":"a"}', "binary_message", "a"),
        (b'\xff{"type":"ping","id":"a"}', "binary_message", None),
        ('{"type":"ping","id":""}', "invalid_message", None),
        (f'{{"type":"ping","id":"{"x" * 65}"}}', "invalid_message", None),
        ('{"type":"ping","id":null}', "invalid_message", None),
        ('{"type":"ping","id":7}', "invalid_message", None),
        ('{"type":"ping","id":["a"]}', "invalid_message", None),
        ('{"type":"ping","id":"\\ud800"}', "invalid_json", None),
        ('{"type":"ping","id":"a"', "invalid_json", None),
        ('{"type":"ping","ref":"a"}', "invalid_message", None),
        ('{"type":"ping","message_id":"a"}', "invalid_message", None),
        ('{"type":"ping","ID":"a"}', "invalid_message", None),
        ("[" * 50_000, "invalid_message", None),
    ],
)
async def test_an_error_refers_to_its_message_if_its_id_can_be_read(
    backend: Backend, open_tab: OpenTab, message: str | bytes, code: str, ref: str | None
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        await tab.send(message)
        error = json.loads(await receive(tab))["payload"]
        assert (error["code"], error.get("ref")) == (code, ref)
        assert await answers(tab)


@pytest.mark.parametrize(
    "id_",
    ["x", "x" * 64, "\U0001f980" * 64, "\0" * 64, "a b\n\u2028", '"\\'],
    ids=["one", "the most", "outside of the BMP", "zeros", "blanks", "to be escaped"],
)
async def test_any_1_to_64_characters_are_an_id(
    backend: Backend, open_tab: OpenTab, id_: str
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        assert (await ask(tab, type="ping", id=id_))["payload"] == {"ref": id_}
        run = verified(await chat(tab, id=id_))
        assert run.events[0].payload.message_id == id_  # type: ignore[union-attr]
        known = await ask(tab, type="user_message", content="", id=id_)
    assert known["payload"] == {"ref": id_, "run_id": run.events[0].run_id}


# A message that comes again


async def test_a_message_that_comes_again_starts_no_second_run(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        run = verified(await chat(tab, id="a"))
        known = await ask(tab, type="user_message", content="something else", id="a")
        later = verified(await chat(tab, id="b"))
    assert list(known) == ["type", "timestamp", "payload"]
    assert known["type"] == "message_known"
    assert known["payload"] == {"ref": "a", "run_id": run.events[0].run_id}
    assert [event.seq for event in later.events] == [6, 7, 8, 9, 10]


async def test_it_is_known_on_another_connection_while_its_run_goes_on(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    agent = Waiting()
    async with serving(tokens, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab, id="a")
        first = await receive_type(tab, "tool_executing")
        async with open_tab(backend) as other:
            (ongoing,) = (await ready(other))["runs"]
            known = await ask(other, type="user_message", content="", id="a")
        agent.let_go.set()
        verified(first + await receive_type(tab, "agent_completed"))
    assert known["payload"] == {"ref": "a", "run_id": ongoing["run_id"]}


async def test_the_same_id_of_another_user_is_another_one(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend, "ann") as ann, open_tab(backend, "bob") as bob:
        await ready(ann)
        await ready(bob)
        verified(await chat(ann, id="a"))
        verified(await chat(bob, id="a"))


async def test_only_a_message_that_starts_a_run_takes_its_id(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    settings = Settings(max_runs_per_user=1)
    agent = Waiting()
    async with serving(tokens, settings, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        await ask(tab, type="ping", id="a")
        await ask(tab, type="stop_agent", run_id="none", id="a")
        await ask(tab, type="user_message", content="", thread_id="", id="a")
        await say(tab, id="b")
        begun = await receive_type(tab, "tool_executing")
        refused = await ask(tab, type="user_message", content="", id="a")
        known = await ask(tab, type="user_message", content="", id="b")
        agent.let_go.set()
        verified(begun + await receive_type(tab, "agent_completed"))
        verified(await chat(tab, id="a"))
    assert (refused["payload"]["code"], refused["payload"]["ref"]) == ("too_many_runs", "a")
    assert known["type"] == "message_known"


async def test_a_server_that_stops_knows_ids_and_takes_none(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with serving(tokens) as backend, open_tab(backend) as tab:
        await ready(tab)
        run = verified(await chat(tab, id="a"))
        await backend.drain(asyncio.Event())
        known = await ask(tab, type="user_message", content="", id="a")
        refusals = [await ask(tab, type="user_message", content="", id="b") for _ in range(2)]
    assert known["payload"] == {"ref": "a", "run_id": run.events[0].run_id}
    for refused in refusals:
        assert (refused["payload"]["code"], refused["payload"]["ref"]) == ("stopping", "b")


async def forgotten(backend: Backend) -> None:
    """Let so much time pass for the registry that it forgets who has gone."""
    registry = backend._registry
    await until(lambda: registry.statistics().connections == 0)
    now = asyncio.get_running_loop().time()
    registry.expire(now)
    registry.expire(now + registry.settings.idle_log_s)


async def test_a_new_epoch_forgets_ids(tokens: Tokens, open_tab: OpenTab) -> None:
    async with serving(tokens, Settings(idle_log_s=1.0)) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            verified(await chat(tab, id="a"))
        await forgotten(backend)
        async with open_tab(backend) as tab:
            assert (await ready(tab))["epoch"] != epoch
            verified(await chat(tab, id="a"))


IDS = "abcd"
ACTS = st.tuples(st.sampled_from("123"), st.sampled_from([*IDS, "drop", "let go"]))


@given(acts=st.lists(ACTS, max_size=40))
@hypothesis.settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_messages_are_sent_again_each_has_one_run(
    tokens: Tokens, open_tab: OpenTab, acts: list[tuple[str, str]]
) -> None:
    """On three connections at once, which drop without a word, while some are refused."""
    limits = Settings(max_runs_per_user=2, max_messages_per_s=1e6, retained_events=10_000)
    received: list[str] = []
    seen: list[str] = []

    async def check() -> None:
        agent = Waiting()
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(serving(tokens, limits, agent=agent))
            tabs: dict[str, ClientConnection] = {}
            for name, act in acts:
                if name not in tabs:
                    tabs[name] = await stack.enter_async_context(open_tab(backend))
                if act == "drop":
                    tabs.pop(name).transport.abort()
                elif act == "let go":
                    agent.let_go.set()
                    agent.let_go.clear()
                else:
                    await say(tabs[name], id=act)
            agent.let_go.set()
            witness = await stack.enter_async_context(open_tab(backend, query="?seq=0"))
            for id_ in IDS:
                while id_ not in [known["ref"] for known in payloads(seen, "message_known")]:
                    await say(witness, id=id_)
                    seen.extend(await up_to_now(witness))
            for tab in tabs.values():
                received.extend(await up_to_now(tab))

    asyncio.run(check())
    started = [one for one in map(json.loads, seen) if one["type"] == "agent_started"]
    assert sorted(one["payload"]["message_id"] for one in started) == list(IDS)
    runs = {one["payload"]["message_id"]: one["run_id"] for one in started}
    for known in payloads(seen + received, "message_known"):
        assert known["run_id"] == runs[known["ref"]]


# The runs that are going on


async def test_a_connection_is_told_the_runs_that_are_going_on(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    agent = Waiting()
    async with (
        serving(tokens, agent=agent) as backend,
        open_tab(backend) as tab,
        open_tab(backend, "bob") as bob,
    ):
        assert (await ready(tab))["runs"] == []
        await ready(bob)
        started = []
        for thread_id in ("one", "two"):
            await say(tab, thread_id=thread_id)
            started.append(json.loads((await receive_type(tab, "tool_executing"))[0]))
        await say(bob)
        await receive_type(bob, "tool_executing")
        async with open_tab(backend) as other:
            told = (await ready(other))["runs"]
            stop = {"type": "stop_agent", "run_id": told[0]["run_id"]}
            await other.send(json.dumps(stop))
            await receive_type(other, "agent_completed")
        async with open_tab(backend) as other:
            left = (await ready(other))["runs"]
    expected = [{key: one[key] for key in ("run_id", "thread_id", "seq")} for one in started]
    assert told == expected
    assert [one["thread_id"] for one in told] == ["one", "two"]
    assert left == expected[1:]


# From the oldest event that is kept


async def test_a_reload_gets_all_that_is_kept(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend, query="?seq=0") as tab:
        first = await ready(tab)
        sent = await chat(tab)
    assert (first["seq"], first["recovered"], first["lost"]) == (0, True, 0)
    async with open_tab(backend, query="?seq=0") as tab:
        again = await ready(tab)
        replayed = await receive_type(tab, "agent_completed")
    assert again | {"connection_id": ""} == first | {"connection_id": ""}
    assert replayed == sent


async def test_a_reload_after_a_trim_says_how_much_is_gone(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    settings = Settings(retained_events=7)
    async with serving(tokens, settings) as backend:
        async with open_tab(backend) as tab:
            await ready(tab)
            sent = [*await chat(tab), *await chat(tab)]
        async with open_tab(backend, query="?seq=0") as tab:
            first = await ready(tab)
            replayed = [await receive(tab) for _ in range(7)]
            assert await answers(tab)
    assert (first["seq"], first["recovered"], first["lost"]) == (3, False, 3)
    assert replayed == sent[3:]


async def speak(run: AgentRun, message: str) -> str:
    """Say something in each turn of the loop, until stopped."""
    while True:
        await run.thinking(message)
        await asyncio.sleep(0)


@pytest.mark.parametrize("query", ["?seq=0", "?epoch={epoch}&seq=1"])
async def test_what_is_kept_arrives_while_a_run_pushes_it_out(
    tokens: Tokens, open_tab: OpenTab, query: str
) -> None:
    async with serving(tokens, agent=speak) as backend, open_tab(backend) as tab:
        epoch = (await ready(tab))["epoch"]
        await say(tab)
        for _ in range(2 * Settings().retained_events):
            await receive(tab)
        async with open_tab(backend, query=query.format(epoch=epoch)) as other:
            first = await ready(other)
            arrived = [json.loads(await receive(other))["seq"] for _ in range(500)]
            other.transport.abort()
        tab.transport.abort()
    assert first["recovered"] is False
    assert arrived == list(range(first["seq"] + 1, first["seq"] + 501))


# A log that never had an event


async def test_where_nothing_can_have_been_lost_nothing_is_said_to_be(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with serving(tokens, Settings(idle_log_s=1.0)) as backend:
        async with open_tab(backend) as tab:
            first = await ready(tab)
        for _ in range(2):
            await forgotten(backend)
            async with open_tab(backend, query=f"?epoch={first['epoch']}&seq=0") as tab:
                again = await ready(tab)
                assert (again["epoch"], again["seq"]) == (first["epoch"], 0)
                assert (again["recovered"], again["lost"]) == (True, 0)
