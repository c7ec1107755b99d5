class Double:
    def __getattr__(self, name):
        async def call(*args):
            return 7

        return call
