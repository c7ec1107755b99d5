"""The faults that the suite declares, and what a soak measured of them.

A fault is one test in ``tests/faults`` with the mark ``fault(name, promise=…)``. A soak keeps what
its tests measured in ``docs/faults.json``; `make docs` makes the table of ``docs/faults.md`` of it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "faults"
RESULTS = ROOT / "docs" / "faults.json"

Results: TypeAlias = Mapping[str, Any]
"""``{"python", "cpus", "faults": [{"fault", "promise", "measured", "facts"}, …]}``"""


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            (name,), (promise,) = node.args, node.keywords
            yield ast.literal_eval(name), ast.literal_eval(promise.value)


@cache
def declared(folder: Path = FAULTS) -> Mapping[str, str]:
    """Return the promise of each fault that the tests in `folder` declare, by file and line.

    It reads the source: whichever tests were asked for, the suite is known whole. Raises
    `ValueError` if two tests declare the same fault, or one does not in literals.
    """
    faults: dict[str, str] = {}
    for path in sorted(folder.glob("test_*.py")):
        for name, promise in _marks(path):
            if name in faults:
                raise ValueError(f"expected one test for the fault {name!r}, found another")
            faults[name] = promise
    return faults


class PartialSoakError(Exception):
    """Raised when a soak is not whole: it says what did not pass, and what was not measured."""

    def __init__(self, failed: Sequence[str], absent: Sequence[str]) -> None:
        problems = [
            *(f"not passed: {one}" for one in failed),
            *(f"nothing measured of: {one}" for one in absent),
        ]
        kept = "docs/faults.json was left as it is"
        super().__init__("\n".join([*problems, kept]))


def results(
    measured: Mapping[str, Mapping[str, Any]], failed: Sequence[str] = (), **about: Any
) -> Results:
    """Return the results to be kept, in the order of the suite.

    `measured` has the sentence and the facts by fault, `failed` the tests that did not pass.
    Raises `PartialSoakError` if there are any, or a fault of the suite was not measured.
    """
    suite = declared()
    absent = [name for name in suite if not measured.get(name, {}).get("measured")]
    if failed or absent:
        raise PartialSoakError(failed, absent)
    faults = [{"fault": name, "promise": suite[name], **measured[name]} for name in suite]
    return about | {"faults": faults}


def read_results(path: Path = RESULTS) -> Results:
    """Return the results of the last soak that was whole."""
    kept: Results = json.loads(path.read_text(encoding="utf-8"))
    return kept


def keep(results: Results, path: Path = RESULTS) -> None:
    """Make these the results of the last soak that was whole."""
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
