"""A call of a coroutine function as a statement."""

import contextlib

done = []


async def save(value=1):
    done.append(value)


async def main_alone():
    save()  # expect: unawaited


async def main_in_a_branch():
    if done is not None:
        save(2)  # expect: unawaited


async def main_in_a_loop():
    for value in range(2):
        save(value)  # expect: unawaited


async def main_in_a_try():
    try:
        save()  # expect: unawaited
    finally:
        done.clear()


async def main_in_a_with():
    with contextlib.suppress(KeyError):
        save()  # expect: unawaited


async def main_in_a_match():
    match len(done):
        case _:
            save()  # expect: unawaited


def main_in_a_function():
    save()  # expect: unawaited


async def main_with_arguments():
    save(
        value=3,
    )  # expect: unawaited


async def main_after_an_await():
    await save()
    save()  # expect: unawaited


async def main_right():
    await save()
