"""What an expression stands for, as far as the text of the project's own modules tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A module, by its dotted name."""

    name: str


@dataclass(frozen=True)
class _Placed:
    path: str
    qualname: str


class FunctionValue(_Placed):
    """A function of the project."""


class ClassValue(_Placed):
    """A class of the project."""


class Super(_Placed):
    """What ``super()`` gives in a method of a class."""


@dataclass(frozen=True)
class Instance(_Placed):
    """An instance of a class of the project, or, unless `exact`, of a subclass of it."""

    exact: bool = False


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something from outside the project, by its dotted name; an object of its without one."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could be anything."""


Value = ModuleValue | FunctionValue | ClassValue | Instance | Super | Foreign | Unknown
Values = frozenset[Value]

UNKNOWN: Values = frozenset({Unknown()})
FOREIGN: Values = frozenset({Foreign()})
