"""The call goes over several lines, with comments."""


def add(left, right):
    return left + right


async def main():
    value = await add(  # expect: await-sync  # fix: mechanical
        1,  # the left one
        2,  # the right one
    )
    assert value == 3
