"""The subject, a guard and a body of a `match` statement."""


def command():
    return {"do": "stop"}


def allowed(word):
    return word == "stop"


async def main_subject():
    match await command():  # expect: await-sync  # fix: mechanical
        case {"do": word}:
            assert word == "stop"
        case _:
            raise AssertionError


async def main_guard():
    match {"do": "stop"}:
        case {"do": word} if await allowed(word):  # expect: await-sync  # fix: mechanical
            return
        case _:
            raise AssertionError


async def main_body():
    match 1:
        case 1:
            assert (await command())["do"] == "stop"  # expect: await-sync  # fix: mechanical
