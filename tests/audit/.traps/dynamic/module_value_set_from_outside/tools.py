VALUE = 1


def load():
    return VALUE
