"""Indented with tabs."""


def load():
	return 1


async def main():
	if True:
		assert await load() == 1  # expect: await-sync  # fix: mechanical
