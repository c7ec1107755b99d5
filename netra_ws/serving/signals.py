"""The signals that end the process: each has the server drain first."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

ENDING = """SIGINT SIGTERM SIGQUIT SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGVTALRM SIGPROF SIGXCPU SIGPOLL
    SIGPWR SIGSTKFLT SIGBREAK"""
"""Those that end a process as a default and tell of no fault of its own, where they exist. Python
ignores SIGPIPE and SIGXFSZ; macOS ignores SIGIO, which is SIGPOLL elsewhere."""

NAMES = {int(one): one.name for one in signal.Signals}


def _numbers() -> tuple[int, ...]:
    known = {int(getattr(signal, name)) for name in ENDING.split() if hasattr(signal, name)}
    if sys.platform == "linux":
        known |= set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1))
    return tuple(sorted(known))


STOP_SIGNALS = _numbers()
ASKING = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGQUIT", signal.SIGTERM)}
"""With which people, and who runs services for them, ask it to stop, and once more to hurry. Others
come again by themselves: SIGXCPU each second, SIGHUP from the kernel and from a shell."""

HANGUP: int | None = getattr(signal, "SIGHUP", None)


@dataclass(frozen=True)
class Early:
    """What a signal does before there is a loop."""

    act: Callable[[], object]

    def __call__(self, *_: object) -> None:
        """Act, as a handler of the `signal` module."""
        self.act()


def catch(act: Callable[[], object]) -> None:
    """Call `act` at each signal that would end the process; what is ignored stays so."""
    for signum in STOP_SIGNALS:
        if signum in ASKING or signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, Early(act))


def catch_in_loop(act: Callable[[int], object]) -> None:
    """Call `act` in the loop from now on; not where an agent has a handler of its own."""
    loop = asyncio.get_running_loop()
    for signum in STOP_SIGNALS:
        handler = signal.getsignal(signum)
        if signum not in ASKING and handler is not signal.SIG_DFL and type(handler) is not Early:
            continue
        try:
            loop.add_signal_handler(signum, act, signum)
        except NotImplementedError:  # Windows: its loops have no signal handlers
            signal.signal(signum, lambda number, _: loop.call_soon_threadsafe(act, number))


def hold_signals(how: int) -> None:
    """Hold the signals that end a process, or let them come again."""
    if sys.platform != "win32":
        signal.pthread_sigmask(how, STOP_SIGNALS)


@dataclass
class Stop:
    """Whether the process was `told` to stop, and by what; and then, to `hurry`."""

    told: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    by: str | None = None

    def tell(self, signum: int | None = None) -> None:
        """Take a signal, or the end of standard input."""
        if not self.told.is_set():
            self.by = None if signum is None else NAMES.get(signum, f"signal {signum}")
            self.told.set()
        elif signum in ASKING:
            self.hurry.set()
