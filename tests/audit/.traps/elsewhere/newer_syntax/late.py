import sys

TEXT = """
from base import Base


class Late(Base):
    async def close(self) -> int:
        return 2
"""
exec(TEXT)
