class Mailer:
    def send(self) -> int:
        return 1


async def use(mailer: Mailer) -> int:
    return await mailer.send()
