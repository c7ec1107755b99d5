def now() -> float:
    return 1.5
