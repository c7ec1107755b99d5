"""A module is not awaitable."""

import json


async def main():
    await json  # expect: await-sync  # fix: report-only
