"""Commands that are run as ``python -m``, each in a fork of a process that has imported them.

To start Python and import all that serves takes most of what a short command takes. What a command
answers to its arguments is the same in a fork; how it starts is for `processes.netra_ws` to show.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Self

import leash
from limits import HANG_S


class Forking:
    """A process that has imported `modules`; raises `AssertionError` if it or a command hangs."""

    def __init__(self, *modules: str, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = dict(env)
        self._process = leash.start(
            [sys.executable, "-P", Path(__file__).with_name("forked.py"), *modules],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        module: str,
        *arguments: str | Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m MODULE`` with these arguments to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "module": module,
            "arguments": [*map(str, arguments)],
            "cwd": str(cwd),
            "env": self._env | dict(env or {}),
            "outputs": [str(self._folder / name) for name in ("stdout", "stderr")],
        }
        watchdog = threading.Timer(HANG_S, partial(leash.kill, self._process))
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        outputs = [Path(path).read_text(encoding="utf-8") for path in order["outputs"]]
        assert code, f"{module} {arguments}: no end within {HANG_S:g} s: {outputs}"
        return subprocess.CompletedProcess(arguments, int(code), *outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        leash.end(self._process)
