class Registry:
    def get(self, name: str) -> str:
        return name


registry = Registry()
