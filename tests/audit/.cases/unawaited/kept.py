"""A coroutine in a name that nobody looks at again."""


async def load(number=1):
    return number


async def main_unused():
    value = load()  # expect: unawaited


async def main_overwritten():
    value = load()  # expect: unawaited
    value = 2
    assert value == 2


async def main_annotated():
    value: object = load()  # expect: unawaited


async def main_in_a_pair():
    first, second = load(), 2  # expect: unawaited
    assert second == 2


async def main_walrus():
    if (value := load()) is not None:  # expect: unawaited
        return


async def main_deleted():
    value = load()  # expect: unawaited
    del value


async def main_right():
    value = load()
    assert await value == 1


async def main_right_in_a_list():
    values = [load(1), load(2)]
    assert [await value for value in values] == [1, 2]
