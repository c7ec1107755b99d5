from base import Base

class Late(Base):
    async def close(self) -> int
        return 2
