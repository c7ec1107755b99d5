"""Whose callers the drift check lists: every way to name a function and to use what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from drifting import Repository, check, only
from processes import git

from await_audit.drift import Colour, Drift


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def flipped(
    repository: Repository,
    before: str,
    after: str,
    others: Mapping[str, str],
    module: str = "lib.py",
) -> Drift:
    """Commit one module in two versions beside the same other ones."""
    repository.commit("one", {module: before, **others})
    git("tag", "start", cwd=repository.folder)
    repository.commit("two", {module: after})
    return repository.drift()


# From async def to def

ASYNC = "async def get(key=None):\n    return {}\n"
SYNC = "def get(key=None):\n    return {}\n"

AWAITING = {
    "await": """
        from lib import get
        async def main():
            value = await get(1)  # left
            get(2)
            return value, await get()  # left
    """,
    "module": """
        import lib
        import lib as renamed
        async def main():
            await lib.get()  # left
            await renamed.get()  # left
            lib.get()
    """,
    "alias": """
        from lib import get as fetch
        async def main():
            await fetch()  # left
    """,
    "assigned alias": """
        import lib
        fetch = lib.get
        async def main():
            await fetch()  # left
    """,
    "asyncio": """
        import asyncio
        from asyncio import gather, wait_for as limited
        from lib import get
        async def main(loop):
            asyncio.create_task(get())  # left
            await gather(get(), get())  # left
            await limited(get(), 1)  # left
            loop.create_task(get())  # left
            async with asyncio.TaskGroup() as group:
                group.create_task(get())  # left
        asyncio.run(get())  # left
    """,
    "collections": """
        import asyncio
        from lib import get
        async def main(keys):
            await asyncio.gather(*[get(key) for key in keys])  # left
            await asyncio.gather(*(get(key) for key in keys))  # left
            tasks = []
            for key in keys:
                tasks.append(get(key))
            await asyncio.gather(*tasks)  # left
            return [get(key) for key in keys]  # maybe
    """,
    "variable": """
        from lib import get
        async def main():
            pending = get()
            value = get()
            value.clear()
            return await pending  # left
    """,
    "conditional": """
        from lib import get
        async def main(flag):
            return await (get(1) if flag else get(2))  # left
    """,
    "unpacked": """
        from lib import get
        async def main():
            first, second = get(1), get(2)
            return await first, second  # left
    """,
    "in a nested function": """
        def outer():
            from lib import get
            async def inner():
                await get()  # left
            return inner
    """,
    "shadowed": """
        from lib import get
        async def main(get):
            await get()
        async def other():
            async def get():
                pass
            await get()
    """,
    "another module's": """
        from other import get
        async def main():
            await get()
    """,
    "several bindings": """
        try:
            from lib import get
        except ImportError:
            from other import get
        async def main():
            await get()  # maybe
    """,
    "reference": """
        from lib import get
        handlers = [get]  # maybe
        print(get.__name__)
    """,
    "started": """
        import anyio
        from lib import get
        anyio.run(get)  # left
        async def main():
            async with anyio.create_task_group() as group:
                group.start_soon(get)  # left
    """,
    "passed on": """
        from lib import get
        async def main(pool):
            await pool.submit(get())  # maybe
    """,
    "kept": """
        from lib import get
        class Holder:
            def __init__(self):
                self.pending = get()  # maybe
    """,
    "unresolved star": """
        from somewhere import *
        async def main():
            await get()  # maybe
    """,
    "star": """
        from lib import *
        async def main():
            await get()  # left
    """,
    "foreign path": """
        from backend.src.lib import get
        async def main():
            await get()  # maybe
    """,
    "foreign": """
        from aiofiles import get
        async def main():
            await get()
    """,
    "dictionary": """
        async def main(request):
            return await request.get()
    """,
}


@pytest.mark.parametrize("caller", AWAITING.values(), ids=AWAITING.keys())
def test_who_still_awaits_what_became_synchronous(caller: str, repository: Repository) -> None:
    other = "async def get(key=None):\n    return 1\n"
    found = flipped(repository, ASYNC, SYNC, {"caller.py": caller, "other.py": other})
    check(repository, found)
    flip = only(found)
    assert (flip.qualname, flip.line) == ("get", 1)
    assert (flip.was, flip.now) == (Colour.COROUTINE, Colour.SYNC)
    assert flip.path == repository.folder.resolve() / "lib.py"


# From def to async def

CALLING = {
    "statement": """
        from lib import get
        def main():
            get()  # left
        async def right():
            await get()
    """,
    "value": """
        from lib import get
        def main(flag):
            value = get()  # left
            if get():  # left
                return get()["key"]  # left
            print(get())  # left
            for one in get():  # left
                pass
            return f"{get()}"  # left
    """,
    "attribute of a variable": """
        from lib import get
        def main():
            value = get()  # left
            return value.items()
    """,
    "awaited later": """
        import asyncio
        from lib import get
        async def main():
            value = get()
            print(value)
            await value
            task = asyncio.create_task(get())
            done = [get(), get()]
            await asyncio.gather(*done)
            several = [get(key) for key in "abc"]
            for one in several:
                await one
            return await task
    """,
    "run": """
        import asyncio
        from lib import get
        asyncio.run(get())
    """,
    "returned": """
        from typing import Awaitable
        from lib import get
        async def asynchronous():
            return get()  # left
        def declared() -> dict:
            return get()  # left
        def wrapper():
            return get()  # maybe
        def right() -> Awaitable[dict]:
            return get()  # maybe
    """,
    "passed on": """
        from lib import get
        def main(use):
            use(get())  # maybe
            use(value=get())  # maybe
            return lambda: get()  # maybe
    """,
    "called by another": """
        import asyncio
        import threading
        from lib import get
        async def main(loop):
            loop.call_soon(get)  # left
            await asyncio.to_thread(get)  # left
            threading.Thread(target=get).start()  # left
            loop.create_task(get())
    """,
    "context": """
        from lib import get
        with get() as opened:  # left
            pass
    """,
    "unpacked": """
        from lib import get
        def main():
            first, second = get()  # left
            return first, second
    """,
    "in a boolean": """
        from lib import get
        async def main(flag):
            if flag and get():  # left
                return None
            return await (flag or get())
    """,
    "walrus": """
        from lib import get
        async def main():
            if (value := get()):  # left
                return value
    """,
}


@pytest.mark.parametrize("caller", CALLING.values(), ids=CALLING.keys())
def test_who_still_calls_what_became_a_coroutine_function(
    caller: str, repository: Repository
) -> None:
    found = flipped(repository, SYNC, ASYNC, {"caller.py": caller})
    check(repository, found)
    assert only(found).kind == "unawaited"


# Methods

METHODS = {
    "self": """
        class Store:
            {}def load(self):
                return 1
            async def all(self):
                return await self.load()  # left
            @classmethod
            {}def make(cls):
                return cls()
            @classmethod
            async def both(cls):
                return await cls.make()  # left
    """,
    "nested class": """
        class Outer:
            class Inner:
                {}def load(self):
                    return 1
        async def main():
            await Outer.Inner().load()  # left
    """,
}

ON_INSTANCES = """
    from __future__ import annotations
    import lib
    from lib import Store, make_store
    from typing import Any, Optional, TypeVar

    async def annotated(store: Store, maybe: Store | None, quoted: "Optional[lib.Store]"):
        await store.load()  # left
        await maybe.load()  # left
        await quoted.load()  # left

    async def constructed():
        store = Store()
        await store.load()  # left
        await Store().load()  # left
        async with Store() as entered:
            await entered.load()  # left

    async def unknown(store):
        await store.load()  # maybe

    Kind = TypeVar("Kind", bound=Store)

    async def of_a_type_variable(store: Kind, anything: Any):
        await store.load()  # maybe
        await anything.load()  # maybe

    async def returned():
        await make_store().load()  # left
        await (await lib.open_store()).load()  # left

    async def somebody_elses(other: lib.Other, text: str):
        await other.load()
        await text.load()

    class Holder:
        store: Store
        def __init__(self, given: Store):
            self.given = given
            self.made = Store()
            self.later = None
        def set(self):
            self.later = Store()
        async def run(self):
            await self.store.load()  # left
            await self.given.load()  # left
            await self.made.load()  # left
            await self.later.load()  # left

    class Sub(Store):
        async def run(self):
            await self.load()  # left
            await super().load()  # left

    class Unrelated:
        async def load(self):
            pass
        async def run(self):
            await self.load()

    store = Store()
    async def from_module():
        await store.load()  # left
"""

LIB = """
    class Store:
        {}def load(self):
            return 1
        async def __aenter__(self):
            return self
        async def __aexit__(self, *_):
            pass
    class Other:
        async def load(self):
            return 2
    def make_store() -> Store:
        return Store()
    async def open_store() -> "Store":
        return Store()
"""


@pytest.mark.parametrize("text", METHODS.values(), ids=METHODS.keys())
def test_methods_on_self(text: str, repository: Repository) -> None:
    fill = text.count("{}")
    after = text.format(*[""] * fill)
    check(repository, flipped(repository, text.format(*["async "] * fill), after, {}))


def test_methods_on_instances(repository: Repository) -> None:
    found = flipped(repository, LIB.format("async "), LIB.format(""), {"caller.py": ON_INSTANCES})
    check(repository, found)
    assert only(found).qualname == "Store.load"


def test_a_method_that_is_called_like_those_of_files_counts_where_its_class_is_named(
    repository: Repository,
) -> None:
    before = "class Store:\n    def close(self):\n        pass\n"
    others = {
        "near.py": """
            def shut(store):
                'Close a Store.'
                store.close()  # maybe
        """,
        "far.py": """
            def shut(connection):
                connection.close()
        """,
    }
    check(repository, flipped(repository, before, before.replace("def", "async def"), others))


def test_a_projects_own_function_is_not_taken_for_that_of_a_loop(repository: Repository) -> None:
    caller = """
        from lib import get
        class Tasks:
            def call_later(self, function):
                pass
            async def gather(self, one):
                pass
            def run(self, loop):
                self.call_later(get)  # maybe
                self.create_task(get())  # maybe
                loop.call_later(get)  # left
            def create_task(self, one):
                pass
    """
    check(repository, flipped(repository, SYNC, ASYNC, {"caller.py": caller}))


def test_an_override_of_the_other_colour_makes_a_caller_uncertain(repository: Repository) -> None:
    caller = """
        from lib import Store
        class Slow(Store):
            async def load(self):  # maybe
                return 3
        class Quick(Store):
            def load(self):
                return 4
        async def main(store: Store):
            await store.load()  # maybe
            await Store().load()  # left
            await Quick().load()
            await Slow().load()
    """
    check(repository, flipped(repository, LIB.format("async "), LIB.format(""), {"c.py": caller}))


def test_a_base_that_is_not_understood_makes_a_caller_uncertain(repository: Repository) -> None:
    caller = """
        from somewhere import Mixin
        from lib import Store
        class First(Mixin, Store):
            async def run(self):
                await self.load()  # maybe
        class Last(Store, Mixin):
            async def run(self):
                await self.load()  # left
    """
    check(repository, flipped(repository, LIB.format("async "), LIB.format(""), {"c.py": caller}))


def test_a_property(repository: Repository) -> None:
    before = """
        class Store:
            @property
            async def size(self):
                return 1
    """
    caller = """
        from lib import Store
        async def main(store: Store):
            return await store.size, store.size  # left
    """
    after = before.replace("async def", "def")
    check(repository, flipped(repository, before, after, {"caller.py": caller}))


# Generators and context managers


def test_an_async_generator(repository: Repository) -> None:
    before = "async def rows():\n    yield 1\n"
    caller = """
        from contextlib import aclosing
        from lib import rows
        async def main():
            async for row in rows():  # left
                pass
            for row in rows():
                pass
            async with aclosing(rows()) as kept:  # left
                pass
            return [row async for row in rows()]  # left
    """
    found = flipped(repository, before, before.replace("async ", ""), {"caller.py": caller})
    check(repository, found)
    assert only(found).was is Colour.ASYNC_GENERATOR


def test_an_async_context_manager(repository: Repository) -> None:
    before = """
        from contextlib import asynccontextmanager, contextmanager
        @asynccontextmanager
        async def opened():
            yield 1
    """
    after = before.replace("@async", "@").replace("async def", "def")
    caller = """
        from lib import opened
        async def main(stack):
            async with opened() as one, opened():  # left
                pass
            await stack.enter_async_context(opened())  # left
            with opened():
                pass
    """
    check(repository, flipped(repository, before, after, {"caller.py": caller}))


def test_a_coroutine_function_that_became_a_context_manager(repository: Repository) -> None:
    before = "async def opened():\n    return 1\n"
    after = """
        from contextlib import asynccontextmanager
        @asynccontextmanager
        async def opened():
            yield 1
    """
    caller = """
        from lib import opened
        async def main():
            await opened()  # left
            async with opened():
                pass
    """
    check(repository, flipped(repository, before, after, {"caller.py": caller}))


# What is still awaitable

STILL = {
    "the same coroutine": (
        "async def g(): pass\nasync def get():\n    return await g()\n",
        "async def g(): pass\ndef get():\n    return g()\n",
        None,
    ),
    "by a variable": (
        "async def g(): pass\nasync def get():\n    made = await g()\n    return made\n",
        "async def g(): pass\ndef get():\n    made = g()\n    return made\n",
        None,
    ),
    "declared": (
        "async def get():\n    return 1\n",
        "from typing import Awaitable\nimport x\ndef get() -> Awaitable[int]:\n    return x.y()\n",
        None,
    ),
    "an awaitable class": (
        "class Job:\n    def __await__(self): yield\nasync def get():\n    return 1\n",
        "class Job:\n    def __await__(self): yield\ndef get():\n    return Job()\n",
        None,
    ),
    "unknown": (
        "import x\nasync def get():\n    return await x.y()\n",
        "import x\ndef get():\n    return x.y()\n",
        "maybe",
    ),
    "unknown decorator": (
        "import x\nasync def get():\n    return 1\n",
        "import x\n@x.wrapped\ndef get():\n    return 1\n",
        "maybe",
    ),
    "the same value": (
        "import x\nasync def get():\n    return x.y()\n",
        "import x\ndef get():\n    return x.y()\n",
        "left",
    ),
    "the same declaration": (
        "import x\nasync def get() -> x.Y:\n    return await x.y()\n",
        "import x\ndef get() -> x.Y:\n    return x.z()\n",
        "left",
    ),
    "a class": (
        "class Job: pass\nasync def get():\n    return await g()\n",
        "class Job: pass\ndef get():\n    return Job()\n",
        "left",
    ),
    "a builtin": (
        "async def get(x):\n    return await x()\n",
        "def get(x):\n    return str(x)\n",
        "left",
    ),
    "a parameter": (
        "async def get(x):\n    return x\n",
        "def get(x):\n    return x\n",
        "left",
    ),
    "one of two": (
        "async def g(): pass\nasync def get(x):\n    return x\n",
        "async def g(): pass\ndef get(x):\n    return g() if x else 1\n",
        "maybe",
    ),
    "recursion": (
        "import x\nasync def get(n):\n    return await x.y(n)\n",
        "import x\ndef get(n):\n    return get(n - 1) if n else 1\n",
        "maybe",
    ),
}


@pytest.mark.parametrize(("before", "after", "mark"), STILL.values(), ids=STILL.keys())
def test_what_a_synchronous_function_gives_decides(
    before: str, after: str, mark: str | None, repository: Repository
) -> None:
    caller = "from lib import get\nasync def main():\n    await get(1)" + (
        f"  # {mark}\n" if mark else "\n"
    )
    found = flipped(repository, before, after, {"caller.py": caller})
    check(repository, found)
    assert only(found).qualname == "get"
