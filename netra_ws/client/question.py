"""A message that a client sends, until its run has ended or cannot be waited for."""

from __future__ import annotations

from netra_ws.client.channel import ServerMessage
from netra_ws.client.link import Link
from netra_ws.client.run import ReceivedRun
from netra_ws.context import new_id
from netra_ws.errors import NetraError, RunUnconfirmed
from netra_ws.events import Event
from netra_ws.messages import Error, Ping, Pong, UserMessage


class Question:
    """A message and the `run` that answers it, across all connections of a link.

    A connection is known by its number: that on which the message was sent, or refused, or on
    which it was last asked whether it had arrived; 0 for none.
    """

    def __init__(self, link: Link, content: str) -> None:
        self.run = ReceivedRun()
        self._link = link
        self._thread_id = new_id("thread")
        self._content = content
        self._sent_on = self._refused_on = self._pinged_on = 0
        self._known_losses = 0

    async def send_due(self) -> bool:
        """Send what is to be sent on the present connection; returns whether something was.

        Raises `EventsLost` if events were lost since the message was sent.
        """
        link, connection = self._link, self._link.connections
        if not self._sent_on:
            if connection == self._refused_on:
                return False
            self._sent_on = await link.send(UserMessage(self._content, self._thread_id))
            self._known_losses = len(link.losses)
            return True
        if len(link.losses) > self._known_losses:
            raise link.losses.pop()
        if self.run.events or connection in (self._sent_on, self._pinged_on):
            return False
        # The answer comes after all that the server had of the run when it was asked.
        self._pinged_on = await link.send(Ping())
        return True

    def take(self, message: str, decoded: ServerMessage) -> None:
        """Take a message of the server; the one after a server that is stopping is asked again.

        Raises `RunUnconfirmed`, and `NetraError` if the message was refused.
        """
        if isinstance(decoded, Event):
            if decoded.thread_id == self._thread_id:
                self.run.add(message, decoded)
        elif isinstance(decoded, Pong):
            if self._pinged_on and not self.run.events:
                raise RunUnconfirmed(self._thread_id)
        elif isinstance(decoded, Error):
            if decoded.payload.code != "stopping":
                raise NetraError(f"{decoded.payload.code}: {decoded.payload.message}")
            self._sent_on, self._refused_on = 0, self._sent_on
