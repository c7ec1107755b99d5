"""A method of a frozen dataclass."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Job:
    name: str

    def renamed(self, name: str) -> "Job":
        return replace(self, name=name)


async def main() -> None:
    job = await Job("a").renamed("b")  # expect: await-sync  # fix: mechanical
    assert job.name == "b"
