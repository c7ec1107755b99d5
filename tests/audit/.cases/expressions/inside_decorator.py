"""In the arguments of a decorator."""


def prefix():
    return "p"


def named(name):
    def decorate(function):
        function.name = name
        return function

    return decorate


async def main():
    @named(await prefix())  # expect: await-sync  # fix: mechanical
    def inner():
        pass

    assert inner.name == "p"
