def in_thread(function):
    async def inner(*args):
        return function(*args)

    return inner
