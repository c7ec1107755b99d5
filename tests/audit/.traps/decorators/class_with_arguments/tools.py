def wrapped(function):
    async def inner(*args):
        return function(*args)

    return inner


def asyncify(*names):
    def change(cls):
        for name in names:
            setattr(cls, name, wrapped(getattr(cls, name)))
        return cls

    return change
