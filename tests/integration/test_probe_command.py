"""``netra-ws probe`` as a command: its lines, its JSON, its exit codes, its repetitions."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import leash
import pytest
from processes import COMMAND, clean_environment, netra_ws

from netra_incident.cli import main
from netra_incident.history.deployment import Deployment

STEPS = (
    "log in",
    "connect",
    "first event",
    "five events",
    "digest",
    "endpoints",
    "isolation",
    "reconnect",
    "whole path",
)
LIMITS = dict(zip(STEPS, (10.0, 2.0, 5.0, 10.0, None, 5.0, 10.0, 10.0, 60.0), strict=True))


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str


def given(deployment: Deployment, folder: Path) -> list[str]:
    """Return the options that name a deployment and its users."""
    logins = folder / "logins.json"
    users = [{"email": user.email, "password": user.password} for user in deployment.users]
    logins.write_text(json.dumps(users))
    return [
        "--base-url",
        deployment.backend,
        "--auth-url",
        deployment.auth,
        "--logins",
        str(logins),
    ]


def in_a_process(deployment: Deployment, folder: Path, *options: str, **process: Any) -> Done:
    done = netra_ws("probe", *given(deployment, folder), *options, cwd=folder, **process)
    nothing_secret(done.stdout + done.stderr, deployment)
    return Done(done.returncode, done.stdout, done.stderr)


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command right here, which is quicker; the deployment may be `None`."""
    for name in os.environ:
        if name.startswith("STAGING_"):
            monkeypatch.delenv(name)

    def run(deployment: Deployment | None, *options: str) -> Done:
        known = given(deployment, tmp_path) if deployment else []
        monkeypatch.setattr(sys, "argv", ["netra-ws", "probe", *known, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        if deployment:
            nothing_secret(said.out + said.err, deployment)
        return Done(ended.value.code, said.out, said.err)

    return run


def nothing_secret(said: str, deployment: Deployment) -> None:
    assert not any(user.password in said for user in deployment.users)
    assert "eyJ" not in said


LINE = re.compile(r"(ok|FAILED|-) {2,}(\w+ ?\w*)(?: +([\d.]+) s(?: of +(\d+) s)?)?(?: {2,}(.+))?")


def lines(stdout: str) -> dict[str, tuple[str, str, str, str]]:
    """Return mark, seconds, limit and detail of each step's line."""
    found = [LINE.fullmatch(line) for line in stdout.splitlines()]
    return {match[2].strip(): (match[1], match[3], match[4], match[5]) for match in found if match}


def test_on_a_healthy_deployment_every_step_holds(before: Deployment, tmp_path: Path) -> None:
    done = in_a_process(before, tmp_path)
    assert (done.code, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"golden path of {before.backend}, login at {before.auth}"
    assert last == "the golden path held"
    told = lines(done.stdout)
    assert tuple(told) == STEPS
    for name, (mark, _, limit, _) in told.items():
        assert mark == "ok"
        assert limit == (None if LIMITS[name] is None else f"{LIMITS[name]:g}")
    assert told["endpoints"][3] == "/ws/health 200, /ws/config 200, /ws/stats 200"
    assert "\x1b" not in done.stdout


def test_on_the_incident_connect_and_endpoints_fail(buggy: Deployment, run: Run) -> None:
    done = run(buggy)
    assert (done.code, done.stderr) == (1, "")
    told = lines(done.stdout)
    assert tuple(told) == STEPS
    assert {name: mark for name, (mark, *_) in told.items()} == {
        name: {"log in": "ok", "connect": "FAILED", "endpoints": "FAILED"}.get(name, "-")
        for name in STEPS
    }
    assert "the connection ended with close code 1011, reason ''" in told["connect"][3]
    assert told["endpoints"][3].endswith("got /ws/health 500, /ws/config 500, /ws/stats 500")
    for name, (mark, *_, why) in told.items():
        assert mark != "-" or why == "not tried: connect failed", name
    assert done.stdout.endswith("\nthe golden path failed at: connect, endpoints\n")


@pytest.fixture
def plain_web_server(tmp_path: Path) -> Iterator[str]:
    """What ``python -m http.server`` runs."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path / "www"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_plain_web_server_gets_clear_lines_and_no_traceback(
    fixed: Deployment, plain_web_server: str, run: Run
) -> None:
    done = run(fixed, "--base-url", plain_web_server)
    assert (done.code, done.stderr) == (1, "")
    told = lines(done.stdout)
    assert "/ws: expected 101, got " in told["connect"][3]
    assert told["endpoints"][3].endswith("got /ws/health 404, /ws/config 404, /ws/stats 404")
    done = run(fixed, "--auth-url", plain_web_server)
    assert (done.code, done.stderr) == (1, "")
    told = lines(done.stdout)
    assert "/auth/login answered 501, expected 200" in told["log in"][3]
    assert told["endpoints"][0] == "ok"


def test_json_is_one_document_and_nothing_else(buggy: Deployment, run: Run) -> None:
    done = run(buggy, "--json")
    assert (done.code, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert list(document) == ["base_url", "auth_url", "ok", "steps"]
    assert (document["base_url"], document["auth_url"]) == (buggy.backend, buggy.auth)
    assert document["ok"] is False
    steps = {step["name"]: step for step in document["steps"]}
    assert tuple(steps) == STEPS
    for name, step in steps.items():
        assert list(step) == ["name", "ok", "seconds", "limit_s", "detail"]
        assert step["limit_s"] == LIMITS[name]
    assert [steps[name]["ok"] for name in ("log in", "connect", "digest")] == [True, False, None]
    assert steps["digest"]["seconds"] is None
    assert steps["connect"]["seconds"] > 0


def test_twenty_of_twenty_are_too_few(fixed: Deployment, run: Run) -> None:
    done = run(fixed, "--repeat", "20")
    assert (done.code, done.stderr) == (1, "")
    told = lines(done.stdout)
    assert tuple(told) == STEPS
    assert {mark for mark, *_ in told.values()} == {"ok"}
    rate, verdict = done.stdout.splitlines()[-2:]
    assert rate.startswith("20 of 20 paths held; Wilson 95 % interval")
    assert rate.endswith(": 83.9 % to 100.0 %")
    assert verdict == "20 of 20 show no more than 83.9 %: use --repeat 73 or more"


WITHOUT_MATPLOTLIB = (
    sys.executable,
    "-P",
    "-c",
    "import sys; sys.modules['matplotlib'] = None; from netra_incident.cli import main; main()",
)


def test_a_hundred_of_a_hundred_are_enough(fixed: Deployment, tmp_path: Path) -> None:
    """It also needs no figure library: who watches a deployment may not have one."""
    options = ("--repeat", "100", "--json")
    done = in_a_process(fixed, tmp_path, *options, command=WITHOUT_MATPLOTLIB)
    assert (done.code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    repeated = ["n", "successes", "interval", "min_success", "paths"]
    assert list(document) == ["base_url", "auth_url", "ok", "steps", *repeated]
    assert [document[key] for key in ("ok", *repeated[:-1])] == [
        True,
        100,
        100,
        [0.963, 1.0],
        0.95,
    ]
    assert len(document["paths"]) == 100
    for number, step in enumerate(document["steps"]):
        each = [path["steps"][number] for path in document["paths"]]
        assert {one["name"] for one in each} == {step["name"]}
        assert step["seconds"] == max(one["seconds"] for one in each)


def test_a_lower_rate_needs_fewer(
    fixed: Deployment, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what configures it may come from the environment, a slash at the end included."""
    monkeypatch.setenv("STAGING_BASE_URL", f"{fixed.backend}/")
    monkeypatch.setenv("STAGING_AUTH_URL", f"{fixed.auth}/")
    for user, suffix in zip(fixed.users, ("", "_2"), strict=False):
        monkeypatch.setenv(f"STAGING_EMAIL{suffix}", user.email)
        monkeypatch.setenv(f"STAGING_PASSWORD{suffix}", user.password)
    done = run(None, "--repeat", "2", "--min-success", "0.3")
    nothing_secret(done.stdout + done.stderr, fixed)
    assert (done.code, done.stderr) == (0, "")
    verdict = "the golden path held 2 of 2 times: the success rate is over 30 %\n"
    assert done.stdout.endswith(verdict)


def test_failures_are_counted_step_by_step(buggy: Deployment, run: Run) -> None:
    done = run(buggy, "--repeat", "3")
    assert (done.code, done.stderr) == (1, "")
    told = lines(done.stdout)
    for name in ("connect", "endpoints"):
        assert told[name][0] == "FAILED"
        assert told[name][3].startswith("failed 3 of 3 times, first: expected ")
    assert told["isolation"] == ("-", None, None, "not tried 3 of 3 times")
    assert done.stdout.endswith(
        "0 of 3 paths held; Wilson 95 % interval of the success rate: 0.0 % to 56.1 %\n"
        "the golden path failed 3 of 3 times\n"
    )


def test_a_bar_is_on_standard_error_where_that_is_a_terminal(
    buggy: Deployment, tmp_path: Path
) -> None:
    pty = pytest.importorskip("pty")
    terminal, end = pty.openpty()
    try:
        done = leash.run(
            [*COMMAND, "probe", *given(buggy, tmp_path), "--repeat", "2"],
            cwd=tmp_path,
            env=clean_environment() | {"TERM": "xterm", "COLUMNS": "100"},
            stderr=end,
        )
        shown = os.read(terminal, 65536).decode()
    finally:
        os.close(terminal)
        os.close(end)
    assert "2/2 paths, 2 failed" in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert "\x1b" not in done.stdout
    assert "2/2" not in done.stdout


def test_words_that_do_not_fit_the_encoding_are_spelled_out(
    fixed: Deployment, tmp_path: Path
) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    done = in_a_process(fixed, tmp_path, "--base-url", "http://ü..b", env=env)
    assert (done.code, done.stderr) == (1, "")
    assert done.stdout.startswith("golden path of http://\\xfc..b, ")


USAGE = {
    "no address": ((), "--base-url"),
    "one address": (("--base-url", "http://127.0.0.1:9"), "--auth-url"),
    "no logins": (("--base-url", "http://127.0.0.1:9", "--auth-url", "http://x"), "STAGING_EMAIL,"),
    "a rate of one path": (
        ("--base-url", "http://x", "--auth-url", "http://x", "--min-success", "0.9"),
        "--repeat",
    ),
    "no http": (("--base-url", "ws://x", "--auth-url", "http://x"), "expected http:// or https://"),
}


@pytest.mark.parametrize(("options", "named"), USAGE.values(), ids=list(USAGE))
def test_what_cannot_be_tried_is_exit_code_2(
    options: tuple[str, ...], named: str, run: Run
) -> None:
    done = run(None, *options)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert named in done.stderr


def test_one_user_is_not_enough(fixed: Deployment, run: Run, tmp_path: Path) -> None:
    logins = tmp_path / "one.json"
    user = fixed.users[0]
    logins.write_text(json.dumps([{"email": user.email, "password": user.password}]))
    done = run(fixed, "--logins", str(logins))
    assert (done.code, done.stdout) == (2, "")
    assert "expected two users or more, got 1" in done.stderr
