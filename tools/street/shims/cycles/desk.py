# What the board's stand-ins and the beats share: the time, and the switches and radios that have to be looked at when it moves.


class Desk:
    def __init__(self):
        self.now_ms = 0
        self.switches = []
        self.radios = []


desk = Desk()
