"""A client that logs in, chats, stays connected, and proves that it has every event of its run."""

from netra_ws.client.backoff import Backoff
from netra_ws.client.channel import CLOSE_TIMEOUT_S, Channel, ServerMessage
from netra_ws.client.login import login
from netra_ws.client.run import ReceivedRun
from netra_ws.client.session import Client

__all__ = [
    "CLOSE_TIMEOUT_S",
    "Backoff",
    "Channel",
    "Client",
    "ReceivedRun",
    "ServerMessage",
    "login",
]
