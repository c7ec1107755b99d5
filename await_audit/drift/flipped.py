"""A function of which two versions differ in colour."""

from __future__ import annotations

from dataclasses import dataclass, field

from await_audit.drift.model import Caller
from await_audit.drift.results import Answer
from await_audit.resolver.colour import Function
from await_audit.resolver.values import FunctionValue


@dataclass(eq=False, slots=True)
class Flipped:
    """A function as it was and as it is in the file `path`, and who is left behind."""

    path: str
    was: Function
    now: Function
    still: Answer = Answer.MAYBE
    callers: set[Caller] = field(default_factory=set)

    @property
    def value(self) -> FunctionValue:
        """The function as the resolver names it."""
        return FunctionValue(self.path, self.now.qualname)

    @property
    def is_method(self) -> bool:
        """Whether it is defined in the body of a class."""
        parts = self.now.qualname.split(".")
        return len(parts) > 1 and parts[-2] != "<locals>"
