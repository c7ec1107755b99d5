"""Pyrefly's language server, asked where a name is defined.

It follows imports, re-exports, inheritance and the types of receivers as the checker does. The
protocol is https://microsoft.github.io/language-server-protocol/; of its requests this is
`textDocument/definition` alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO, Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from await_audit.engines import Settings, pyrefly
from await_audit.engines.known import FORM, failed
from await_audit.source import Text

TIMEOUT_S = 600.0

Place = tuple[Path, int]
"""An offset in a file."""


def definitions(
    names: Iterable[Place], texts: Mapping[Path, Text], settings: Settings
) -> dict[Place, tuple[Path, int]]:
    """Return file and line of what each name stands for; those that are not found are left out.

    `texts` holds the text of each file asked about. Raises AuditError if the server fails.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found: dict[Place, tuple[Path, int]] = {}
    with _server(settings) as server:
        for path in sorted({path for path, _ in wanted}):
            document = {"uri": path.as_uri(), "languageId": "python", "version": 1}
            server.tell(
                "textDocument/didOpen", {"textDocument": {**document, "text": texts[path].text}}
            )
        for path, offset in wanted:
            line, column = texts[path].place(offset)
            before = texts[path].line(line)[:column]
            answer = server.ask(
                "textDocument/definition",
                {
                    "textDocument": {"uri": path.as_uri()},
                    "position": {
                        "line": line - 1,
                        "character": len(before.encode("utf-16-le")) // 2,
                    },
                },
            )
            locations = answer if isinstance(answer, list) else [answer] if answer else []
            if len(locations) == 1:  # of several none is the one that is called
                where = locations[0]
                begin = where["range"]["start"]["line"] + 1
                found[path, offset] = (_path(where["uri"]), begin)
    return found


def _path(uri: str) -> Path:
    return Path(url2pathname(unquote(urlsplit(uri).path)))


class _Server:
    """A language server over the pipes of its process."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes], settings: dict[str, Any]) -> None:
        self._reader, self._writer, self._settings = reader, writer, settings
        self._last = 0

    def tell(self, method: str, parameters: dict[str, Any]) -> None:
        self._send({"method": method, "params": parameters})

    def ask(self, method: str, parameters: dict[str, Any] | None = None) -> Any:
        """Send a request and return its result, None if the server answers with an error."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if "method" not in message:
                if message.get("id") == self._last:
                    return message.get("result")
            elif "id" in message:  # the server asks, and goes on only when it has an answer
                items = (message.get("params") or {}).get("items", [])
                configured = message["method"] == "workspace/configuration"
                answer = [self._settings for _ in items] if configured else None
                self._send({"id": message["id"], "result": answer})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._writer.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._reader.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise EOFError
        message: dict[str, Any] = json.loads(self._reader.read(length))
        return message


@contextmanager
def _server(settings: Settings) -> Iterator[_Server]:
    pyrefly.version()
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        configuration = pyrefly.write_configuration(Path(folder), settings)
        options = {
            "pythonPath": str(settings.python),
            "pyrefly": {"configPath": str(configuration), "displayTypeErrors": "force-off"},
        }
        command = [sys.executable, "-m", pyrefly.NAME, "lsp", "--indexing-mode", "none"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=pyrefly.environment(),
        ) as process:
            assert process.stdin
            assert process.stdout
            limit = Timer(TIMEOUT_S, process.kill)
            limit.start()
            try:
                server = _Server(process.stdout, process.stdin, options)
                server.ask(
                    "initialize",
                    {
                        "processId": os.getpid(),
                        "rootUri": None,
                        "workspaceFolders": [{"uri": "file:///", "name": "/"}],
                        "capabilities": {"workspace": {"configuration": True}},
                        "initializationOptions": options,
                    },
                )
                server.tell("initialized", {})
                yield server
                server.ask("shutdown")
                server.tell("exit", {})
                process.stdin.close()
                process.wait(TIMEOUT_S)
            except (EOFError, OSError, *FORM) as error:
                why = "ended, as a language server, before it had answered; run the audit again"
                raise failed(pyrefly.NAME, pyrefly.version(), why) from error
            finally:
                limit.cancel()
                if process.poll() is None:
                    process.kill()
