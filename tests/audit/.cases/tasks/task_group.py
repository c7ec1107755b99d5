"""A task group takes coroutines."""

import asyncio


def load():
    return 1


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(load())  # expect: await-sync  # fix: report-only
