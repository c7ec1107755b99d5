"""The rounds of a benchmark: new servers for each scenario of each, so that none is lucky."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from secrets import token_urlsafe

from benchmarks.frames import Broken
from benchmarks.machine import Cores, choose_cores, raise_file_limit
from benchmarks.results import Results, Sample, begin
from benchmarks.scenarios import Scenario, Stage, Values
from benchmarks.servers import Server
from netra_ws.auth.tokens import Tokens
from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings

Progress = Callable[[int, Scenario], object]
"""Called with the number of a round and a scenario, before that is measured."""


def play(scenario: Scenario, cores: Cores | None = None, seed: int = 0) -> Values:
    """Start the servers of a scenario, measure them, and end them.

    `seed` decides on the order in which they take turns. Raises `ConfigurationError` if one does
    not start, or does not do the work.
    """
    import uvloop

    secret = token_urlsafe(48)
    tokens = Tokens(secret, Settings())
    core = cores.server if cores else None
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(Server(program, secret, core=core, pause_s=scenario.pause_s))
            for name, program in scenario.programs
        }
        stage = Stage(servers, tokens.issue, random.Random(seed))  # noqa: S311 - no secret
        try:
            return uvloop.run(_measure(scenario, stage))
        except (Broken, OSError) as error:  # a TimeoutError is an OSError
            said = [line for one in servers.values() for line in one.log().splitlines()[-1:]]
            words = "; ".join((str(error) or "no answer in time", *said))
            raise ConfigurationError(f"{scenario.name}: {words}") from error


async def _measure(scenario: Scenario, stage: Stage) -> Values:
    try:
        return await scenario.measure(stage)
    finally:
        await stage.close()


def benchmark(scenarios: Sequence[Scenario], rounds: int, progress: Progress) -> Results:
    """Measure all scenarios, `rounds` times over. The client is this process.

    Raises `ConfigurationError` if it cannot be done on this machine, or as `play` does.
    """
    cores = choose_cores()
    raise_file_limit(max(scenario.files for scenario in scenarios))
    allowed = os.sched_getaffinity(0)
    results = begin(rounds, len(allowed))
    os.sched_setaffinity(0, {cores.client})
    try:
        for number in range(1, rounds + 1):
            for scenario in scenarios:
                progress(number, scenario)
                values = play(scenario, cores, seed=number)
                results.samples.append(Sample(scenario.name, number, values))
    finally:
        os.sched_setaffinity(0, allowed)
    return results
