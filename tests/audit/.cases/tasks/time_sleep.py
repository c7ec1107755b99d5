"""The blocking sleep, awaited as if it were the other one."""

import time


async def main():
    await time.sleep(0)  # expect: await-sync  # fix: report-only
