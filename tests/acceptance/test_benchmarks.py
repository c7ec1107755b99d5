"""The benchmark measures equal work, judges by what it says, and shows what it measured.

Nothing here is timed: how fast the servers are is the business of ``make bench``.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from forking import Forking
from processes import clean_environment
from websockets.frames import Frame, Opcode

if sys.platform != "linux":
    pytest.skip("the benchmark needs Linux", allow_module_level=True)

from benchmarks import publish, scenarios
from benchmarks.figure import speed
from benchmarks.frames import EVENTS, Broken, Frames, check_run
from benchmarks.load import ClosedLoop
from benchmarks.paced import quantile
from benchmarks.results import Machine, Results, Sample, begin, read, write
from benchmarks.rounds import play
from benchmarks.servers import BEFORE, OURS, PROGRAMS, ROOT, TUNED, Program, Server, put_commit
from benchmarks.table import client_share, markdown, server_heads
from benchmarks.verdicts import TARGETS, Verdict, judge
from benchmarks.wire import close_wires, open_wires
from netra_ws.auth.tokens import Tokens
from netra_ws.errors import ConfigurationError
from netra_ws.events import EVENT_TYPES
from netra_ws.settings import Settings

SECRET = "a secret of the tests, long enough for HS256"
TOKENS = Tokens(SECRET, Settings())
NAMES = [program.name for program in PROGRAMS]
Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        yield {one.name: stack.enter_context(Server(one, SECRET)) for one in PROGRAMS}


async def first_run(server: Server) -> list[bytes]:
    """Return the messages of a run, after several on two connections."""
    wires = await open_wires(server, [TOKENS.issue(f"u{number}") for number in range(2)])
    loop = ClosedLoop(wires)
    assert await loop.go(0, lanes=2) == 2
    assert await loop.go(0, lanes=2, depth=3) == 6
    await close_wires(wires)
    return wires[0].first_run


# The work


@pytest.mark.parametrize("name", NAMES)
async def test_every_server_does_the_same_work(servers: dict[str, Server], name: str) -> None:
    """Each event has the fields of ours, and a run the size that was agreed."""
    theirs, ours = await first_run(servers[name]), await first_run(servers[OURS.name])
    shapes = [
        [(one["type"], sorted(one), sorted(one["payload"])) for one in map(json.loads, run)]
        for run in (theirs, ours)
    ]
    assert shapes[0] == shapes[1]
    assert [shape[0] for shape in shapes[0]] == list(EVENT_TYPES)
    assert abs(check_run(theirs) - check_run(ours)) < 8
    for one, other in zip(theirs, ours, strict=True):
        sizes = [len(msgspec.json.format(message, indent=-1)) for message in (one, other)]
        assert abs(sizes[0] - sizes[1]) <= 16, sizes


async def test_ours_has_a_digest(servers: dict[str, Server]) -> None:
    *before, last = await first_run(servers[OURS.name])
    digest = sha256(b"".join(message + b"\n" for message in before)).hexdigest()
    assert json.loads(last)["payload"]["digest"] == digest


@pytest.mark.parametrize("name", NAMES)
async def test_every_server_authenticates(servers: dict[str, Server], name: str) -> None:
    forged = Tokens(SECRET[::-1], Settings()).issue("u1")
    with pytest.raises(Broken, match=r"expected a handshake to succeed, got .* (401|403) "):
        await open_wires(servers[name], [forged])


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_offered_is_not_what_is_used(servers: dict[str, Server], name: str) -> None:
    """Only idle connections offer deflate: the events of all others are sent as they are."""
    (wire,) = await open_wires(servers[name], [TOKENS.issue("u1")])
    loop = ClosedLoop([wire])
    assert await loop.go(0, lanes=1) == 1  # a compressed frame would be `Broken`
    await close_wires([wire])


# The client


def texts(*messages: bytes) -> bytes:
    return b"".join(Frame(Opcode.TEXT, message).serialize(mask=False) for message in messages)


async def test_frames_are_counted_however_they_are_cut(servers: dict[str, Server]) -> None:
    run = await first_run(servers[TUNED.name])
    pongs: list[bytes] = []
    stream = texts(*run) + b"\x89\x02hi" + texts(*run, b"short")
    for size in (1, 3, 100, len(stream)):
        frames = Frames(pongs.append)
        cut = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert sum(map(frames.feed, cut)) == 2 * EVENTS + 1
    assert len(pongs) == 4


async def test_a_wrong_run_is_noticed(servers: dict[str, Server]) -> None:
    run = await first_run(servers[TUNED.name])
    check_run(run)
    long = run[0].replace(b'"message":"', b'"message":"' + b"x" * 500)
    other = run[1].replace(b'"run_id":"', b'"run_id":"x')
    for wrong in (
        [run[1], run[0], *run[2:]],
        [run[0], run[0], *run[2:]],
        [run[0], other, *run[2:]],
        [long, *run[1:]],
        [b"{}", *run[1:]],
        [run[0].replace(b'"seq":1', b'"seq":9'), *run[1:]],
        [*run[:-1], run[-1].replace(b"completed", b"failed")],
    ):
        assert wrong != run
        with pytest.raises(Broken):
            check_run(wrong)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50, 99, 7)


# The scenarios


MEASURED = {
    "50x1": {"us", "client_share"},
    "alone": {"us", "client_share"},
    "paced": {"p50_us", "p99_us", "us"},
    "handshakes": {"seen_us", "new_us"},
    "memory": {"bytes"},
    "growth": {"us", "client_share"},
}


@pytest.mark.parametrize("name", MEASURED)
def test_a_scenario_measures_what_is_judged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, value in {
        "WARM_UP_S": 0.02,
        "PACED_TURNS": 1,
        "PACED_S": 0.05,
        "HANDSHAKES": 3,
        "HANDSHAKE_TURNS": 1,
        "IDLE_CONNECTIONS": 60,
        "SETTLED_S": 0.05,
        "SETTLE_AT_MOST_S": 0.1,
        "MANY": 30,
        "GROWTH_TURNS": 1,
        "GROWTH_S": 0.05,
    }.items():
        monkeypatch.setattr(scenarios, constant, value)
    (scenario,) = (one for one in scenarios.SCENARIOS if one.name == name)
    if name in {"50x1", "alone"}:
        scenario = scenario._replace(measure=scenarios.throughput(3, 2, turns=2, seconds=0.05))
    if name != "growth":
        scenario = scenario._replace(programs=((OURS.name, OURS), (TUNED.name, TUNED)))
    values = play(scenario)
    assert set(values) == {server for server, _ in scenario.programs}
    for found in values.values():
        assert MEASURED[name] <= set(found)
        if name != "memory":  # of so few connections nothing may be seen
            assert all(value > 0 for value in found.values()), found


def test_another_tree_of_ours_is_one_more_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenarios, "WARM_UP_S", 0.02)
    shutil.copytree(ROOT / "netra_ws", tmp_path / "netra_ws")
    measure = scenarios.throughput(3, 2, turns=2, seconds=0.05)
    (one,) = (one for one in scenarios.SCENARIOS if one.name == "50x1")
    alone = one._replace(measure=measure, programs=((OURS.name, OURS),))
    beside = alone.beside(str(tmp_path))
    values = play(beside)
    assert set(values) == {OURS.name, BEFORE.name}
    results = begin(1, 2)
    results.samples.append(Sample("50x1", 1, values))
    assert [verdict.target.bottom[0] for verdict in judge(results)] == [BEFORE.name]
    assert BEFORE.title in server_heads(results)
    (tmp_path / "netra_ws" / "__main__.py").write_text("raise SystemExit('that of the tree')")
    with pytest.raises(ConfigurationError, match=r"netra_ws before did not .* that of the tree"):
        play(beside)


def test_a_commit_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such-commit"):
        put_commit("no-such-commit", tmp_path)


def test_a_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="Nothing did not start: oh no"):
        Server(Program("nothing", "Nothing", ("-c", "raise SystemExit('oh no')")), SECRET)


def test_a_server_that_ends_is_an_error() -> None:
    async def measure(stage: scenarios.Stage) -> scenarios.Values:

        (name,) = stage.servers
        (wire,) = await stage.open(name, stage.tokens(1))
        stage.servers[name].kill()
        await ClosedLoop([wire]).go(5, lanes=1)
        raise AssertionError

    scenario = scenarios.Scenario("ends", "", measure, ((OURS.name, OURS),))
    with pytest.raises(ConfigurationError, match="ends: the server ended a connection"):
        play(scenario)


# What is said of it


def results_of(*rounds: dict[str, dict[str, dict[str, float]]]) -> Results:
    samples = [
        Sample(scenario, number, values)
        for number, measured in enumerate(rounds, 1)
        for scenario, values in measured.items()
    ]
    machine = Machine("CPython 3", "a processor", 2, "Linux", {"websockets": "17"})
    return Results("2026-11-23", len(rounds), machine, samples)


def costs(ours: float, default: float, tuned: float) -> dict[str, dict[str, float]]:
    others = dict.fromkeys(NAMES, default) | {OURS.name: ours, TUNED.name: tuned}
    return {name: {"us": value, "client_share": 0.4} for name, value in others.items()}


def test_a_verdict_is_on_the_median_of_the_paired_ratios() -> None:
    # Unpaired, 40 / 10 would come out: the machine was slow in one round, for both.
    results = results_of(
        {"50x1": costs(10, 31, 21)}, {"50x1": costs(20, 64, 44)}, {"50x1": costs(10, 40, 20)}
    )
    default, tuned = judge(results)
    assert default.ratios == [3.1, 3.2, 4.0]
    assert (default.ratio, default.reached, default.word) == (3.2, True, "reached")
    assert (tuned.ratio, tuned.reached, tuned.word) == (2.1, True, "reached")


@pytest.mark.parametrize(
    ("at_least", "ratio", "word"),
    [
        (True, 2.99, "MISSED"), (True, 3.0, "reached"), (True, 4.0, "aim reached"),
        (False, 0.81, "MISSED"), (False, 0.8, "reached"), (False, 0.65, "aim reached"),
    ],
)  # fmt: skip
def test_more_is_better_or_less_is(at_least: bool, ratio: float, word: str) -> None:
    (target,) = (one for one in TARGETS if one.must == (3.0 if at_least else 0.8))
    assert target.at_least is at_least
    verdict = Verdict(target, [ratio])
    assert (verdict.word, verdict.reached) == (word, word != "MISSED")


def test_the_client_is_the_limit_where_it_was_busiest() -> None:
    results = results_of({"50x1": costs(1, 1, 1)}, {"50x1": costs(1, 1, 1)})
    results.samples[1].values[TUNED.name]["client_share"] = 0.97
    assert client_share(results) == 0.97
    assert client_share(results, OURS.name) == 0.4


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A function that runs ``python -m benchmarks`` to its end."""
    folder = tmp_path_factory.mktemp("forking")
    env = clean_environment() | {"PYTHONPATH": str(publish.ROOT)}
    with Forking("benchmarks.cli", folder=folder, env=env) as forking:
        yield partial(forking.run, "benchmarks")


@pytest.mark.parametrize(("default", "code"), [(39.0, 0), (29.0, 1)])
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, default: float, code: int, bench: Bench
) -> None:
    path = tmp_path / "results.json"
    write(results_of({"50x1": costs(10, default, 22)}), path)
    done = bench("--from", path, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert ("MISSED" in done.stdout) == bool(code)
    assert "CPython 3" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "nothing"], "nothing"),
        (["--rounds", "0"], "--rounds"),
        (["--from", "missing.json"], f"missing.json: {os.strerror(errno.ENOENT)}"),
        (["--from", "missing.json", "--scenario", "50x1"], "exclude each other"),
        (["fast"], "fast"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(
    tmp_path: Path, arguments: list[str], words: str, bench: Bench
) -> None:
    done = bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line


def test_only_a_complete_run_is_shown() -> None:
    every = {scenario.name: costs(1, 1, 1) for scenario in scenarios.SCENARIOS}
    assert publish.is_complete(results_of(*[every] * 5))
    assert not publish.is_complete(results_of(*[every] * 4))
    assert not publish.is_complete(results_of(*[every] * 4, {"50x1": costs(1, 1, 1)}))


def test_what_is_shown_is_complete() -> None:
    results = read(publish.RESULTS)
    assert publish.is_complete(results)
    assert markdown(results).count("\n| ") > 10
    assert speed(results).png.startswith(b"\x89PNG")


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = results_of({"50x1": costs(10, 30, 20)})
    path = tmp_path / "folder" / "results.json"
    write(results, path)
    assert read(path) == results
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="expected a file that this benchmark wrote"):
        read(path)
