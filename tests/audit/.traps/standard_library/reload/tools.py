import os

if "LATE" in os.environ:

    async def load() -> int:
        return 2

else:

    def load() -> int:
        return 1
