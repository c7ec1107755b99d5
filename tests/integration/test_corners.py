"""Whatever settings are accepted, a backend with them serves a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from accounts import SECRET
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from limits import HANG_S
from msgspec.inspect import FloatType, IntType, StructType, type_info
from tabs import chat, ready, serving, verified
from websockets.asyncio.client import connect

from netra_ws.auth.tokens import Tokens
from netra_ws.errors import ConfigurationError
from netra_ws.serving.process import new_event_loop
from netra_ws.settings import Settings


def bounds() -> dict[str, tuple[float, float]]:
    """Return the least and the largest value of each number."""
    struct = type_info(Settings)
    assert isinstance(struct, StructType)
    found = {}
    for field in struct.fields:
        if isinstance(field.type, IntType | FloatType):
            least, largest = field.type.ge, field.type.le
            assert least is not None, f"{field.name} has no lower bound"
            assert largest is not None, f"{field.name} has no upper bound"
            found[field.name] = least, largest
    return found


BOUNDS = bounds()
LEAST = {name: least for name, (least, _) in BOUNDS.items()}
LARGEST = {name: largest for name, (_, largest) in BOUNDS.items()}
CORNERS = st.fixed_dictionaries({name: st.sampled_from(ends) for name, ends in BOUNDS.items()})


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop], ids=["asyncio", "ours"])
@given(corner=CORNERS)
@example(corner=LEAST)
@example(corner=LARGEST)
@settings(max_examples=20)
def test_a_backend_at_the_bounds_serves_a_run(loop: Any, corner: dict[str, float]) -> None:
    try:
        limits = Settings(**corner)
    except ConfigurationError:
        reject()  # values at odds
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(serves_a_run(limits))


async def serves_a_run(limits: Settings) -> None:
    tokens = Tokens(SECRET, limits)
    async with asyncio.timeout(HANG_S), serving(tokens, limits) as backend:
        bearer = {"Authorization": f"Bearer {tokens.issue('ann')}"}
        url = f"{backend.url.replace('http', 'ws')}/ws"
        async with connect(url, additional_headers=bearer, ping_interval=None) as tab:
            await ready(tab)
            verified(await chat(tab))
