# A radio that nobody hears.

ACTIVE, SERVICES, ADVERTISE, NOTIFY, HANG_UP = 1, 2, 3, 4, 5


class Value:
    def __init__(self):
        self.data = b""
        self.size = 20
        self.appends = False


class StreetRadio:
    under_way = 0

    def __init__(self):
        self.values = []
        self.mtus = {}
        self.handler = None

    def say(self, kind, content):
        pass
