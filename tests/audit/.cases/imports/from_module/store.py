def load(key):
    return {"key": key}
