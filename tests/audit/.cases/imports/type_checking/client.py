class Client:
    def ping(self) -> str:
        return "pong"
