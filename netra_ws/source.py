"""What a text holds: Python source with its awaits, or words.

Also a program that reads one text, for `netra_ws.parsing`: ``python -I -S source.py``. So that it
starts in milliseconds, nothing but the standard library is imported.
"""

from __future__ import annotations

import ast
import json
import re
import signal
import sys
import warnings
from typing import Any

SHOWN_AWAITS = 20
"""Awaits that are listed at most: a message may hold thousands."""

CPU_LIMIT_S = 1.0
"""Seconds of CPU time that the program has for a text: fifty times what 64 KiB of this package's
own source take (20 ms, measured)."""


def read_source(text: str) -> dict[str, Any]:
    """Return what `text` holds: the awaits of Python source, the words of anything else.

    `{"kind": "python", "awaits": n, "shown": [{"line", "expression"}, …]}`, the first
    `SHOWN_AWAITS` of them by line, or `{"kind": "text", "words": n}`. Text counts as source if it
    parses and has a statement, a call or an await: `hello` is a word, `hello()` is Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, which are not ours to mend
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Module(body=[], type_ignores=[])
    nodes = list(ast.walk(tree))
    telling = (ast.Call, ast.Await)
    if not any(
        isinstance(node, telling) or (isinstance(node, ast.stmt) and not isinstance(node, ast.Expr))
        for node in nodes
    ):
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
    """Read standard input and write what it holds as JSON; ended by SIGPROF at the limit."""
    text = sys.stdin.buffer.read().decode(errors="surrogatepass")
    # Not a handler of Python's, which would wait for the parser: the kernel ends the process.
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    sys.stdout.write(json.dumps(read_source(text)))


if __name__ == "__main__":
    main()
