"""What an audit does is in proportion to what it finds; calls are counted, and no time is taken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import pytest

from await_audit.checks.guarded import guarded_imports
from await_audit.checks.imported import imported
from await_audit.files import find_files
from await_audit.judging.callee import look_up


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls of functions of ours and of others in this thread."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def look_up_all(folder: Path, size: int) -> object:
    path = folder / "app.py"
    path.write_text("".join(f"def f{n}(): ...\n" for n in range(size)))
    return [look_up(path, line) for line in range(1, size + 1)]


def walk_all(folder: Path, size: int) -> object:
    for n in range(size):
        (folder / f"m{n}.py").write_text(f"from m{(n + 1) % size} import x\nimport os\n")
    return imported(find_files([folder / "m0.py"]), [folder])


def guard_all(_: Path, size: int) -> Iterable[object]:
    return guarded_imports("try:\n import x\nexcept ImportError:\n x = None\n" * size)


@pytest.mark.parametrize("work", [look_up_all, walk_all, guard_all])
def test_four_times_as_much_takes_four_times_as_many_calls(
    work: Callable[[Path, int], object], tmp_path: Path
) -> None:
    once, few, many = (tmp_path / name for name in ("once", "few", "many"))
    for folder in (once, few, many):
        folder.mkdir()
    work(once, 4)  # what is done once in a process
    assert calls_of(lambda: work(many, 200)) < 5 * calls_of(lambda: work(few, 50))
