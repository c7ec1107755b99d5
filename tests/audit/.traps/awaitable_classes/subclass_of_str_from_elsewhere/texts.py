from kinds import Later


def text(key: str) -> str:
    return Later(key)
