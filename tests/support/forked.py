"""The process that `forking.Forking` starts: it imports, and forks for each order."""

from __future__ import annotations

import json
import os
import runpy
import sys
from importlib import import_module
from typing import Any


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
