def get() -> int:
    return 1
