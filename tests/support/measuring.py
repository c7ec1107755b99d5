"""What a test measured: its facts, and the sentence that says them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing: how many, their median, the least and the most.

    In a sentence ``{took:.0f}`` gives ``12 (9-31, n = 20)``; a unit goes before the brackets with
    ``{took:.0f ms}``.
    """

    n: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of `values`; raises `ValueError` if there are none."""
        ordered = sorted(values)
        if not ordered:
            raise ValueError("expected at least one measurement, got none")
        return cls(len(ordered), statistics.median(ordered), ordered[0], ordered[-1])

    def __format__(self, spec: str) -> str:
        number, _, unit = spec.partition(" ")
        low, middle, high = (format(one, number) for one in (self.low, self.median, self.high))
        unit = f" {unit}" if unit else ""
        if self.n == 1:
            return f"{middle}{unit} (n = 1)"
        return f"{middle}{unit} ({low}-{high}, n = {self.n})"


class Measured(dict[str, Any]):
    """The facts of one test by name: numbers, words, or a `Spread`.

    Call it with the sentence of the table, a format string over the facts, and with more facts.
    Only what was asserted on belongs here.
    """

    sentence = ""

    def __call__(self, sentence: str, **facts: Any) -> None:
        """Set the sentence; raises `KeyError` if it names what is not among the facts."""
        self.update(facts)
        self.sentence = sentence.format(**self)

    def report(self) -> dict[str, Any]:
        """Return the sentence and the facts as JSON values."""
        facts = {
            name: asdict(value) if isinstance(value, Spread) else value
            for name, value in self.items()
        }
        return {"measured": self.sentence, "facts": facts}
