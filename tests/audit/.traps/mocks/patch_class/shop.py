class Mailer:
    def send(self) -> int:
        return 1


async def use() -> int:
    return await Mailer().send()
