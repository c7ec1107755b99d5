from base import Base


class Real(Base):
    async def close(self) -> int:
        return 2
