"""What a text holds: Python with its awaits, or words. As a program it starts in milliseconds."""

from __future__ import annotations

import ast
import json
import re
import resource
import signal
import sys
import warnings
from typing import Any

SHOWN_AWAITS = 20

CPU_LIMIT_S = 0.5
"""For a text: 25 times what 64 KiB of this package's own source take (20 ms, measured)."""

MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
"""64 KiB of source take at most 70 MiB, but ``import a.a.a…`` takes 1.1 GiB (measured)."""

TOO_LARGE = 3
"""The exit code where that memory ran out."""


def read_source(text: str) -> dict[str, Any]:
    """Return what `text` holds: the awaits of Python source, the words of anything else.

    `{"kind": "python", "awaits": n, "shown": [{"line", "expression"}, …]}` with the first
    `SHOWN_AWAITS`, or `{"kind": "text", "words": n}`. Text counts as source if it parses and has a
    statement, a call or an await: `hello` is a word, `hello()` is Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about invalid escapes
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Module(body=[], type_ignores=[])
    nodes = list(ast.walk(tree))
    calls = any(isinstance(node, ast.Call | ast.Await) for node in nodes)
    if not calls and all(isinstance(one, ast.Expr) for one in tree.body):
        return {"kind": "text", "words": len(text.split())}
    awaits = sorted(
        (node for node in nodes if isinstance(node, ast.Await)),
        key=lambda node: (node.lineno, node.col_offset),
    )
    lines = re.split("\r\n|\r|\n", text)  # as Python counts them; str.splitlines knows more
    shown = [
        {"line": node.lineno, "expression": lines[node.lineno - 1].strip()[:120]}
        for node in awaits[:SHOWN_AWAITS]
    ]
    return {"kind": "python", "awaits": len(awaits), "shown": shown}


def main() -> None:
    """Write as JSON what standard input holds; past a limit end by SIGPROF or with `TOO_LARGE`."""
    text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    # Not a handler of Python's, which would wait for the parser: the kernel ends the process,
    # although whoever started it may have held the signal back.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > MEMORY_LIMIT_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, hard))
    found = read_source(text)
    # Python raises MemoryError for what is nested too deep as well, which takes little.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    if found["kind"] == "text" and peak > MEMORY_LIMIT_BYTES / 2:
        sys.exit(TOO_LARGE)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
