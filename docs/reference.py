"""The sections of the reference, made of the code's own words."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from types import ModuleType

import click
import msgspec
from msgspec.inspect import FloatType, IntType, StructType, Type, VarTupleType, type_info
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

import netra_ws
from docs.examples import CLIENT, SERVER
from netra_incident.cli import COMMANDS, cli
from netra_incident.table import Table
from netra_ws import client, errors
from netra_ws import settings as limits
from netra_ws.auth.metrics import LoginMetrics
from netra_ws.client.backoff import CLOSES, STATUSES, Rule
from netra_ws.errors import CloseCode, NetraError
from netra_ws.manager import ManagerRegistry
from netra_ws.metrics import Exposition
from netra_ws.settings import Settings

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

ERRORS = {
    "ConfigurationError": "mend what the message names: an option, a file, a variable",
    "ContextError": "mend the field that the message names",
    "EventRefused": "emit what the message expects, in the thread of the run's event loop",
    "GrammarError": "emit events in the order that the message names",
    "TokenError": "log in again",
    "LoginError": "by `status`: 401 email or password; 429 or 503 later; `None` no answer",
    "CursorBehind": "nothing in a client: the server closes with 4002, and the client resumes",
    "RequestRefused": "by `code`, see [error codes](#error-codes)",
    "MessageTooLarge": "send less at a time; `max_message_bytes` of `/ws/config` says how much",
    "RunRefused": "wait for a run to end, or reconnect: the message says which",
    "HandshakeRefused": "by `status`: 403 the origin; 503 later; `None` no answer",
    "ConnectionEnded": "by `code`, see [close codes](#close-codes)",
    "EventTooLarge": "nothing: `Client` takes what its server says, and else `EventsLost`",
    "EventGap": "nothing: `Client` resumes from the last event that it has",
    "EventsLost": "tell the user; the next call goes on with what is left",
    "RunUnconfirmed": "ask the user before sending again: it could run twice",
    "JsonError": "mend the text at the place that the message names",
    "JsonShapeError": "mend the field that the message names",
    "TooCostly": "send a smaller text",
    "RunUnfinished": "`follow` it to its end, or `stop` it",
    "IncompleteRun": "do not trust the run; the next call works on",
}
"""What to do about each error."""

CODES = {
    "invalid_json": ("the message is not JSON", "mend the client"),
    "invalid_message": ("it is JSON, and none of the messages below", "mend the client"),
    "binary_message": ("it is binary", "send text"),
    "too_many_runs": ("`max_runs_per_user` are going on", "wait for one to end"),
    "too_many_ids": (
        "as many ids as one connection may send in `idle_log_s` are known",
        "send it without an id, or later",
    ),
    "unknown_run": ("no run of this user with that `run_id` is going on", "nothing: it has ended"),
    "token_refused": ("not a valid token of the same user", "log in; the old token stays in force"),
    "stopping": ("the server stops", "reconnect after 1012, then send again"),
}
"""The codes of the typed error, when each comes and what to do."""

UNITS = {
    "_per_s": "a second",
    "_s": "s",
    "_bytes": "bytes",
    "_bytes_total": "bytes",
    "_events": "events",
    "_logins": "logins",
}
"""The unit that the end of a setting's name stands for; others count what they name."""

WIDTH = 96


def _paragraphs(text: str | None) -> str:
    """Return a docstring without the name of its test."""
    return inspect.cleandoc(text or "").strip()


def _first(text: str | None) -> str:
    return " ".join(_paragraphs(text).split("\n\n")[0].split())


def _below(module: ModuleType | type) -> dict[str, str]:
    """Return the names that a module or a class assigns, each with the text below it."""
    tree = ast.parse(inspect.getsource(module))
    body = tree.body
    if isinstance(module, type):
        (definition,) = body
        assert isinstance(definition, ast.ClassDef)
        body = definition.body
    found = {}
    for one, other in pairwise(body):
        target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
        match target, other:
            case ast.Name(id=name), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = text
    return found


def _all(parts: Iterable[str]) -> str:
    return "\n\n".join(parts)


def commands() -> str:
    """Return the help of each command."""
    parts = []
    group = click.Context(cli, info_name="netra-ws", **cli.context_settings)
    for name, lazy in COMMANDS.items():
        command = lazy.load()
        context = click.Context(command, group, name, terminal_width=WIDTH, max_content_width=WIDTH)
        extra = f"Needs the extra `{lazy.extra}`.\n\n" if lazy.extra else ""
        shown = f"```text\n{command.get_help(context)}\n```"
        parts.append(f"### netra-ws {name}\n\n{extra}{shown}")
    return _all(parts)


def environment() -> str:
    """Return the variables of the environment."""
    return Table(
        ("variable", "what it is"), [(f"`{k}`", v) for k, v in VARIABLES.items()]
    ).markdown()


def _messages(examples: Sequence[msgspec.Struct]) -> str:
    parts = []
    for example in examples:
        payload = getattr(example, "payload", None)
        words = [_paragraphs(type(example).__doc__)]
        if payload is not None:
            words.append(_paragraphs(type(payload).__doc__))
        shown = msgspec.json.format(msgspec.json.encode(example).decode(), indent=2)
        tag = example.__struct_config__.tag
        parts.append(f"#### {tag}\n\n{_all(words)}\n\n```json\n{shown}\n```")
    return _all(parts)


def client_messages() -> str:
    """Return each message of a client with an example."""
    return _messages(CLIENT)


def server_messages() -> str:
    """Return each message of the server with an example: those of one connection, in order."""
    return _messages(SERVER)


def error_codes() -> str:
    """Return the codes of the typed error."""
    heads = ("code", "when", "what to do")
    return Table(heads, [(f"`{code}`", *words) for code, words in CODES.items()]).markdown()


def close_codes() -> str:
    """Return each close code and its meaning."""
    return Table(
        ("code", "meaning"), [(str(int(one)), one.meaning) for one in CloseCode]
    ).markdown()


def exceptions() -> str:
    """Return each error that is raised on purpose."""
    rows = []
    for name, one in vars(errors).items():
        if isinstance(one, type) and issubclass(one, NetraError) and one is not NetraError:
            when = _first(one.__doc__).removeprefix("Raised when ")
            rows.append((f"`{name}`", when, ERRORS[name]))
    return Table(("error", "raised when", "what to do"), rows).markdown()


def settings() -> str:
    """Return each setting with its default, its bounds, its unit and its reason."""
    words, defaults = _below(Settings), Settings()
    rows = []
    info = type_info(Settings)
    assert isinstance(info, StructType)
    for field in info.fields:
        default = getattr(defaults, field.name)
        unit = next((UNITS[end] for end in UNITS if field.name.endswith(end)), "")
        is_text = isinstance(default, str | tuple)
        shown = str(default or "none") if is_text else f"{_number(default)} {unit}".strip()
        allowed = _allowed(field.type)
        rows.append((f"`{field.name}`", shown, allowed, _first(words[field.name])))
    return Table(("setting", "default", "allowed", "what it bounds, and why"), rows).markdown()


def _allowed(kind: Type) -> str:
    if not isinstance(kind, IntType | FloatType):
        return "a list of strings" if isinstance(kind, VarTupleType) else "a string"
    what = "whole numbers" if isinstance(kind, IntType) else "numbers"
    return f"{what}, {_number(kind.ge or 0)} to {_number(kind.le or 0)}"


def bounds() -> str:
    """Return each kind of setting with its bounds, why they are there, and its settings."""
    words = _below(limits)
    fields: dict[str, list[str]] = {}
    for name, kind in inspect.get_annotations(Settings).items():
        fields.setdefault(kind, []).append(f"`{name}`")
    rows = [
        (
            _allowed(type_info(getattr(limits, kind))),
            " ".join(words[kind].split()),
            ", ".join(names),
        )
        for kind, names in fields.items()
        if kind in words
    ]
    return Table(("allowed", "why", "settings"), rows).markdown()


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def _metrics(exposition: Exposition) -> str:
    for metric in vars(exposition).values():
        if isinstance(metric, Counter):  # its labels show once it has a sample
            with suppress(ValueError):  # it has no label
                metric.labels("")
    rows = []
    for family in text_string_to_metric_families(exposition.render().decode()):
        if family.name.endswith("_created"):  # the Unix time of a counter's first value
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
        named = ", ".join(f"`{label}`" for label in labels)
        rows.append((f"`{name}`", family.type, named, family.documentation))
    return Table(("metric", "type", "labels", "what it says"), rows).markdown()


def backend_metrics() -> str:
    """Return the metrics of the backend as they are exported."""
    return _metrics(ManagerRegistry().metrics)


def login_metrics() -> str:
    """Return the metrics of the login service as they are exported."""
    return _metrics(LoginMetrics())


def _signature(value: Callable[..., object]) -> str:
    signature = inspect.signature(value)
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    if isinstance(value, type):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    shown = str(signature.replace(parameters=parameters)).replace("'", "")
    return "" if "<" in shown else shown  # a default that is no literal: nobody passes another


def _members(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        words = " ".join(_paragraphs(getattr(member, "__doc__", "")).split())
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            prefix = "async " if inspect.iscoroutinefunction(member) else ""
            yield f"- `{prefix}{name}{_signature(member)}`: {words}"
        elif isinstance(member, property):
            yield f"- `{name}`: {words}"
    for name, text in _below(kind).items():
        yield f"- `{name}`: {' '.join(_paragraphs(text).split())}"


def _assigned(package: ModuleType, name: str) -> str:
    """Return the text below the assignment of a public name, in the module that has it."""
    modules = [
        module for at, module in sys.modules.items() if at.startswith(f"{package.__name__}.")
    ]
    (text,) = (below[name] for below in map(_below, modules) if name in below)
    return text


def client_names() -> str:
    """Return the public names of the client, with what can be done with each."""
    parts = []
    for name in client.__all__:
        value = getattr(client, name)
        is_called = inspect.isclass(value) or inspect.isfunction(value)
        prefix = "async " if inspect.iscoroutinefunction(value) else ""
        words = [
            f"### {name}",
            f"`{prefix}{name}{_signature(value)}`" if is_called else f"`{name}`",
            _paragraphs(value.__doc__ if is_called else _assigned(client, name)),
            "\n".join(_members(value)) if inspect.isclass(value) else "",
        ]
        parts.append(_all(filter(None, words)))
    return _all(parts)


def names() -> str:
    """Return the public names of the backend and what each is."""
    rows = []
    for name in netra_ws.__all__:
        value = getattr(netra_ws, name)
        is_called = inspect.isclass(value) or inspect.isfunction(value)
        text = value.__doc__ if is_called else _assigned(netra_ws, name)
        rows.append((f"`{name}`", _first(text)))
    return Table(("name", "what it is"), rows).markdown()


def _rules(head: str, rules: Sequence[Rule]) -> str:
    rows = [
        (
            f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}",
            "yes" if one.again else "no",
            one.reason,
        )
        for one in rules
    ]
    return Table((head, "tries again", "why"), rows).markdown()


def closes() -> str:
    """Return after which close codes the client comes back."""
    return _rules("close code", CLOSES)


def statuses() -> str:
    """Return after which HTTP statuses the client comes back."""
    return _rules("HTTP status", STATUSES)
