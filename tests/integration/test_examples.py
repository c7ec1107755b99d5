"""The examples of docs/backend.md, run as they stand."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from limits import HANG_S

from netra_incident.history.deployment import Deployment, deploy
from netra_incident.measuring.load import run_sessions

PAGE = Path(__file__).parents[2] / "docs" / "backend.md"
CLIENT, AGENT = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_the_client_prints_the_five_events_and_the_status(
    fixed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    exec(compile(CLIENT, PAGE.name, "exec"), names)
    user = fixed.users[0]
    async with asyncio.timeout(HANG_S):
        await names["main"](fixed.backend, fixed.auth, user.email, user.password)
    *printed, status = capsys.readouterr().out.splitlines()
    assert (len(printed), status) == (5, "completed")


async def test_the_agent_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_module.py").write_text(AGENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with deploy(None, "--agent", "my_module:shout", users=1) as deployment:
        [session] = await run_sessions(deployment, users=1, each=1, message="hello")
    assert session.completed
    assert session.events[-1].event.payload.final_response == "HELLO"  # type: ignore[union-attr]
