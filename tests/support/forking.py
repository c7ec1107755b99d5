"""Commands that are run as ``python -m``, each in a fork of a process that has imported them.

To start Python and import all that serves takes most of what a short command takes. What a command
answers to its arguments is the same in a fork; how it starts is for `processes.netra_ws` to show.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Self


class Forking:
    """A process that has imported `modules`; raises `AssertionError` if it or a command hangs."""

    def __init__(self, *modules: str, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = dict(env)
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, *modules],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self,
        module: str,
        *arguments: str | Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
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
        watchdog = threading.Timer(timeout_s, self._kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        outputs = [Path(path).read_text(encoding="utf-8") for path in order["outputs"]]
        assert code, f"{module} {arguments}: no end within {timeout_s:g} s: {outputs}"
        return subprocess.CompletedProcess(arguments, int(code), *outputs)

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._kill()
        self._process.communicate()


def obey(order: dict[str, Any]) -> None:
    """Be the command that was asked for."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for fd, path in enumerate(order["outputs"], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), fd)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv[1:] = order["arguments"]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Fork for each order on standard input; answer with the exit code of each."""
    for module in sys.argv[1:]:
        import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            obey(json.loads(line))
            sys.exit()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
