def send() -> int:
    return 1
