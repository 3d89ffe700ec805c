"""A D-Bus of our own with a BlueZ of our own on it: real messages through a real dbus-daemon, but no radio."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

from gateway.drivers.bluez import ADAPTER, MONITORS, SERVICE

POLICY = """<busconfig><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>{further}</busconfig>"""
NOBODY_SPEAKS_TO_BLUEZ = f'<policy context="default"><deny send_destination="{SERVICE}"/></policy>'
SECRET = "C0:FF:EE:00:00:01"  # of the adapter and of a device that it knows
HANG, VANISH = "hang", "vanish"


@contextmanager
def dbus_daemon(folder: Path, further: str = "") -> Iterator[str]:
    """Its address; what `further` says comes last, so it wins."""
    settings = folder / "bus.conf"
    settings.write_text(POLICY.format(socket=folder / "bus", further=further), encoding="utf-8")
    command = ["dbus-daemon", f"--config-file={settings}", "--nofork", "--nopidfile", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


class FakeBluez:
    """Answers as bluetoothd does. `answers`, by "Get Powered" or "Set Powered False", are names of errors, HANG or VANISH."""

    def __init__(self) -> None:
        self.adapters: dict[str, dict[str, dict[str, Variant]]] = {"hci0": powered_adapter()}
        self.answers: dict[str, str] = {}
        self.asked: list[str] = []

    def answer(self, question: Message) -> Message | bool | None:
        if question.path is None or not question.path.startswith("/org/bluez"):
            return None
        words = [question.member, *map(str, question.body[1:2]), *[str(v.value) for v in question.body[2:]]]
        asked = " ".join(str(word) for word in words)
        self.asked.append(asked)
        planned = self.answers.get(asked)
        if planned == HANG:
            return True
        if planned == VANISH:
            self.adapters.clear()
        elif planned:
            return Message.new_error(question, planned, f"of {SECRET}")
        if question.member == "Introspect" and question.path == "/org/bluez":
            names = "".join(f'<node name="{name}"/>' for name in self.adapters)
            return Message.new_method_return(question, "s", [f"<node>{names}</node>"])
        adapter = self.adapters.get(question.path.removeprefix("/org/bluez/"))
        if adapter is None:
            return Message.new_error(question, "org.freedesktop.DBus.Error.UnknownObject", "no such object")
        return self._property(question, adapter)

    def _property(self, question: Message, adapter: dict[str, dict[str, Variant]]) -> Message:
        interface, name = question.body[:2]
        if name not in adapter.get(interface, {}):
            return Message.new_error(question, "org.freedesktop.DBus.Error.InvalidArgs", "no such property")
        if question.member == "Get":
            return Message.new_method_return(question, "v", [adapter[interface][name]])
        adapter[interface][name] = question.body[2]
        return Message.new_method_return(question)

    @contextmanager
    def on(self, bus_address: str) -> Iterator[None]:
        """Serves from a thread, so that what is tested may have an event loop of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        bus = asyncio.run_coroutine_threadsafe(self._serve(bus_address), loop).result()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(bus.disconnect)
            with suppress(EOFError):  # a bus that went first
                asyncio.run_coroutine_threadsafe(bus.wait_for_disconnect(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, bus_address: str) -> MessageBus:
        bus = await MessageBus(bus_address).connect()
        bus.add_message_handler(self.answer)
        await bus.request_name(SERVICE)
        return bus


def powered_adapter() -> dict[str, dict[str, Variant]]:
    return {
        ADAPTER: {
            "Address": Variant("s", SECRET),
            "Powered": Variant("b", True),
            "Discovering": Variant("b", False),
            "Roles": Variant("as", ["central", "peripheral"]),
        },
        MONITORS: {"SupportedMonitorTypes": Variant("as", ["or_patterns"])},
    }
