"""A class method that makes an instance."""


class Config:
    def __init__(self, level):
        self.level = level

    @classmethod
    def default(cls):
        return cls(3)


async def main():
    config = await Config.default()  # expect: await-sync  # fix: mechanical
    assert config.level == 3
