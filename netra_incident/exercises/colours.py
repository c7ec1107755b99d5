"""Exercises about the colour of a function: they run what the reader wrote."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from netra_incident.exercises.verdict import Exercise, Verdict, measured, right, wrong

TIMEOUT_S = 15.0

# On page 01


class _Kitchen:
    """One function of each colour, which count how often they run to their end."""

    def __init__(self) -> None:
        self.brewed = self.poured = 0

    async def brew(self) -> str:
        await asyncio.sleep(0)
        self.brewed += 1
        return "tea"

    def pour(self) -> str:
        self.poured += 1
        return "water"


async def _serve(answer: Callable[..., Any], kitchen: _Kitchen) -> Any:
    async with asyncio.timeout(TIMEOUT_S):
        return await answer(kitchen.brew, kitchen.pour)


def _forgotten(result: Any) -> list[str]:
    """Return the names of the coroutines in a result that nobody awaited, and end them."""
    items = result if isinstance(result, (tuple, list)) else (result,)
    coroutines = [item for item in items if inspect.iscoroutine(item)]
    for coroutine in coroutines:
        coroutine.close()
    return [coroutine.__name__ for coroutine in coroutines]


def _judge_serving(answer: Any) -> Verdict:
    if not inspect.iscoroutinefunction(answer):
        return wrong(
            f"Expected a function written with `async def`, got {type(answer).__name__}: only "
            f"there may an `await` stand."
        )
    kitchen = _Kitchen()
    try:
        result = measured(_serve(answer, kitchen))
    except TimeoutError:
        return wrong(f"It did not return within {TIMEOUT_S:g} s: what does it wait for?")
    except Exception as error:
        if isinstance(error, TypeError) and kitchen.poured:
            return wrong(
                f"It raised {type(error).__name__}: {error}. `pour` had run by then: its result "
                f"is no coroutine, so leave out its `await`."
            )
        return wrong(f"It raised {type(error).__name__}: {error}.")
    if forgotten := _forgotten(result):
        return wrong(
            f"It returned a coroutine of `{forgotten[0]}`, which nobody awaited: calling an "
            f"`async def` runs nothing yet. Put an `await` in front of that call."
        )
    if result != ("tea", "water"):
        return wrong(f"It returned {result!r}, expected ('tea', 'water').")
    if (kitchen.brewed, kitchen.poured) != (1, 1):
        return wrong(
            f"brew ran {kitchen.brewed} times and pour {kitchen.poured}, expected once each: "
            f"catching the error and trying again repeats the effect."
        )
    return right("Each ran once, and what both returned arrived.")


ONE_OF_EACH = Exercise(
    "one of each",
    "01",
    "Write `async def serve(brew, pour)`. brew is an `async def` that returns 'tea', pour a `def`\n"
    "that returns 'water'. Return both as a tuple, tea first. Then check('one of each', serve).",
    _judge_serving,
)

# On page 09

TWO_COLOURS = """\
class Cache:
    def get(self, key):
        return key

class Store:
    async def get(self, key):
        return key

async def main():
    return await Cache().get("a"), await Store().get("b")
"""

_RUN = """
import asyncio, inspect
result = asyncio.run(main())
for item in result:
    if inspect.iscoroutine(item):
        item.close()
        print("coroutine")
        break
else:
    print(repr(result))
"""


def _judge_mended(answer: Any) -> Verdict:
    if not isinstance(answer, str):
        return wrong(f"Expected the module as a str, got {type(answer).__name__}.")
    *kept, _ = TWO_COLOURS.strip().splitlines()
    gone = [line for line in kept if line not in answer.splitlines()]
    if gone:
        return wrong(f"{gone[0].strip()!r} is gone: mend the line that calls, and nothing else.")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", answer + _RUN],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return wrong(f"It did not end within {TIMEOUT_S:g} s.")
    if done.returncode:
        return wrong(f"Python ran it and said {done.stderr.strip().splitlines()[-1]!r}.")
    if (said := done.stdout.strip()) == "coroutine":
        return wrong(
            "One of the results is a coroutine that nobody awaited: `Store.get` is an `async def`, "
            "and its `await` was right. Two methods share a name, not a colour."
        )
    if said != "('a', 'b')":
        return wrong(f"main() returned {said}, expected ('a', 'b').")
    return right("Python ran it: main() returned ('a', 'b'), and no coroutine was left over.")


ONE_NAME_TWO_COLOURS = Exercise(
    "one name, two colours",
    "09",
    f"Mend this module, and give the whole of it as a str:\n\n{TWO_COLOURS}",
    _judge_mended,
)
