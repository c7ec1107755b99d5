"""On CPython 3.11 two threads that make syntax trees at once end in SystemError: one does."""

import ast
import sys
import threading
from pathlib import Path

import pytest

from await_audit.audit import audit

MODULE = """\
import asyncio

class Base:
    async def close(self): ...

class Later(Base):
    def __await__(self):
        yield

class Job{n}(Base):
    def close(self): return {n}

def plain(x=1):
    return x

def value{n}():
    return {n}

async def load(): ...

async def main():
    await value{n}()
    await Job{n}().close()
    await plain()
    asyncio.gather(value{n}(), [1, 2, {n}])
    job = load()
    print(f"{{load()}}", load() and 1)
"""
MODULES = 3


@pytest.fixture
def project(tmp_path):
    for number in range(MODULES):
        path = tmp_path / f"module_{number}.py"
        path.write_text(MODULE.format(n=number))
    return tmp_path


def test_an_audit_parses_in_the_thread_that_asked_for_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse, threads = ast.parse, set()

    def recorded(*arguments, **options):
        threads.add(threading.current_thread())
        return parse(*arguments, **options)

    monkeypatch.setattr(ast, "parse", recorded)
    report = audit([project], python=Path(sys.executable), root=project)
    assert len({found.path for found in report.findings}) == MODULES
    assert threads == {threading.current_thread()}
