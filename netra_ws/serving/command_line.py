"""The command line of the backend alone, and what every command line of ours shares.

Exit codes: 0 done, 1 it ran and the answer is no, 2 it could not be done as asked, 3 a fault of its
own, 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NoReturn, TextIO

import click

from netra_ws.errors import ConfigurationError, NetraError, reason
from netra_ws.serving.commands import hash_password_command, serve
from netra_ws.serving.leaving import leave

FAULT = 3
"""What nobody takes for an answer, nor for something that was asked wrongly."""

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 96}


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Say which command installs a missing package, by the name of its extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "await_audit", "netra_incident", "netra_ws"}:
            raise  # no installation mends that
        msg = f"{missing} is not installed; in a clone of netra_ws: pip install '.[{name}]'"
        raise ConfigurationError(msg) from error


@contextmanager
def boundary(name: str, *errors: type[Exception], prefix: str = "netra-ws") -> Iterator[None]:
    """Exit with a code, whatever happens inside; what cannot be done is one line on standard error.

    `errors` are further ones that are raised for that; an error's own `exit_code` counts, else it
    is 2. So it is for files, names and streams that fail. A fault of ours is 3, its traceback kept.
    """
    known: tuple[type[Exception], ...] = (NetraError, *errors)
    code: str | int | None = 2
    said = ""
    failed: Exception | None = None
    _open_streams()
    stdout = sys.stdout
    try:
        if stdout is None:
            raise ConfigurationError("standard output is closed")
        yield
        code = 0
    except SystemExit as ended:
        code = ended.code
        # Of a broken pipe click and rich make a 1; click has put the stream aside.
        if sys.stdout is not stdout or isinstance(ended.__context__, BrokenPipeError):
            failed = BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    except (click.exceptions.Abort, KeyboardInterrupt):
        said, code = "interrupted", INTERRUPTED
    except known as error:
        said, code = str(error), getattr(error, "exit_code", 2)
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if (words := _told(error, name)) is None:
            words, code = _keep(error), FAULT
        said = words
    if (failed := _failure(stdout) or failed) is not None:
        said, code = f"standard output: {reason(failed)}", 2
    if said:
        _say(f"{prefix}: {_one_line(said)}")
    _failure(sys.stderr)
    leave(code)


def run(commands: click.Command, name: str, *errors: type[Exception]) -> NoReturn:
    """Run the commands and exit, as `boundary` does."""
    with boundary(name, *errors):
        sys.exit(commands.main(prog_name=name, standalone_mode=False))
    raise AssertionError("boundary ends with SystemExit")


def _told(error: BaseException, name: str) -> str | None:
    """Return the words for an error that is no fault of ours, else `None`."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            _say(error.format_message())
            return ""
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else name
            words = " ".join(error.format_message().split()).removesuffix(".")
            return f"{words}. See {where} --help."
        case click.ClickException():
            return error.format_message()
        case OSError():
            return f"{error.filename or _unnamed()}: {reason(error)}"
        case UnicodeError():
            return f"expected text, got something else: {error}"
    return None


def _unnamed() -> str:
    """Return what the system may mean by an error without a name."""
    try:
        Path.cwd()
    except OSError:
        return "the current folder"
    return "a file or a stream"


def _one_line(text: str) -> str:
    """Return a text on one line, without letters of a file's name that a terminal obeys."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _say(text: str) -> None:
    with suppress(OSError, ValueError):  # whoever closes standard error has the exit code
        click.echo(text, err=True)


def _open_streams() -> None:
    """Keep the numbers of closed standard streams from the files and sockets that are opened next.

    What does not fit the encoding of standard output is shown with backslashes.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if name != "stdout":
                setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "0").isdecimal():
            del os.environ[name]  # rich takes a ² for a number
    failing = {"strict", "surrogateescape"}  # the other one is that of the locale C
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in failing:
        sys.stdout.reconfigure(errors="backslashreplace")


def _failure(stream: TextIO | None) -> Exception | None:
    """Return why a standard stream does not take what was written, `None` if it does.

    Then it leads nowhere: Python would fail at the same when it exits, with a code of its own.
    """
    if stream is None:
        return None
    try:
        stream.flush()
    except ValueError as error:  # it was closed
        return error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _keep(error: BaseException) -> str:
    """Keep the traceback of an error that nobody expected; return what to say of it."""
    what = "".join(traceback.format_exception_only(error)).strip()
    try:
        with NamedTemporaryFile(
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            prefix="netra-ws-",
            suffix=".log",
            delete=False,
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError as unkept:
        return f"a fault of its own: {what}; its traceback could not be kept: {unkept.strerror}"
    return f"a fault of its own: {what}; please report {file.name}"


class _Backend(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a command; raises `click.UsageError` for one that only `netra-ws` has."""
        if cmd_name not in self.commands:
            here = " and ".join(self.commands)
            ctx.fail(f"No command {cmd_name!r} here, only {here}: for others run netra-ws.")
        return self.commands[cmd_name]

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; raises `ConfigurationError` if a package is missing."""
        with extra("serve"):
            return super().invoke(ctx)


@click.command(cls=_Backend, commands=[serve, hash_password_command], context_settings=SETTINGS)
def backend() -> None:
    """The backend by itself. The command netra-ws does this and more."""


def main() -> NoReturn:
    """Run the command line of the backend."""
    run(backend, "python -m netra_ws")
