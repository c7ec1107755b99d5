"""The reference, made of the code's own words: `python docs/reference.py` renews it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import click
from prometheus_client.parser import text_string_to_metric_families

import netra_ws
from netra_incident.cli import COMMANDS
from netra_ws.errors import CloseCode
from netra_ws.events import TAGS
from netra_ws.manager import ManagerRegistry
from netra_ws.settings import Settings

PAGE = Path(__file__).with_name("reference.md")

VARIABLES = {
    "NETRA_WS_SECRET": "what tokens are signed with, 32 bytes or more; made anew without it",
    "NETRA_WS_COMMIT": "the commit that health answers and log lines show; `unknown` without it",
    "TEST_ENVIRONMENT": "`local` (with `/ws/test`) or `staging`; nothing else starts",
    "STAGING_BASE_URL": "the backend that `probe` and the end-to-end tests talk to",
    "STAGING_AUTH_URL": "its login service",
    "STAGING_EMAIL": "a user of it",
    "STAGING_PASSWORD": "the user's password",
    "STAGING_EMAIL_2": "another user: isolation takes two",
    "STAGING_PASSWORD_2": "the other user's password",
}
"""The variables of the environment that a user sets."""

Row = tuple[str, ...]


def _table(head: Row, rows: Iterable[Row]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    bars = "\\|"  # in a cell
    return "\n".join(f"| {' | '.join(one.replace('|', bars) for one in row)} |" for row in cells)


def _first(text: str | None) -> str:
    """Return the first paragraph of a docstring, without the name of its guard."""
    paragraph = inspect.cleandoc(text or "").split("\n\n")[0].partition("Guarded by")[0]
    return " ".join(paragraph.split())


def _assigned(module: object) -> Iterator[tuple[str, str]]:
    """Yield the names that a module or a class assigns, each with the text below it."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    body = tree.body[0].body if isinstance(module, type) else tree.body  # type: ignore[attr-defined]
    for one, other in pairwise(body):
        target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
        match target, other:
            case ast.Name(id=name), ast.Expr(value=ast.Constant(value=str() as text)):
                yield name, text


def commands() -> Iterator[Row]:
    """Yield each command, what it does and its options."""
    for name, lazy in COMMANDS.items():
        options = [one for one in lazy.load().params if isinstance(one, click.Option)]
        named = " ".join(f"`{option.opts[-1]}`" for option in options)
        yield f"`netra-ws {name}`", lazy.short_help, named


def events() -> Iterator[Row]:
    """Yield each event, when it comes and the fields of its payload."""
    for struct, tag in TAGS.items():
        payload = get_type_hints(struct)["payload"]
        fields = ", ".join(f"`{name}`" for name in payload.__struct_fields__)
        yield f"`{tag}`", _first(struct.__doc__), fields


def close_codes() -> Iterator[Row]:
    """Yield each close code and its meaning."""
    for code in CloseCode:
        yield str(int(code)), code.meaning


def limits() -> Iterator[Row]:
    """Yield each limit, its default and its unit and reason."""
    words = dict(_assigned(Settings))
    for name in Settings.__struct_fields__:
        default = getattr(Settings(), name)
        shown = ", ".join(map(str, default)) if isinstance(default, tuple) else f"{default:,}"
        yield f"`{name}`", shown or "none", _first(words.get(name))


def metrics() -> Iterator[Row]:
    """Yield each metric of a backend and what it counts."""
    text = ManagerRegistry().metrics.render().decode()
    for family in text_string_to_metric_families(text):
        if not family.name.endswith("_created"):  # the Unix time of a counter's first value
            yield f"`{family.name}`", family.type, family.documentation


def names() -> Iterator[Row]:
    """Yield each public name of the package and what it is."""
    for name in netra_ws.__all__:
        value = getattr(netra_ws, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"`{name}`", _first(value.__doc__)
        else:
            home = inspect.getmodule(netra_ws.AgentRun)
            yield f"`{name}`", _first(dict(_assigned(home))[name])


def page() -> str:
    """Return the reference as Markdown."""
    parts = {
        "Commands": _table(("command", "what it does", "options"), commands()),
        "Environment": _table(("variable", ""), ((f"`{k}`", v) for k, v in VARIABLES.items())),
        "Events": _table(("type", "when", "payload"), events()),
        "Close codes": _table(("code", "meaning"), close_codes()),
        "Limits": _table(("field of `--settings FILE`", "default", "unit and reason"), limits()),
        "Metrics": _table(("name", "type", "what it counts"), metrics()),
        "Public names": _table(("name", "what it is"), names()),
    }
    head = (
        "# Reference\n\nMade of the code's own words by `python docs/reference.py`; a test fails "
        "when it is not what\nthe code says. `--help` has examples and exit codes of each command."
    )
    return "\n\n".join([head, *(f"## {title}\n\n{table}" for title, table in parts.items())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
