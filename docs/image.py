"""A picture that a section shows."""

from __future__ import annotations

from typing import NamedTuple


class Image(NamedTuple):
    """A picture as PNG, with a text for those who cannot see it."""

    alt: str
    png: bytes
