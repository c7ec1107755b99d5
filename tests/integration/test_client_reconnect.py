"""The client that stays connected: every event once, or an error that says what is missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy import change_of, proxied
from tabs import LIMIT_S, OpenTab, ready, receive_type, say, serving
from wire import Cut, Wire

from netra_ws.agent import AgentRun, source_reader
from netra_ws.auth.login import LoginResponse, LoginUser
from netra_ws.auth.tokens import Tokens
from netra_ws.client import Backoff, Channel, Client
from netra_ws.errors import (
    ConfigurationError,
    EventsLost,
    IncompleteRun,
    LoginError,
    NetraError,
    RequestRefused,
    RunUnconfirmed,
    RunUnfinished,
)
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

RUN_EVENTS = 5
READY = 1
QUICK = Backoff(first_s=0.001, max_s=0.01, attempts=10_000)


class Logins:
    """Logs one user in, and remembers how often; `errors` are raised first, one each."""

    def __init__(self, tokens: Tokens, user: str = "ann", *errors: Exception) -> None:
        self.count = 0
        self.errors = list(errors)
        self.tokens = tokens
        self._user = user
        self._more = asyncio.Condition()

    async def reached(self, count: int) -> None:
        async with self._more, asyncio.timeout(LIMIT_S):
            await self._more.wait_for(lambda: self.count >= count)

    async def __call__(self) -> LoginResponse:
        async with self._more:
            self.count += 1
            self._more.notify_all()
        if self.errors:
            raise self.errors.pop(0)
        token, life_s = self.tokens.issue(self._user), int(self.tokens.settings.token_lifetime_s)
        return LoginResponse(token, "Bearer", life_s, LoginUser(self._user, "ann@demo.example"))


Connected = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def connected(tokens: Tokens) -> Connected:
    """A function that connects the client of ann to an address."""

    def connect_it(url: str, position: Position | None = None, **options: Any) -> Client:
        return Client(url, Logins(tokens), position, **{"backoff": QUICK, **options})

    return connect_it


async def take(client: Client, count: int) -> list[tuple[str, Event]]:
    """Return the next events; whatever else comes fails the test."""
    taken = []
    async with asyncio.timeout(LIMIT_S), aclosing(client.messages()) as messages:
        while len(taken) < count:
            message, event = await anext(messages)
            assert isinstance(event, Event)
            taken.append((message, event))
    return taken


def numbers(taken: list[tuple[str, Event]]) -> list[int]:
    return [event.seq for _, event in taken]


async def run_of(backend: Backend, open_tab: OpenTab, times: int = 1) -> list[str]:
    """Return the messages of whole runs of ann, started and read beside the client."""
    async with open_tab(backend) as tab:
        await ready(tab)
        messages = []
        for _ in range(times):
            await say(tab)
            messages += await receive_type(tab, "agent_completed")
    return messages


# Exactly once


@pytest.mark.parametrize("address", ["nonsense", "ws://127.0.0.1:8000", "http://"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected http:// or https://.*got '{address}'"):
        Client(address, authenticate=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("events", range(1, RUN_EVENTS))
async def test_a_run_survives_a_drop_after_each_of_its_events(
    backend: Backend, connected: Connected, events: int
) -> None:
    async with Wire(backend.url, [Cut(down=READY + events)]) as wire, connected(wire.url) as ann:
        run = await ann.chat("hello", LIMIT_S)
        assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]
        assert (wire.connections, ann.reconnects) == (2, 1)
        assert ann.position == Position(run.events[-1].epoch, 5)


async def test_a_run_of_which_a_word_was_changed_is_not_passed_on(
    backend: Backend, connected: Connected, tokens: Tokens
) -> None:
    """Order and count are right; the digest alone tells."""
    change = change_of("agent_thinking", {"payload": {"reasoning": "Something else.", "step": 1}})
    async with proxied(SimpleNamespace(backend=backend.url), change) as url:
        async with connected(url) as ann:
            with pytest.raises(IncompleteRun, match="digest"):
                await ann.chat("hello", LIMIT_S)
        async with Channel(url, tokens.issue("ann")) as channel:
            with pytest.raises(IncompleteRun, match="digest"):
                await channel.chat("hello", LIMIT_S)


async def test_a_run_survives_a_drop_after_every_event(
    backend: Backend, connected: Connected
) -> None:
    cuts = [Cut(down=READY + 1)] * RUN_EVENTS
    async with Wire(backend.url, cuts) as wire, connected(wire.url) as ann:
        run = await ann.chat("hello", LIMIT_S)
        assert len(run.events) == RUN_EVENTS
        assert ann.reconnects == RUN_EVENTS - 1


async def test_a_run_whose_question_arrived_just_before_the_drop_is_complete(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url, [Cut(up=1)]) as wire, connected(wire.url) as ann:
        run = await ann.chat("hello", LIMIT_S)
        assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]
        assert ann.reconnects == 1


async def test_a_question_that_was_lost_is_asked_again_and_has_one_run(
    backend: Backend, connected: Connected
) -> None:
    async with (
        Wire(backend.url, [Cut(up=1, through=False)]) as wire,
        connected(wire.url) as ann,
    ):
        run = await ann.chat("hello", LIMIT_S)
        assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]
        assert ann.reconnects == 1


async def test_a_question_that_arrived_or_not_has_one_run(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    """Each connection drops after what it carried up, before anything of the run comes down."""
    begun: list[str] = []

    async def counting(run: AgentRun, message: str) -> str:
        begun.append(message)
        return message

    cuts = [Cut(down=1), Cut(up=1, down=1), Cut(up=1, down=1)]
    async with (
        serving(tokens, agent=counting) as backend,
        Wire(backend.url, [Cut(up=1, through=False), *cuts]) as wire,
        Client(wire.url, Logins(tokens), backoff=QUICK) as ann,
    ):
        run = await ann.chat("hello", LIMIT_S)
        assert begun == ["hello"]
        assert run.events[-1].seq == len(run.events) == 2


class Older(Wire):
    """The way to a server that knows no ids: its configuration lists none."""

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await super().send(writer, data.replace(b'"client_messages"', b'"other_messages!"'))


async def test_a_run_whose_question_was_lost_is_unconfirmed_and_not_asked_again(
    backend: Backend, connected: Connected
) -> None:
    async with (
        Older(backend.url, [Cut(up=1, through=False)]) as wire,
        connected(wire.url) as ann,
    ):
        with pytest.raises(RunUnconfirmed, match="thread"):
            await ann.chat("hello", LIMIT_S)
        run = await ann.chat("once more", LIMIT_S)
        assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]


async def test_a_barrier_that_is_cut_is_put_up_again(
    backend: Backend, connected: Connected
) -> None:
    cuts = [Cut(up=1, through=False)] * 3  # the question, then two pings
    async with Older(backend.url, cuts) as wire, connected(wire.url) as ann:
        with pytest.raises(RunUnconfirmed):
            await ann.chat("hello", LIMIT_S)
        assert ann.reconnects == 3


async def test_a_question_goes_out_on_the_next_connection_if_the_last_one_has_ended(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire, connected(wire.url) as ann:
        await ann.chat("hello", LIMIT_S)
        wire.drop()
        await ended(ann)
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS
        assert ann.reconnects == 1


async def ended(client: Client) -> None:
    """Return when the client's socket knows that its connection is gone."""
    assert client._link._channel is not None
    async with asyncio.timeout(LIMIT_S):
        await client._link._channel._socket.wait_closed()


CUTS = st.lists(
    st.one_of(
        st.builds(Cut, down=st.integers(0, RUN_EVENTS + 1)),
        st.builds(Cut, down=st.integers(1, 2), up=st.just(1), through=st.booleans()),
    ),
    max_size=8,
)


@given(cuts=CUTS, runs=st.integers(1, 3))
@settings(max_examples=40)
def test_any_drops_leave_every_event_exactly_once_and_in_order(
    tokens: Tokens, cuts: list[Cut], runs: int
) -> None:
    async def check() -> None:
        async with (
            serving(tokens) as backend,
            Wire(backend.url, [Cut(), *cuts]) as wire,
            Client(wire.url, Logins(tokens), backoff=QUICK) as ann,
            Client(backend.url, Logins(tokens), backoff=QUICK) as other,
        ):
            sent: list[str] = []
            taken: list[str] = []
            for _ in range(runs):
                sent += (await other.chat("hello", LIMIT_S)).messages
                wire.drop()
                taken += [message for message, _ in await take(ann, RUN_EVENTS)]
            assert taken == sent

    asyncio.run(check())


@given(cuts=CUTS)
@settings(max_examples=40)
def test_after_any_drops_a_chat_has_run_once_or_is_unconfirmed(
    tokens: Tokens, cuts: list[Cut]
) -> None:
    async def check() -> None:
        async with serving(tokens) as backend, Wire(backend.url, cuts) as wire:
            async with Client(wire.url, Logins(tokens), backoff=QUICK) as ann:
                try:
                    received = (await ann.chat("hello", LIMIT_S)).messages
                except RunUnconfirmed:
                    received = []
            async with Client(backend.url, Logins(tokens)) as witness:
                last = (await witness.chat("last", LIMIT_S)).events[0]
            async with Client(backend.url, Logins(tokens), Position(last.epoch, 0)) as witness:
                sent = [message for message, _ in await take(witness, last.seq - 1)]
            assert received in ([], sent)
            assert len(sent) in (0, RUN_EVENTS)

    asyncio.run(check())


# Losses


async def test_what_left_the_window_is_lost_once_by_number_and_the_rest_arrives(
    tokens: Tokens, open_tab: OpenTab, connected: Connected
) -> None:
    async with (
        serving(tokens, Settings(retained_events=4)) as backend,
        Wire(backend.url) as wire,
        connected(wire.url) as ann,
    ):
        await ann.chat("hello", LIMIT_S)
        wire.cut()
        sent = await run_of(backend, open_tab, times=2)
        wire.mend()
        with pytest.raises(EventsLost, match=r"^6 events were lost$") as lost:
            await take(ann, 1)
        assert lost.value.lost == 6
        assert [message for message, _ in await take(ann, 4)] == sent[6:]
        sent = await run_of(backend, open_tab)
        assert [message for message, _ in await take(ann, RUN_EVENTS)] == sent


async def test_a_position_that_is_unknown_is_a_loss_and_a_chat_goes_on_all_the_same(
    backend: Backend, open_tab: OpenTab, connected: Connected
) -> None:
    sent = await run_of(backend, open_tab)
    async with connected(backend.url, Position("another", 7)) as ann:
        with pytest.raises(EventsLost) as lost:
            await take(ann, 1)
        assert lost.value.lost is None
        assert [message for message, _ in await take(ann, RUN_EVENTS)] == sent
    async with connected(backend.url, Position("another", 7)) as ann:
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS
        with pytest.raises(EventsLost):  # it waits for whoever wants all events
            await take(ann, 1)


async def test_a_position_of_an_earlier_client_goes_on_where_that_was(
    backend: Backend, open_tab: OpenTab, connected: Connected
) -> None:
    async with connected(backend.url) as ann:
        sent = await run_of(backend, open_tab)
        await take(ann, 2)
        position = ann.position
    async with connected(backend.url, position) as ann:
        assert [message for message, _ in await take(ann, 3)] == sent[2:]


async def test_events_lost_in_the_midst_of_a_run_end_its_chat(
    tokens: Tokens, open_tab: OpenTab, connected: Connected
) -> None:
    go_on = asyncio.Event()

    async def patient(run: AgentRun, message: str) -> str:
        if message == "wait":
            await go_on.wait()
        return await source_reader(run, message)

    async with (
        serving(tokens, Settings(retained_events=4), agent=patient) as backend,
        Wire(backend.url) as wire,
        connected(wire.url) as ann,
        open_tab(backend) as tab,
    ):
        await ready(tab)
        async with asyncio.TaskGroup() as group:
            chat = group.create_task(lost_in(ann))
            await receive_type(tab, "agent_started")
            wire.cut()
            go_on.set()
            await receive_type(tab, "agent_completed")
            await run_of(backend, open_tab)
            wire.mend()
        assert chat.result() >= RUN_EVENTS
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS


async def lost_in(client: Client) -> int:
    with pytest.raises(EventsLost) as lost:
        await client.chat("wait", LIMIT_S)
    assert lost.value.lost is not None
    return lost.value.lost


# Restarts


class Restartable:
    """A backend that can be stopped, and started again on its port without its log."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._port = 0

    async def __aenter__(self) -> Restartable:
        self.backend = Backend(ManagerRegistry(), self._tokens, port=self._port)
        await self.backend.__aenter__()
        self._port = int(self.backend.url.rpartition(":")[2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.backend.__aexit__()

    async def restart(self) -> None:
        await self.__aexit__()
        await self.__aenter__()


async def test_a_restart_without_the_log_is_a_loss_of_unknown_size(
    tokens: Tokens, connected: Connected
) -> None:
    async with Restartable(tokens) as server, connected(server.backend.url) as ann:
        before = await ann.chat("hello", LIMIT_S)
        await server.restart()
        with pytest.raises(EventsLost) as lost:
            await take(ann, 1)
        assert lost.value.lost is None
        after = await ann.chat("hello", LIMIT_S)
        assert [event.seq for event in after.events] == [1, 2, 3, 4, 5]
        assert after.events[0].epoch != before.events[0].epoch
        assert ann.reconnects == 1


async def test_a_server_that_stops_refuses_and_the_next_one_is_asked(
    tokens: Tokens, connected: Connected
) -> None:
    async with (
        Restartable(tokens) as server,
        Wire(server.backend.url) as wire,
        connected(wire.url) as ann,
    ):
        await server.backend.drain(asyncio.Event())
        async with asyncio.TaskGroup() as group:
            chat = group.create_task(ann.chat("hello", LIMIT_S))
            await wire.passed(b'"stopping"')
            await server.restart()
        assert [event.seq for event in chat.result().events] == [1, 2, 3, 4, 5]


# The token


SHORT = Settings(token_lifetime_s=2, token_leeway_s=0)
LENIENT = Settings(token_lifetime_s=2, token_leeway_s=1)


def logins_for(limits: Settings) -> Logins:
    return Logins(Tokens("a secret of the tests, long enough for HS256", limits))


@pytest.fixture
def short_lived() -> Logins:
    """Logins for one second, without leeway."""
    return logins_for(SHORT)


@pytest.fixture
def lenient() -> Logins:
    """Logins for two seconds; the backend waits for one more, however busy this machine is."""
    return logins_for(LENIENT)


async def test_the_token_is_renewed_before_it_expires(lenient: Logins) -> None:
    async with (
        serving(lenient.tokens, LENIENT) as backend,
        Wire(backend.url) as wire,
        Client(wire.url, lenient, backoff=QUICK) as ann,
    ):
        await wire.passed(b'"token_renewed"', times=2)  # the first token has expired by now
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS
        assert (ann.reconnects, wire.connections) == (0, 1)
        assert lenient.count >= 3


async def test_a_login_that_fails_is_tried_again_before_the_token_expires(
    lenient: Logins,
) -> None:
    async with (
        serving(lenient.tokens, LENIENT) as backend,
        Wire(backend.url) as wire,
        Client(wire.url, lenient, backoff=QUICK) as ann,
    ):
        lenient.errors = [LoginError("no answer"), LoginError("busy", 503)]
        await wire.passed(b'"token_renewed"')
        assert (ann.reconnects, lenient.count) == (0, 4)


async def test_a_token_that_expired_all_the_same_is_replaced_by_a_new_login(
    short_lived: Logins, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serving(short_lived.tokens, SHORT) as backend,
        Client(backend.url, short_lived, backoff=QUICK) as ann,
    ):
        short_lived.errors = [LoginError("busy", 503)] * 1000
        await ended(ann)
        own = [one for one in caplog.records if one.name.startswith("netra_ws.client")]
        said = [one.getMessage() for one in own if one.levelno >= logging.WARNING]
        assert said == ["token not renewed: LoginError"]
        short_lived.errors = []
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS
        assert ann.reconnects == 1
        await short_lived.reached(short_lived.count + 1)  # and that one is renewed in its turn


async def test_a_login_that_is_refused_when_the_token_has_expired_is_final(
    short_lived: Logins,
) -> None:
    async with (
        serving(short_lived.tokens, SHORT) as backend,
        Client(backend.url, short_lived, backoff=QUICK) as ann,
    ):
        short_lived.errors = [LoginError("the password was changed", 401)] * 2
        await ended(ann)
        assert short_lived.count == 2  # the renewal asked once and then left it
        for _ in range(2):
            with pytest.raises(LoginError, match="the password was changed"):
                await ann.chat("hello", LIMIT_S)
        assert short_lived.count == 3


async def test_a_token_that_the_server_does_not_take_is_replaced_when_the_old_one_expires(
    lenient: Logins, caplog: pytest.LogCaptureFixture
) -> None:
    other = Logins(lenient.tokens, "bob")

    async def first_ann_then_bob_once() -> LoginResponse:
        return await (other if lenient.count == 1 and not other.count else lenient)()

    async with (
        serving(lenient.tokens, LENIENT) as backend,
        Wire(backend.url) as wire,
        Client(wire.url, first_ann_then_bob_once, backoff=QUICK) as ann,
    ):
        reading = asyncio.create_task(take(ann, RUN_EVENTS))
        await wire.accepted(2)
        async with Channel(backend.url, lenient.tokens.issue("ann")) as tab:
            run = await tab.chat("hello", LIMIT_S)
        assert [message for message, _ in await reading] == run.messages
        assert "token not renewed: expected a valid token of the same user" in caplog.messages
        assert ann.reconnects == 1


# Ends


async def test_one_connection_too_many_comes_back_until_there_is_room(
    tokens: Tokens, open_tab: OpenTab, connected: Connected
) -> None:
    async with (
        serving(tokens, Settings(max_connections_per_user=1)) as backend,
        Wire(backend.url) as wire,
        open_tab(backend) as tab,
    ):
        await ready(tab)
        opening = asyncio.create_task(connected(wire.url).__aenter__())
        await wire.accepted(2)  # the first was closed with 4005
        await tab.close()
        async with asyncio.timeout(LIMIT_S):
            ann = await opening
        await ann.__aexit__()
        assert wire.connections >= 2


async def test_a_refused_message_is_an_error_of_the_chat(
    tokens: Tokens, connected: Connected
) -> None:
    async def never(run: AgentRun, message: str) -> str:
        await asyncio.Event().wait()
        return message

    async with (
        serving(tokens, Settings(max_runs_per_user=1), agent=never) as backend,
        connected(backend.url) as ann,
    ):
        with pytest.raises(TimeoutError):
            await ann.chat("hello", 0.05)
        with pytest.raises(NetraError, match=r"^too_many_runs: "):
            await ann.chat("hello", LIMIT_S)


# Several chats, further turns, and ends


class Gate:
    """An agent that thinks so many times, waits to be let through, and thinks on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[str] = []

    async def __call__(self, run: AgentRun, message: str) -> str:
        self.begun.append(message)
        for number in range(20):
            if number == 8:
                await self.open.wait()
            await run.thinking(f"{message} {number}")
        return message


async def left_after(client: Client, content: str, events: int) -> str:
    """Return the id of a run of which so many events have come, and whose chat was left."""
    with pytest.raises(TimeoutError) as late:
        await client.chat(content, 0.05)
    async with asyncio.timeout(LIMIT_S):
        while True:
            error = late.value
            assert isinstance(error, RunUnfinished)
            if f"after {events} events" in str(error):
                assert error.run_id is not None
                return error.run_id
            with pytest.raises(TimeoutError) as late:
                await client.follow(error.run_id or error.thread_id, 0.05)


@pytest.mark.parametrize("way", [Wire, Older])
async def test_a_run_that_took_too_long_is_followed_to_its_end(
    tokens: Tokens, connected: Connected, way: type[Wire]
) -> None:
    gate = Gate()
    async with (
        serving(tokens, agent=gate) as backend,
        way(backend.url) as wire,
        connected(wire.url) as ann,
    ):
        run_id = await left_after(ann, "a", 9)
        gate.open.set()
        assert len((await ann.chat("b", LIMIT_S)).events) == 22  # reads past the other's events
        wire.drop()
        run = await ann.follow(run_id, LIMIT_S)
        assert len(run.events) == 22
        assert gate.begun == ["a", "b"]
        with pytest.raises(RequestRefused, match="not followed to its end"):
            await ann.follow(run_id, LIMIT_S)


async def test_a_run_of_which_nothing_had_come_is_followed_by_its_thread(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire, connected(wire.url) as ann:
        wire.cut()
        with pytest.raises(RunUnfinished) as late:
            await ann.chat("hello", 0.1)
        assert late.value.run_id is None
        wire.mend()
        run = await ann.follow(late.value.thread_id, LIMIT_S)
        assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("way", [Wire, Older])
@pytest.mark.parametrize("thread_id", [None, "one-thread"])
async def test_several_chats_share_a_connection_that_may_drop(
    backend: Backend, connected: Connected, way: type[Wire], thread_id: str | None
) -> None:
    contents = [f"x = {number}" for number in range(10)]
    async with way(backend.url, [Cut(down=30)]) as wire, connected(wire.url) as ann:
        chats = (ann.chat(content, LIMIT_S, thread_id=thread_id) for content in contents)
        runs = await asyncio.gather(*chats)
        assert ann.reconnects == 1
    assert [run.events[0].payload.message for run in runs] == contents  # type: ignore[union-attr]
    assert len({run.run_id for run in runs}) == len(contents)
    assert len({run.events[0].thread_id for run in runs}) == (1 if thread_id else len(contents))


async def test_a_chat_that_is_left_does_not_leave_the_others_without_a_reader(
    tokens: Tokens, connected: Connected
) -> None:
    gate = Gate()
    async with serving(tokens, agent=gate) as backend, connected(backend.url) as ann:
        first, second = (asyncio.create_task(ann.chat(one, LIMIT_S)) for one in "ab")
        async with asyncio.timeout(LIMIT_S):
            while len(gate.begun) < 2:  # noqa: ASYNC110 - the agent says it
                await asyncio.sleep(0.001)
        first.cancel()
        gate.open.set()
        assert len((await second).events) == 22


@pytest.mark.parametrize("way", [Wire, Older])
async def test_a_run_is_stopped(tokens: Tokens, connected: Connected, way: type[Wire]) -> None:
    async with (
        serving(tokens, agent=Gate()) as backend,
        way(backend.url) as wire,
        connected(wire.url) as ann,
    ):
        run_id = await left_after(ann, "a", 9)
        await ann.stop(run_id)
        last = (await ann.follow(run_id, LIMIT_S)).events[-1]
        assert last.payload.status == "cancelled"  # type: ignore[union-attr]
        await ann.stop("no-such-run")  # and that is no error of the next chat
        with pytest.raises(RunUnfinished):
            await ann.chat("b", 0.2)


@pytest.mark.parametrize("way", [Wire, Older])
async def test_a_late_error_is_of_the_chat_that_it_refuses(
    tokens: Tokens, connected: Connected, way: type[Wire]
) -> None:
    gate = Gate()
    async with (
        serving(tokens, Settings(max_runs_per_user=1), agent=gate) as backend,
        way(backend.url) as wire,
        connected(wire.url) as ann,
    ):
        run_id = await left_after(ann, "a", 9)
        refused = asyncio.create_task(ann.chat("b", LIMIT_S))
        await wire.passed(b'"too_many_runs"')  # it is here, and nobody has read it
        refused.cancel()
        gate.open.set()
        await ann.follow(run_id, LIMIT_S)
        assert len((await ann.chat("c", LIMIT_S)).events) == 22


async def test_two_readers_at_once_are_told(backend: Backend, connected: Connected) -> None:
    async with connected(backend.url) as ann:
        reading = asyncio.create_task(take(ann, 1))
        await asyncio.sleep(0)
        with pytest.raises(NetraError, match="one messages"):
            await ann.chat("hello", LIMIT_S)
        reading.cancel()
        await asyncio.wait([reading])
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS


async def test_a_cancelled_wait_for_the_server_is_taken_up_again(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire, connected(wire.url) as ann:
        wire.cut()
        with pytest.raises(TimeoutError):
            await ann.chat("hello", 0.1)
        wire.mend()
        assert len((await ann.chat("hello", LIMIT_S)).events) == RUN_EVENTS


def tasks_of_clients() -> int:
    """Return how many tasks of clients and of their sockets there are."""
    files = [task.get_coro().cr_code.co_filename for task in asyncio.all_tasks()]
    return sum(
        file.endswith(("client/credentials.py", "websockets/asyncio/connection.py"))
        for file in files
    )


async def test_a_server_that_hangs_does_not_hold_up_the_close_and_no_task_is_left(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire, asyncio.timeout(LIMIT_S):
        async with connected(wire.url):
            wire.mute = True
            assert tasks_of_clients() == 2  # the renewal, and the keepalive of the socket
        assert tasks_of_clients() == 0


async def test_a_reader_that_is_left_behind_does_not_connect_again(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire:
        for cut_before in (False, True):
            async with connected(wire.url) as ann:
                reading = asyncio.create_task(take(ann, 1))
                await asyncio.sleep(0)
                if cut_before:
                    wire.mute = True
                    wire.drop()
                    await wire.accepted(3)
            wire.drop()
            with pytest.raises(NetraError, match="the client is closed"):
                await reading
            assert tasks_of_clients() == 0
        assert wire.connections == 3
        with pytest.raises(NetraError, match="the client is closed"):
            await ann.chat("hello", LIMIT_S)


async def test_a_client_that_is_cancelled_while_it_connects_leaves_nothing(
    backend: Backend, connected: Connected
) -> None:
    async with Wire(backend.url) as wire:
        wire.mute = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), connected(wire.url):
                raise AssertionError("expected no answer")
        assert tasks_of_clients() == 0


async def test_nothing_shows_a_token(backend: Backend, tokens: Tokens) -> None:
    logins = Logins(tokens)
    async with Client(backend.url, logins) as ann:
        shown = f"{ann!r} {ann._link._credentials!r} {ann._link._channel!r}"
        assert "eyJ" not in shown
        assert repr(ann).startswith(f"Client({backend.url}, Position(")
