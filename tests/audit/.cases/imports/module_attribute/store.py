def load(key: str) -> str:
    return key.upper()
