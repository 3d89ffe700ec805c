# Both links of a node that holds a key, as one: what has an order goes where somebody has proven to listen, else over the cable.

import streetwire


class CableAndAir:
    def __init__(self, cable, air):
        self._cable = cable
        self._air = air

    @property
    def radio(self):
        """For the self-test."""
        return "failed" if self._air.is_silent else "good"

    @property
    def frames_bad(self):
        return self._cable.frames_bad + self._air.frames_bad

    def receive(self):
        return self._cable.receive() + self._air.receive()

    def send(self, message):
        """True once one of the links has taken the message; what is live goes to both, a sight never through the air."""
        if message.kind == streetwire.LIVE:
            is_broadcast = self._air.send(message)
            return self._cable.send(message) or is_broadcast
        if message.kind == streetwire.SIGHT:
            return self._cable.send(message)
        return (self._air if self._air.is_proven else self._cable).send(message)
