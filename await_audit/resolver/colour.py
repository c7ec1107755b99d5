"""What colour a function has: how a call of it must be written."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Colour(StrEnum):
    """What a call of a function has to be written with."""

    SYNC = "def"
    COROUTINE = "async def"
    ASYNC_GENERATOR = "async generator"
    ASYNC_CONTEXT = "async context manager"


@dataclass(frozen=True, slots=True)
class Function:
    """A function as one version of a file defines it.

    `plain` says that no decorator stands on it that may change what a call of it gives.
    """

    qualname: str
    line: int
    colour: Colour
    node: FunctionNode
    is_property: bool = False
    plain: bool = True

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.qualname.rpartition(".")[2]
