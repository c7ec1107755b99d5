"""A message that a client sends, until its run has ended or cannot be waited for."""

from __future__ import annotations

from netra_ws.client.channel import ServerMessage, refusal
from netra_ws.client.link import Link
from netra_ws.client.run import ReceivedRun
from netra_ws.context import new_id
from netra_ws.errors import EventsLost, MessageTooLarge, NetraError, RunUnconfirmed
from netra_ws.events import AgentStarted, Event
from netra_ws.messages import Error, MessageKnown, Ping, Pong, UserMessage


class Question:
    """A message and the `run` that answers it, across all connections of a link.

    `error` is what makes the run impossible to wait for, `waiting` how many do. A connection is
    known by its number: that on which the message was sent, or refused, or on which it was last
    asked whether it had arrived; 0 for none.
    """

    def __init__(self, link: Link, content: str, thread_id: str | None) -> None:
        self.run = ReceivedRun()
        self.thread_id = thread_id or new_id("thread")
        self.error: NetraError | None = None
        self.waiting = 0
        self._link = link
        self._message = UserMessage(content, self.thread_id, id=new_id("message"))
        self._has_id = False
        self._sent_on = self._refused_on = self._pinged_on = 0

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self.run.ended or self.error is not None

    async def send_due(self) -> None:
        """Send what is to be sent on the present connection.

        The message again where its `id` lets the server know it; else only where it was refused,
        and a ping to learn what became of it. Raises `RequestRefused` for one that is too large.
        """
        connection = self._link.connections
        if self.run.events or connection in (self._sent_on, self._refused_on, self._pinged_on):
            return
        await self._link.send(self._due)

    def _due(self, connection: int, ids: bool) -> UserMessage | Ping:
        if not self._sent_on or (self._has_id and ids):
            self._sent_on, self._has_id = connection, ids
            return self._message
        # The answer comes after all that the server had of the run when it was asked.
        self._pinged_on = connection
        return Ping(id=self._message.id)

    def takes(self, message: str, decoded: ServerMessage) -> bool:
        """Take a message of the server if it is about this one; returns whether it is."""
        if self.done:
            return False
        if isinstance(decoded, Event):
            if mine := self._is_of_run(decoded):
                self.run.add(message, decoded)
            return mine
        if isinstance(decoded, Error | Pong | MessageKnown) and self._is_answered_by(decoded):
            if isinstance(decoded, Pong) and not self.run.events:
                self.error = RunUnconfirmed(self.thread_id)
            elif isinstance(decoded, Error):
                self._refuse(decoded)
            return True
        return False

    def _is_of_run(self, event: Event) -> bool:
        if self.run.events:
            return event.run_id == self.run.run_id
        if not isinstance(event, AgentStarted) or event.thread_id != self.thread_id:
            return False
        if event.payload.message_id:
            return event.payload.message_id == self._message.id
        return bool(self._sent_on) and event.payload.message == self._message.content

    def _is_answered_by(self, answer: Error | Pong | MessageKnown) -> bool:
        """By `ref`; without one it is for the first that waits for an answer of that kind."""
        if answer.payload.ref:
            return answer.payload.ref == self._message.id
        if self.run.events:
            return False
        asked_on = self._pinged_on if isinstance(answer, Pong) else self._sent_on
        is_stop = isinstance(answer, Error) and answer.payload.code == "unknown_run"
        return asked_on == self._link.connections and not is_stop

    def _refuse(self, error: Error) -> None:
        if error.payload.code == "stopping":  # the next server is asked
            self._sent_on, self._refused_on = 0, self._link.connections
        else:
            self.error = refusal(error)

    def lose(self, lost: EventsLost) -> bool:
        """Note a loss of events that may be of the run; returns whether somebody is told."""
        if self.done or not self._sent_on:
            return False
        self.error = EventsLost(lost.lost)
        return self.waiting > 0

    def oversized(self) -> bool:
        """Note that the server closed over a message too large; returns whether it was this."""
        if self.done or self.run.events or self._sent_on != self._link.connections:
            return False
        msg = "the server takes no message of that size; send less at a time"
        self.error = MessageTooLarge(msg)
        return True
