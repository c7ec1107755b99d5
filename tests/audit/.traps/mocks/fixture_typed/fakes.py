from unittest.mock import AsyncMock


def make():
    fake = AsyncMock()
    fake.load.return_value = 2
    return fake
