class Reader:
    def read(self) -> int:
        return 1
