"""The arguments do not change what the call returns."""


def connect(*, host="localhost", port=80, **rest):
    return f"{host}:{port}"


async def main():
    address = await connect(host="a", port=1, retries=3)  # expect: await-sync  # fix: mechanical
    assert address == "a:1"
