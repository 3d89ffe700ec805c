# The service hatch: what technicians need is loaded when one comes, and then stays, since its names take memory for good.
#
# A press of the button or a command opens node/technician; a command, an update or firmware on trial opens node/upkeep.

import streetwire


class Hatch:
    """The parts are those of the app. `upkeep_of(send, say, is_asked)` gives node/upkeep, or None unless it is asked for or new
    firmware is on trial; it may be None itself."""

    def __init__(self, panel, link, watch, climate, probe, log, clock, minutes, send, say, upkeep_of):
        self._panel = panel
        self._tested = (watch, climate, probe, panel, log, clock, lambda: link.radio)
        self._watch = watch
        self._minutes = minutes
        self._send = send
        self._say = say
        self._technician = None
        self._upkeep_of = upkeep_of
        self._upkeep = upkeep_of(send, say, False) if upkeep_of else None

    @property
    def is_restart_due(self):
        return self._upkeep is not None and self._upkeep.is_restart_due

    def restart(self):
        """Resets the board; there is nothing behind it."""
        if self._upkeep is not None:
            self._upkeep.restart()

    def on_command(self, verb, argument, now_ms, health):
        if verb in (streetwire.TEST, streetwire.WATCH):
            self._called().on_command(verb, argument, now_ms)
        elif verb in (streetwire.RESTART, streetwire.ROLL_BACK):
            upkeep = self._looked_after()
            if upkeep is not None:
                upkeep.on_command(verb, health)

    def on_update(self, message, health, now_ms):
        upkeep = self._looked_after()
        if upkeep is not None:
            upkeep.on_update(message, health, now_ms)

    def on_hello(self):
        if self._upkeep is not None:
            self._upkeep.on_hello()

    def beat(self, now_ms, health, heard_ms, is_acked):
        """Once a beat, as the last thing but sending."""
        press = self._panel.press(now_ms)
        if press:
            self._called().on_press(press, now_ms, health, heard_ms)
        if self._technician is not None:
            self._technician.beat(now_ms, health, heard_ms)
        if self._upkeep is not None:
            self._upkeep.beat(now_ms, health, is_acked)
        self._panel.beat(now_ms, health, heard_ms)

    def _called(self):
        if self._technician is None:
            from node.self_test import SelfTest
            from node.technician import Technician

            self._technician = Technician(
                self._panel, SelfTest(*self._tested), self._watch, self._minutes, self._send, self._say
            )  # fmt: skip
        return self._technician

    def _looked_after(self):
        if self._upkeep is None and self._upkeep_of is not None:
            self._upkeep = self._upkeep_of(self._send, self._say, True)
        return self._upkeep
