class Manager:
    def start(self):
        return "started"


def get_manager():
    return Manager()
