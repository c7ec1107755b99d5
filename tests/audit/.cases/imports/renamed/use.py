"""A module that is imported under another name."""

import imports.renamed.deep.clock as timer


async def main():
    assert await timer.now() == 1.5  # expect: await-sync  # fix: mechanical
