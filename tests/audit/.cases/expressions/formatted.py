"""In the field of an f-string."""


def name() -> str:
    return "ada"


async def main() -> None:
    assert f"hello {await name()}!" == "hello ada!"  # expect: await-sync  # fix: mechanical


async def main_format() -> None:
    assert f"{await name():>5}|" == "  ada|"  # expect: await-sync  # fix: mechanical


async def main_conversion() -> None:
    assert f"{await name()!r}" == "'ada'"  # expect: await-sync  # fix: mechanical
