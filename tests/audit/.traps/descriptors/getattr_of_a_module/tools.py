from typing import TYPE_CHECKING


async def _later() -> int:
    return 2


if TYPE_CHECKING:

    def load() -> int: ...


def __getattr__(name):
    if name == "load":
        return _later
    raise AttributeError(name)
