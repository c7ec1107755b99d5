class Chooses:
    other = object

    def __new__(cls, *args):
        return cls.other()
