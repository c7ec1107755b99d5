__all__ = ["load"]


def load():
    return "loaded"
