"""What a process takes in memory, as Linux counts it (proc(5))."""

from __future__ import annotations

from pathlib import Path

MIB = 1 << 20
FORGET_PEAK = "5"


class Memory:
    """The resident memory of a process, from now on."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text(FORGET_PEAK)
        self._before = self._bytes("VmRSS")

    @property
    def grown_mib(self) -> float:
        """By how much more its peak since then was than what it had then, in MiB."""
        return (self._bytes("VmHWM") - self._before) / MIB

    def _bytes(self, name: str) -> int:
        for line in (self._process / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"expected {name} of a living process in {self._process}")
