# What firmware runs here: other firmware comes in, proves itself or goes; restarts in order.
#
# Theory of operation
#   update   node/update takes it into the slot that does not run, and is loaded only while one comes.
#   switch   once it is whole and signed, on the gateway's word: the next start is of that slot, on trial.
#   trial    the new firmware is confirmed once it has run for a minute, the gateway has acknowledged, and nothing is wrong that was
#            not before. What has not managed that in ten minutes starts anew; after three starts the old slot is back (slots.py).
#   restart  waits for a tick, at which the open minute becomes a record: nobody who was counted is lost, and no record ends
#            finer than ticks do.
# A node without slots takes no update. One without a key has nothing to check it by, and takes none either.

import streetwire

PROVEN_MS = 60000
GIVE_UP_MS = 600000
IDLE_MS = 600000  # an update that nobody goes on with is put away; what has come stays on flash
SERIOUS = ("counter_silent", "counter_garbled", "climate_silent", "log_failed")


class Upkeep:
    """`slots` as in slots.Slots, `who` is (number, version, kit), `secrets()` gives (mac of the node's key, sha256) or None
    without a key, `restart()` resets the board; `send(kind, *fields)` is True once the link has taken the message, `say(level,
    text)` tells the technician."""

    def __init__(self, slots, who, secrets, restart, send, say):
        self._slots = slots
        self._who = who
        self._secrets = secrets
        self.restart = restart
        self._send = send
        self._say = say
        self._update = None
        self._heard_ms = 0
        self._is_state_due = True
        self.is_restart_due = False
        if slots.is_on_trial:
            say(6, "firmware %s is on trial, %d more starts" % (who[1], slots.state["tries"]))
        elif "failed" in slots.state:
            say(4, "slot %s was given up, firmware %s is back" % (slots.state["failed"], who[1]))

    def on_command(self, verb, health):
        if verb == streetwire.RESTART:
            self.is_restart_due = True
        elif verb == streetwire.ROLL_BACK:
            spare = self._slots.state.get("spare") if self._slots.is_used else None
            if spare is None:
                self._refuse("there is no other firmware on this node")
            else:
                self._switch_to(spare, health)

    def on_update(self, message, health, now_ms):
        self._heard_ms = now_ms
        if message.step == streetwire.SWITCH:
            if self._update is not None and self._update.is_ready:
                self._update.close()
                self._switch_to(self._slots.other, health)
            else:
                self._refuse("nothing is ready to be switched to")
        else:
            update = self._begun()
            if update is not None:
                update.on_message(message)

    def on_hello(self):
        """What it runs on is told once more."""
        self._is_state_due = True

    def beat(self, now_ms, health, is_acked):
        """Once a beat; `is_acked`: the gateway has acknowledged since the start."""
        if self._slots.is_on_trial and not self.is_restart_due:
            self._judge(now_ms, health, is_acked)
        if self._update is not None:
            self._work(self._update, now_ms)
        if self._is_state_due and self._slots.is_used:
            self._is_state_due = not self._tell_standing()

    def _judge(self, now_ms, health, is_acked):
        before = self._slots.state.get("health", 0)
        is_worse = any(health & ~before & streetwire.HEALTH[name] for name in SERIOUS)
        if now_ms >= PROVEN_MS and is_acked and not is_worse:
            try:
                self._slots.confirm()
            except OSError as error:
                self._say(3, "cannot confirm the firmware: %s" % error)
            else:
                self._say(6, "firmware %s is confirmed" % self._who[1])
                self._is_state_due = True
        elif now_ms >= GIVE_UP_MS:
            self._say(4, "firmware %s has not proven itself" % self._who[1])
            self.is_restart_due = True

    def _work(self, update, now_ms):
        update.work()
        news = update.news()
        if news is not None and self._send(streetwire.UpdateState, *news):
            update.told()
        if now_ms - self._heard_ms > IDLE_MS:
            update.close()
            self._update = None

    def _tell_standing(self):
        state = self._slots.state
        number = streetwire.CONFIRMED
        if self._slots.is_on_trial:
            number = streetwire.ON_TRIAL
        elif "failed" in state:
            number = streetwire.ROLLED_BACK
        return self._send(streetwire.UpdateState, number, 0, state.get("tries", 0), self._who[1])

    def _switch_to(self, slot, health):
        if self.is_restart_due:
            return  # said again; once more would lead back
        try:
            self._slots.try_out(slot, health)
        except OSError as error:
            self._refuse(str(error))
        else:
            self._say(6, "slot %s starts next" % slot)
            self.is_restart_due = True

    def _begun(self):
        if self._update is not None:
            return self._update
        secrets = self._secrets()
        if not self._slots.is_used:
            self._refuse("put up by hand: this node has no slots")
        elif secrets is None:
            self._refuse("this node has no key")
        elif self._slots.is_on_trial:
            self._refuse("the firmware is on trial")
        else:
            from node.update import Update  # only a node that is updated bears it

            mac, sha256 = secrets
            self._update = Update(self._slots.folder + self._slots.other, self._who, mac, sha256, self._slots.spoil_other)
        return self._update

    def _refuse(self, why):
        self._send(streetwire.UpdateState, streetwire.REFUSED, 0, 0, why)
