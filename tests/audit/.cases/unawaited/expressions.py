"""A coroutine where its result was meant."""


async def load(number=1):
    return number


async def ready():
    return False


async def main_in_a_text():
    text = f"got {load()}"  # expect: unawaited
    assert "coroutine" in text


async def main_in_a_text_with_a_format():
    text = f"got {load()!r:>10}"  # expect: unawaited
    assert "coroutine" in text


async def main_dropped_by_name():
    _ = load()  # expect: unawaited


async def main_dropped_list():
    [load(number) for number in range(2)]  # expect: unawaited


async def main_dropped_display():
    [load(), load(2)]  # expect: unawaited


async def main_dropped_tuple():
    load(), load(2)  # expect: unawaited


async def main_behind_and(flag=True):
    flag and load()  # expect: unawaited


async def main_behind_or(flag=False):
    flag or load()  # expect: unawaited


async def main_conditional(flag=True):
    load() if flag else None  # expect: unawaited


async def main_as_a_condition():
    if ready():  # expect: unawaited
        return


async def main_as_a_negated_condition():
    assert not (not ready())  # expect: unawaited


async def main_in_a_while():
    while ready():  # expect: unawaited
        break


async def main_compared():
    assert (load() == 1) is False  # expect: unawaited


async def main_compared_with_none():
    assert load() is not None  # expect: unawaited


async def main_joined():
    str(load())  # expect: unawaited


async def main_printed():
    print(load())  # expect: unawaited


async def main_right(flag=True):
    text = f"got {await load()}"
    assert text == "got 1"
    _ = await load()
    [await load(number) for number in range(2)]
    flag and await load()
    if await ready():
        return
