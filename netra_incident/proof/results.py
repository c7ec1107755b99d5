"""The results of a run by category, and as the plan's tables."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from netra_incident.case import Category
from netra_incident.proof.suite import Test

FAIL_TO_PASS = "fail_to_pass"  # noqa: S105 - no password
PASS_TO_PASS = "pass_to_pass"  # noqa: S105


def _shown(seen: dict[str, tuple[str, ...]]) -> list[str]:
    """Return what tests saw, a line for each kind and file."""
    places: dict[tuple[str, str], set[int]] = {}
    for error in seen.get("error", ()):
        found = re.match(r"(\w+) at (?:.*/)?([\w.]+):(\d+) in ", error)
        if found:
            places.setdefault((found[1], found[2]), set()).add(int(found[3]))
    lines = [
        f"{kind} at {file}:{', '.join(map(str, sorted(numbers)))}"
        for (kind, file), numbers in sorted(places.items())
    ]
    codes = [
        f"{words} {', '.join(sorted(seen[name]))}"
        for name, words in (("close_code", "close code"), ("http_status", "HTTP"))
        if name in seen
    ]
    return [*lines, ", ".join(codes)]


@dataclass(frozen=True)
class Result:
    """How the tests of one category came out on one tree."""

    category: Category
    tests: list[Test]

    @property
    def passed(self) -> bool:
        """Whether there are tests, and all of them passed."""
        return bool(self.tests) and all(test.outcome == "passed" for test in self.tests)

    @property
    def seen(self) -> dict[str, tuple[str, ...]]:
        """Return what the tests saw, each value once."""
        found: dict[str, dict[str, None]] = {}
        for test in self.tests:
            for name, values in test.seen.items():
                found.setdefault(name, {}).update(dict.fromkeys(values))
        return {name: tuple(values) for name, values in found.items()}

    def counts(self, mark: str) -> tuple[int, int]:
        """Return how many tests with this mark passed, and how many there are."""
        marked = [test for test in self.tests if test.mark == mark]
        return sum(test.outcome == "passed" for test in marked), len(marked)

    def row(self, expected: str) -> tuple[str, ...]:
        """Return the category as a row of its table."""
        done, n = self.counts(FAIL_TO_PASS)
        direct, m = self.counts(PASS_TO_PASS)
        counts = f"{done} of {n} fail-to-pass"
        if m:
            counts += f"\n{direct} of {m} pass-to-pass"
        result = "PASS" if self.passed else "FAIL"
        return self.category.name, result, counts, "\n".join(_shown(self.seen)), expected

    def as_json(self, expected: str) -> dict[str, Any]:
        """Return the category for a program."""
        outcomes = [test.outcome for test in self.tests]
        return {
            "category": self.category.name,
            "file": self.category.file,
            "result": "PASS" if self.passed else "FAIL",
            "counts": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
            "seen": {name: list(values) for name, values in self.seen.items()},
            "expected": expected,
            "note": self.category.note,
        }


HEAD = ("category", "result", "tests passed", "seen", "expected by the plan")


class Notes(list[str]):
    """Remarks, each on its own line."""

    def __repr__(self) -> str:
        """Return them as plain text."""
        return "\n".join(f"- {textwrap.fill(note, 100, subsequent_indent='  ')}" for note in self)

    def _repr_markdown_(self) -> str:
        """Return them for a notebook."""
        return repr(self)
