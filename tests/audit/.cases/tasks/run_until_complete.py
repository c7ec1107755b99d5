"""run_until_complete takes an awaitable."""

import asyncio


def load():
    return 1


def main():
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(load())  # expect: await-sync  # fix: report-only
    finally:
        loop.close()
