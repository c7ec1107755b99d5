"""The type checkers that an audit asks, and what it asks them with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Engine(StrEnum):
    """Which type checkers are asked."""

    PYREFLY = "pyrefly"
    BOTH = "both"
    """Pyrefly, and pyright as a second opinion."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a type checker is told of the project: its interpreter and where its imports are.

    Both are absolute paths. Nothing else is taken from the project: no configuration file of it
    can switch a rule off.
    """

    python: Path
    search_path: tuple[Path, ...]
